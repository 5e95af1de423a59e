/**
 * The contract of `FileSystem`: one suite for the real one, the one in memory, and the faulty one without faults.
 */
import { beforeEach, describe, expect, it } from "vitest";
import type { FileSystem } from "../../daemon/platform/file-system.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { createFaultyFileSystem } from "../support/faulty-file-system.js";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const text = (data: Uint8Array): string => Buffer.from(data).toString("latin1");

function withRoom(create: () => FileSystem): () => { fileSystem: FileSystem; directory: string } {
  return () => {
    const fileSystem = create();
    fileSystem.makeDirectory("/room");
    return { fileSystem, directory: "/room" };
  };
}

const implementations = {
  nodeFileSystem: () => ({ fileSystem: nodeFileSystem, directory: temporaryDirectory() }),
  memoryFileSystem: withRoom(createMemoryFileSystem),
  faultyFileSystem: withRoom(() => createFaultyFileSystem(createMemoryFileSystem())),
};

describe.each(Object.entries(implementations))("%s", (_name, create) => {
  let fileSystem: FileSystem;
  let directory: string;
  beforeEach(() => {
    ({ fileSystem, directory } = create());
  });
  const put = (name: string, content: string): string => {
    const path = `${directory}/${name}`;
    const file = fileSystem.open(path, "create");
    expect(file.write(bytes(content), 0)).toBe(content.length);
    file.close();
    return path;
  };
  const fails = (run: () => void, code: string): void => {
    expect(run).toThrow(expect.objectContaining({ code }) as Error);
  };

  it("create makes an empty file and refuses an existing one", () => {
    const path = `${directory}/file`;
    const file = fileSystem.open(path, "create");
    expect(file.size()).toBe(0);
    file.close();
    fails(() => fileSystem.open(path, "create"), "EEXIST");
  });

  it("read and write refuse a missing file, and create a missing directory", () => {
    fails(() => fileSystem.open(`${directory}/none`, "read"), "ENOENT");
    fails(() => fileSystem.open(`${directory}/none`, "write"), "ENOENT");
    fails(() => fileSystem.open(`${directory}/none/file`, "create"), "ENOENT");
  });

  it("write keeps what is there, and can read it", () => {
    const file = fileSystem.open(put("file", "0123456789"), "write");
    expect(file.write(bytes("ab"), 3)).toBe(2);
    const target = new Uint8Array(20);
    expect(file.read(target, 0)).toBe(10);
    expect(text(target.subarray(0, 10))).toBe("012ab56789");
    file.close();
  });

  it("read gives what lies at a position, less at the end, nothing beyond", () => {
    const file = fileSystem.open(put("file", "0123456789"), "read");
    const target = new Uint8Array(4);
    expect(file.read(target, 2)).toBe(4);
    expect(text(target)).toBe("2345");
    expect(file.read(target, 8)).toBe(2);
    expect(file.read(target, 10)).toBe(0);
    expect(file.read(target, 1000)).toBe(0);
    file.close();
  });

  it("a file opened to read cannot be written or truncated", () => {
    const file = fileSystem.open(put("file", "0123456789"), "read");
    fails(() => file.write(bytes("x"), 0), "EBADF");
    fails(() => {
      file.truncate(0);
    }, "EINVAL");
    file.close();
    expect(text(fileSystem.readFile(`${directory}/file`))).toBe("0123456789");
  });

  it("a write beyond the end and a longer truncate leave zeros", () => {
    const file = fileSystem.open(put("file", "ab"), "write");
    file.write(bytes("c"), 4);
    file.truncate(6);
    file.close();
    expect(text(fileSystem.readFile(`${directory}/file`))).toBe("ab\0\0c\0");
  });

  it("a truncate cuts, and what is written anew does not see the old bytes", () => {
    const file = fileSystem.open(put("file", "0123456789"), "write");
    file.truncate(3);
    expect(file.size()).toBe(3);
    file.write(bytes("x"), 5);
    file.close();
    expect(text(fileSystem.readFile(`${directory}/file`))).toBe("012\0\0x");
  });

  it("write takes the bytes as they are at the call", () => {
    const data = bytes("before");
    const file = fileSystem.open(`${directory}/file`, "create");
    file.write(data, 0);
    data.fill(0x78);
    file.close();
    expect(text(fileSystem.readFile(`${directory}/file`))).toBe("before");
  });

  it("syncs succeed on files and directories and change nothing", () => {
    const file = fileSystem.open(`${directory}/file`, "create");
    file.write(bytes("content"), 0);
    file.syncData();
    file.sync();
    fileSystem.syncDirectory(directory);
    file.close();
    expect(text(fileSystem.readFile(`${directory}/file`))).toBe("content");
    fails(() => {
      fileSystem.syncDirectory(`${directory}/none`);
    }, "ENOENT");
  });

  it("a closed file refuses everything", () => {
    const file = fileSystem.open(put("file", "content"), "write");
    file.close();
    fails(() => file.size(), "EBADF");
    fails(() => file.read(new Uint8Array(1), 0), "EBADF");
  });

  it("list gives the sorted names of files and directories", () => {
    expect(fileSystem.list(directory)).toEqual([]);
    put("b", "");
    put("B", "");
    put("a", "");
    fileSystem.makeDirectory(`${directory}/c`);
    expect(fileSystem.list(directory)).toEqual(["B", "a", "b", "c"]);
    fails(() => fileSystem.list(`${directory}/none`), "ENOENT");
    fails(() => fileSystem.list(`${directory}/a`), "ENOTDIR");
  });

  it("makeDirectory makes missing parents, takes an existing one, and refuses a file", () => {
    fileSystem.makeDirectory(`${directory}/x/y/z`);
    fileSystem.makeDirectory(`${directory}/x/y`);
    expect(fileSystem.list(`${directory}/x/y`)).toEqual(["z"]);
    put("file", "");
    fails(() => {
      fileSystem.makeDirectory(`${directory}/file`);
    }, "EEXIST");
  });

  it("exists tells of files and directories, and not of what is missing", () => {
    put("file", "");
    expect(fileSystem.exists(`${directory}/file`)).toBe(true);
    expect(fileSystem.exists(directory)).toBe(true);
    expect(fileSystem.exists(`${directory}/none`)).toBe(false);
    expect(fileSystem.exists(`${directory}/file/none`)).toBe(false);
  });

  it("rename replaces its target", () => {
    put("from", "new");
    put("to", "old");
    fileSystem.rename(`${directory}/from`, `${directory}/to`);
    expect(fileSystem.list(directory)).toEqual(["to"]);
    expect(text(fileSystem.readFile(`${directory}/to`))).toBe("new");
    fails(() => {
      fileSystem.rename(`${directory}/from`, `${directory}/to`);
    }, "ENOENT");
  });

  it("rename moves between directories", () => {
    put("file", "content");
    fileSystem.makeDirectory(`${directory}/other`);
    fileSystem.rename(`${directory}/file`, `${directory}/other/moved`);
    expect(fileSystem.list(directory)).toEqual(["other"]);
    expect(text(fileSystem.readFile(`${directory}/other/moved`))).toBe("content");
  });

  it("remove takes the name away, and an open file stays readable", () => {
    const path = put("file", "content");
    const file = fileSystem.open(path, "read");
    fileSystem.remove(path);
    expect(fileSystem.exists(path)).toBe(false);
    expect(file.read(new Uint8Array(20), 0)).toBe(7);
    file.close();
    fails(() => {
      fileSystem.remove(path);
    }, "ENOENT");
  });

  it("remove refuses a directory", () => {
    fileSystem.makeDirectory(`${directory}/x`);
    fails(() => {
      fileSystem.remove(`${directory}/x`);
    }, "EISDIR");
  });

  it("names that are properties of every object are ordinary", () => {
    put("__proto__", "content");
    expect(fileSystem.exists(`${directory}/constructor`)).toBe(false);
    expect(text(fileSystem.readFile(`${directory}/__proto__`))).toBe("content");
  });
});

