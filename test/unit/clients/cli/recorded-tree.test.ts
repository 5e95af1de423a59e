/**
 * The commands that read a recorded state as they read a daemon.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { RecordedTree } from "../../../../clients/cli/recorded-tree.js";
import { jsonOf, programHarness, success, type ProgramHarness, type RunResult } from "./program-harness.js";
import { recordSmallHistory, runOnRepository } from "./small-history.js";

let repository: string;
/** A daemon with the nodes of the first state. */
let xs: ProgramHarness;

beforeAll(async () => {
  repository = recordSmallHistory();
  xs = await programHarness();
  for (const [path, value] of [
    ["/a", "1"],
    ["/a/b", "two\n"],
    ["/a/b/c", "\xff"],
    ["/d", ""],
    ["/device/x", "1"],
    ["/device-model", ""],
  ] as const) {
    await xs.client.write(path, value);
  }
  await xs.client.setPerms("/a/b", "n0 r5");
  await xs.client.setPerms("/a/b/c", "n0 r5");
});

const run = (...words: readonly string[]): Promise<RunResult> => runOnRepository(repository, words);

describe("RecordedTree", () => {
  test("asks for page after page, and keeps to the commit that the revision named first", async () => {
    const asked: unknown[] = [];
    const answers = [
      { commit: { oid: "c1", subject: "" }, nodes: [{ path: "/a/b", value: "1", perms: ["n0"] }], next: "c1:/a/b" },
      { commit: { oid: "c1", subject: "" }, nodes: [{ path: "/a/c/d", value: "2", perms: ["n5", "r0"] }] },
      { commit: { oid: "c1", subject: "" }, node: { path: "/a", value: "3", perms: ["n0"] } },
    ];
    const history = {
      ask: async (question: string, query: object) => {
        asked.push([question, query]);
        return answers.shift() as never;
      },
    };
    const tree = new RecordedTree(history, "HEAD");
    const nodes: unknown[] = [];
    for await (const node of tree.below("/a")) nodes.push(node);
    expect(nodes).toMatchObject([
      { path: "/a/b", name: "b", depth: 0, value: "1" },
      { path: "/a/c/d", name: "d", depth: 1, value: "2" },
    ]);
    expect(await tree.read("/a")).toBe("3");
    expect(asked).toMatchObject([
      ["tree", { at: "HEAD", path: "/a", cursor: undefined }],
      ["tree", { at: "c1", path: "/a", cursor: "c1:/a/b" }],
      ["node", { at: "c1", path: "/a" }],
    ]);
  });
});

describe("xs ls --at", () => {
  test.each([
    ["ls"],
    ["ls", "-p"],
    ["ls", "-fp"],
    ["ls", "/a", "/a/b", "/d"],
    ["ls", "-f", "/device"],
    ["ls", "--json"],
    ["ls", "--json", "-p", "/a"],
  ])("prints what it prints of a daemon with the same nodes: %j", async (...words) => {
    const live = await xs.run(words);
    expect(live).toMatchObject({ code: 0, err: "" });
    expect(await run(...words, "--repo", repository, "--at", "@{1}")).toEqual(live);
  });

  test("shows a name that begins with a shorter one behind all below that", async () => {
    const { out } = await run("ls", "-f", "--repo", repository, "--at", "@{1}");
    expect(out).toContain('/device = ""\n/device/x = "1"\n/device-model = ""\n');
  });

  test("reads HEAD when only the repository is given, and relative paths are those of domain 0", async () => {
    expect(await run("ls", "-f", "--repo", repository, "/local/domain")).toEqual(
      success('/local/domain/0 = ""\n/local/domain/0/x = ""\n/local/domain/0/x/y = "v"\n'),
    );
    expect(await run("ls", "-f", "--repo", repository, "x")).toEqual(success('x/y = "v"\n'));
  });

  test("a path that did not exist is a bad command line (code 2), and who removed it, or what there is, is said", async () => {
    expect(await run("ls", "--repo", repository, "--at", "HEAD", "/a")).toEqual({
      code: 2,
      out: "",
      err: "xs: there is no node /a at HEAD: @{3} removed it\n",
    });
    expect(await run("ls", "--repo", repository, "--at", "@{2}", "/devise")).toMatchObject({
      code: 2,
      err: "xs: there is no node /devise at @{2}: there was none before either; did you mean /device?\n",
    });
    expect(await run("ls", "--repo", repository, "/a//b")).toMatchObject({
      code: 2,
      err: 'xs: "/a//b" is no path of a node: write one such as /local/domain/5/name\n',
    });
  });

  test("a revision that names no commit is a bad command line (code 2)", async () => {
    const { code, err } = await run("ls", "--repo", repository, "--at", "@{9}");
    expect([code, err]).toEqual([2, expect.stringContaining("there is no commit @{9}")]);
  });
});

