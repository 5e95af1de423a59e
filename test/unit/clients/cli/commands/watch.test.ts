import { describe, expect, test } from "vitest";
import { programHarness, success } from "../program-harness.js";

describe("xs watch", () => {
  test("prints the first event, then changes, and ends after -n events", async () => {
    const { start, client } = await programHarness();
    const { result } = start(["watch", "-n", "3", "/a"], {
      onOutput: (out) => {
        if (out === "/a\n") for (const path of ["/a/x", "/b", "/a"]) void client.write(path, "1");
      },
    });
    expect(await result).toEqual(success("/a\n/a/x\n/a\n"));
  });

  test("prints events of several paths in the order of their arrival", async () => {
    const { start, client } = await programHarness();
    const paths = ["/a/1", "/a/2", "/b/1", "/a/3", "/b/2", "/b/3", "/a/4"];
    let hasWritten = false;
    const { result } = start(["watch", "-n", String(paths.length + 2), "/a", "/b"], {
      onOutput: () => {
        if (hasWritten) return;
        hasWritten = true;
        for (const path of paths) void client.write(path, "1");
      },
    });
    expect(await result).toEqual(success(["/a", "/b", ...paths].map((path) => `${path}\n`).join("")));
  });

  test("--depth limits the levels", async () => {
    const { start, client } = await programHarness();
    const { result } = start(["watch", "-n", "2", "--depth", "1", "/a"], {
      onOutput: (out) => {
        if (out === "/a\n") for (const path of ["/a/b/c", "/a/d"]) void client.write(path, "1");
      },
    });
    expect(await result).toEqual(success("/a\n/a/d\n"));
  });

  test("--json prints a line for each event", async () => {
    const { run } = await programHarness();
    expect(await run(["watch", "--json", "-n", "1", "@releaseDomain"])).toEqual(success('{"path":"@releaseDomain"}\n'));
  });

  test("-n 0 waits for nothing", async () => {
    const { run } = await programHarness();
    expect(await run(["watch", "-n", "0", "/"])).toEqual(success(""));
  });

  test("Ctrl-C ends it with 130", async () => {
    const { start } = await programHarness();
    const running = start(["watch", "/"], {
      onOutput: () => {
        running.interrupt();
      },
    });
    expect(await running.result).toEqual({ code: 130, out: "/\n", err: "" });
  });

  test("a path that is not valid is refused", async () => {
    const { run } = await programHarness();
    expect(await run(["watch", "//"])).toEqual({ code: 1, out: "", err: "xs: WATCH //: invalid request (EINVAL)\n" });
  });
});