describe("memoryFileSystem crash", () => {
  const setUp = (): {
    fileSystem: ReturnType<typeof createMemoryFileSystem>;
    write: (position: number, data: string) => void;
  } => {
    const fileSystem = createMemoryFileSystem();
    fileSystem.makeDirectory("/d");
    fileSystem.syncDirectory("/");
    const file = fileSystem.open("/d/file", "create");
    file.write(bytes("synced"), 0);
    file.sync();
    fileSystem.syncDirectory("/d");
    return { fileSystem, write: (position, data) => file.write(bytes(data), position) };
  };

  it("of a process loses nothing but ends open files", () => {
    const { fileSystem, write } = setUp();
    write(6, " more");
    fileSystem.crash("nothing");
    expect(text(fileSystem.readFile("/d/file"))).toBe("synced more");
    expect(() => {
      write(0, "x");
    }).toThrow("EBADF");
  });

  it("with power loses what was not synced: bytes, lengths, entries", () => {
    const { fileSystem, write } = setUp();
    write(0, "SYNCED more");
    const other = fileSystem.open("/d/other", "create");
    other.write(bytes("synced without its entry"), 0);
    other.sync();
    fileSystem.rename("/d/file", "/d/renamed");
    fileSystem.crash("everything");
    expect(fileSystem.list("/d")).toEqual(["file"]);
    expect(text(fileSystem.readFile("/d/file"))).toBe("synced");
  });

  it("can lose one sector and keep the next", () => {
    const { fileSystem, write } = setUp();
    write(512, "a".repeat(512) + "b".repeat(512));
    fileSystem.crash((what) => what === "/d/file byte 512");
    expect(text(fileSystem.readFile("/d/file"))).toBe("synced" + "\0".repeat(1018) + "b".repeat(512));
  });

  it("keeps the entries of a directory up to the first that is lost", () => {
    const { fileSystem } = setUp();
    for (const name of ["a", "b", "c"]) fileSystem.open(`/d/${name}`, "create").close();
    fileSystem.crash((what) => what === "/d entry 1");
    expect(fileSystem.list("/d")).toEqual(["a", "file"]);
  });

  it("in any order can lose an entry and keep a later one", () => {
    const { fileSystem } = setUp();
    for (const name of ["a", "b", "c"]) fileSystem.open(`/d/${name}`, "create").close();
    fileSystem.rename("/d/b", "/d/renamed");
    fileSystem.crash((what) => what === "/d entry 1", "any");
    expect(fileSystem.list("/d")).toEqual(["a", "c", "file", "renamed"]);
  });

  it("can keep a length and lose the bytes", () => {
    const { fileSystem, write } = setUp();
    write(6, " more");
    fileSystem.crash((what) => what === "/d/file byte 6");
    expect(text(fileSystem.readFile("/d/file"))).toBe("synced\0\0\0\0\0");
  });
});

