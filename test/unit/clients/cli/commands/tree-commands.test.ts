import { describe, expect, test } from "vitest";
import { jsonOf, programHarness, success } from "../program-harness.js";

describe("xs mkdir", () => {
  test("creates nodes and leaves those that exist alone", async () => {
    const { run, client } = await programHarness();
    await client.write("/a", "1");
    expect(await run(["mkdir", "/a", "/b/c"])).toEqual(success(""));
    expect([await client.read("/a"), await client.read("/b/c")]).toEqual(["1", ""]);
  });
});

describe("xs rm", () => {
  test("removes nodes with all below, all or none", async () => {
    const { run, client } = await programHarness();
    await client.write("/a/b", "1");
    await client.write("/c", "1");
    expect((await run(["rm", "/c", "/nope/x"])).code).toBe(1);
    expect(await client.exists("/c")).toBe(true);
    expect(await run(["rm", "/a", "/c"])).toEqual(success(""));
    expect(await client.directory("/")).toEqual([]);
  });

  test("-t removes parents that are left empty, up to one with a value or children", async () => {
    const { run, client } = await programHarness();
    await client.write("/a/b/c", "");
    await client.write("/v", "value");
    await client.write("/v/w/x", "");
    await client.write("/s/t", "");
    await client.write("/s/u/v", "");
    expect(await run(["rm", "-t", "/a/b/c", "/v/w/x", "/s/u/v"])).toEqual(success(""));
    expect(await client.directory("/")).toEqual(["s", "v"]);
    expect(await client.directory("/v")).toEqual([]);
    expect(await client.directory("/s")).toEqual(["t"]);
  });
});

describe("xs chmod and xs perms", () => {
  test("set and show permissions", async () => {
    const { run, client } = await programHarness();
    await client.mkdir("/a");
    expect(await run(["chmod", "/a", "n5", "r0"])).toEqual(success(""));
    expect(await run(["perms", "/a", "/"])).toEqual(success("n5 r0\nn0\n"));
    expect(jsonOf((await run(["perms", "--json", "/a"])).out)).toEqual([{ path: "/a", perms: ["n5", "r0"] }]);
  });

  test("-r goes below, -u up, but not to the root", async () => {
    const { run, client } = await programHarness();
    await client.mkdir("/a/b/c/d");
    await client.mkdir("/a/x");
    await run(["chmod", "-r", "/a/b", "r0"]);
    expect(await run(["perms", "/a", "/a/x", "/a/b", "/a/b/c", "/a/b/c/d"])).toEqual(success("n0\nn0\nr0\nr0\nr0\n"));
    await run(["chmod", "-u", "/a/b/c", "w0"]);
    expect(await run(["perms", "/", "/a", "/a/x", "/a/b", "/a/b/c", "/a/b/c/d"])).toEqual(
      success("n0\nw0\nn0\nw0\nw0\nr0\n"),
    );
  });
});

describe("xs exists", () => {
  test("tells by its code", async () => {
    const { run, client } = await programHarness();
    await client.mkdir("/a");
    expect(await run(["exists", "/a"])).toEqual(success(""));
    expect(await run(["exists", "/a", "/b"])).toEqual({ code: 1, out: "", err: "" });
    const { code, out } = await run(["exists", "--json", "/a", "/b"]);
    expect([code, jsonOf(out)]).toEqual([
      1,
      [
        { path: "/a", exists: true },
        { path: "/b", exists: false },
      ],
    ]);
  });
});

describe("xs list", () => {
  test("prints names, or paths with -p", async () => {
    const { run, client } = await programHarness();
    await client.mkdir("/a/b");
    await client.mkdir("/a/c");
    expect(await run(["list", "/a"])).toEqual(success("b\nc\n"));
    expect(await run(["list", "-p", "/", "/a"])).toEqual(success("/a\n/a/b\n/a/c\n"));
    expect(jsonOf((await run(["list", "--json", "/a"])).out)).toEqual([{ path: "/a", children: ["b", "c"] }]);
  });
});

describe("xs control", () => {
  test("prints the daemon's answer", async () => {
    const { run } = await programHarness();
    expect(await run(["control", "check"])).toEqual(success("OK\n"));
    expect(await run(["control", "history"])).toEqual(success("history\n"));
    expect(jsonOf((await run(["control", "--json", "check"])).out)).toEqual({ reply: "OK" });
    expect(await run(["control", "frob"])).toMatchObject({
      code: 1,
      err: "xs: CONTROL frob: invalid request (EINVAL)\n",
    });
    expect(await run(["control", "compact"])).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /^xs: CONTROL compact: .* \(EINVAL\): compact takes one tag, branch, object id, or @\{1234\}, .* no fork or branch is built on/,
      ) as unknown,
    });
  });
});
