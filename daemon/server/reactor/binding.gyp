{
  "targets": [
    {
      "target_name": "reactor",
      "sources": ["reactor.c"],
      "cflags": ["-std=c11", "-O2", "-Wall", "-Wextra"]
    }
  ]
}