describe("xs read --at", () => {
  test.each([
    ["read", "/a"],
    ["read", "/a/b", "/a", "/d"],
    ["read", "-p", "/a/b", "/d"],
    ["read", "-R", "/a/b/c"],
    ["read", "--json", "/a/b/c", "/a/b"],
  ])("prints what it prints of a daemon with the same nodes: %j", async (...words) => {
    const live = await xs.run(words);
    expect(live).toMatchObject({ code: 0, err: "" });
    expect(await run(...words, "--repo", repository, "--at", "@{1}")).toEqual(live);
  });

  test("reads another state than the daemon's", async () => {
    expect(await run("read", "--repo", repository, "--at", "@{2}", "/a/b")).toEqual(success("2\n"));
    expect(await run("read", "--repo", repository, "x/y")).toEqual(success("v\n"));
  });

  test("a node that did not exist is a bad command line (code 2), also where others did", async () => {
    expect(await run("read", "--repo", repository, "--at", "@{2}", "/d", "/nope")).toEqual({
      code: 2,
      out: "",
      err: expect.stringMatching(
        /^xs: there is no node \/nope at @\{2\}: there was none before either; below \/ there is a, d, /,
      ) as unknown,
    });
    const { err } = await run("read", "--json", "--repo", repository, "--at", "@{2}", "/nope");
    expect(jsonOf(err)).toEqual({
      error: {
        message: expect.stringContaining("there is no node /nope at @{2}") as unknown,
        code: "ENOENT",
        operation: "READ",
        subject: "/nope",
      },
    });
    expect(await run("read", "--repo", repository, "/ż")).toMatchObject({
      code: 2,
      err: expect.stringContaining("is no path of a node") as unknown,
    });
  });
});

describe("xs dump", () => {
  test("prints what xs ls -fp prints, also on a terminal", async () => {
    const listed = await run("ls", "-fp", "--repo", repository, "--at", "@{1}");
    expect(listed.out).toContain('/a/b = "two\\n"   (n0,r5)\n');
    expect(await run("dump", "--repo", repository, "--at", "@{1}")).toEqual(listed);
    const harness = await programHarness();
    const words = ["dump", "--repo", repository, "--at", "@{1}"];
    const environment = { TERM: "xterm" };
    expect(await harness.run(words, { files: { [repository]: "" }, columns: 20, environment })).toEqual(listed);
  });

  test("prints the newest state, and the nodes below a path", async () => {
    const { out } = await run("dump", "--repo", repository);
    expect(out.split("\n").map((line) => line.split(" ")[0])).toEqual([
      "/d",
      "/device",
      "/device/x",
      "/device-model",
      "/local",
      "/local/domain",
      "/local/domain/0",
      "/local/domain/0/x",
      "/local/domain/0/x/y",
      "",
    ]);
    expect(await run("dump", "--repo", repository, "/local/domain/0/x")).toEqual(
      success('/local/domain/0/x/y = "v"   (n0)\n'),
    );
  });

  test("is JSON on request, with perms", async () => {
    const { out } = await run("dump", "--json", "--repo", repository, "/device");
    expect(jsonOf(out)).toEqual([{ path: "/device/x", value: "1", perms: ["n0"] }]);
  });
});