describe("memoryFileSystem fork", () => {
  it("copies what is there and what is on the disk, and neither side sees the other's changes", () => {
    const fileSystem = createMemoryFileSystem();
    const file = fileSystem.open("/file", "create");
    file.write(bytes("synced"), 0);
    file.sync();
    fileSystem.syncDirectory("/");
    file.write(bytes("UNSYNCED"), 0);
    fileSystem.rename("/file", "/renamed");
    const fork = fileSystem.fork();
    file.write(bytes("later"), 0);
    expect(text(fork.readFile("/renamed"))).toBe("UNSYNCED");
    fork.crash("everything");
    expect(fork.list("/")).toEqual(["file"]);
    expect(text(fork.readFile("/file"))).toBe("synced");
    expect(text(fileSystem.readFile("/renamed"))).toBe("laterCED");
  });
});

describe("memoryFileSystem sync", () => {
  it("keeps the bytes as they were at the write", () => {
    const fileSystem = createMemoryFileSystem();
    const file = fileSystem.open("/file", "create");
    const data = bytes("before");
    file.write(data, 0);
    data.fill(0x78);
    file.sync();
    fileSystem.syncDirectory("/");
    fileSystem.crash("everything");
    expect(text(fileSystem.readFile("/file"))).toBe("before");
  });
});

describe("faultyFileSystem", () => {
  it("fails the nth call of a kind, and that one alone", () => {
    const fileSystem = createFaultyFileSystem(createMemoryFileSystem());
    const file = fileSystem.open("/file", "create");
    fileSystem.inject({ call: "write", nth: 2, error: "ENOSPC" });
    expect(file.write(bytes("a"), 0)).toBe(1);
    expect(() => file.write(bytes("b"), 1)).toThrow("ENOSPC");
    expect(file.write(bytes("c"), 1)).toBe(1);
    expect(text(fileSystem.readFile("/file"))).toBe("ac");
  });

  it("cuts a write short, with an error after it or without", () => {
    const fileSystem = createFaultyFileSystem(createMemoryFileSystem());
    const file = fileSystem.open("/file", "create");
    fileSystem.inject({ call: "write", nth: 1, bytes: 2 });
    fileSystem.inject({ call: "write", nth: 2, bytes: 3, error: "EIO" });
    expect(file.write(bytes("abcdef"), 0)).toBe(2);
    expect(() => file.write(bytes("cdefgh"), 2)).toThrow("EIO");
    expect(text(fileSystem.readFile("/file"))).toBe("abcde");
  });

  it("fails until it is healed where the fault lasts", () => {
    const fileSystem = createFaultyFileSystem(createMemoryFileSystem());
    fileSystem.inject({ call: "makeDirectory", nth: 1, error: "EROFS", lasts: true });
    for (let count = 0; count < 3; count++)
      expect(() => {
        fileSystem.makeDirectory("/d");
      }).toThrow("EROFS");
    fileSystem.heal();
    fileSystem.makeDirectory("/d");
    expect(fileSystem.exists("/d")).toBe(true);
  });
});
