import { beforeAll, describe, expect, test } from "vitest";
import { HistoryRecorder } from "../../../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../../../daemon/history/repository/layout.js";
import { nodeFileSystem } from "../../../../daemon/platform/node-file-system.js";
import type { Change, Commit, NodeState } from "../../../../daemon/store/commit.js";
import type { DomainRecord } from "../../../../daemon/store/root.js";
import type { Domid, Microseconds, Path, Seq, TxId } from "../../../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import { git } from "../../daemon/history/repository/repository-support.js";
import { jsonOf, programHarness, type RunResult, type Running } from "./program-harness.js";

const START = (Date.UTC(2026, 10, 23, 7, 10, 0) * 1000) as Microseconds;

let repository: string;
let clone: string;

function node(path: string, before: string | undefined, after: string | undefined, permission = "n0"): Change {
  const perms = parsePerms(permission.split(" ")) as Perms;
  const state = (value: string | undefined): NodeState | undefined =>
    value === undefined ? undefined : { value, perms };
  return { kind: "node", path: path as Path, before: state(before), after: state(after) };
}

function commit(seq: number, changes: readonly Change[], details: Partial<Commit> = {}): Commit {
  const [change] = changes;
  const subject = change?.kind === "node" ? change.path : "/a";
  const isRemoval = change?.kind === "node" && change.after === undefined;
  return {
    seq: seq as Seq,
    time: (START + seq * 1_000_000) as Microseconds,
    origin: { domid: (seq % 2 === 0 ? 7 : 0) as Domid, connection: `socket-${String(seq)}`, transaction: undefined },
    base: (seq - 1) as Seq,
    requests: [
      { operation: isRemoval ? "RM" : "WRITE", subject, detail: isRemoval ? "" : "v", detailBytes: isRemoval ? 0 : 1 },
    ],
    requestsOmitted: 0,
    changes,
    ...details,
  };
}

const RECORD: DomainRecord = {
  introduction: { gfn: 12, port: 3, commit: { seq: 4 as Seq, time: START } },
  target: undefined,
  features: undefined,
  shutdown: false,
  quotas: new Map(),
};

const COMMITS: readonly Commit[] = [
  commit(1, [node("/a", undefined, ""), node("/a/b", undefined, "1"), node("/c", undefined, "x\n\xe9")]),
  commit(2, [node("/a/b", "1", "2")]),
  commit(3, [node("/c", "x\n\xe9", "x\n\xe9", "n0 r7")]),
  commit(4, [{ kind: "domain", domid: 7 as Domid, before: undefined, after: RECORD }]),
  commit(5, [{ kind: "quota", name: "nodes", before: undefined, after: 0 }]),
  commit(6, [node("/a/b", "2", "3")], {
    base: 3 as Seq,
    origin: { domid: 7 as Domid, connection: "domain-7", transaction: 9 as TxId },
  }),
  commit(7, [node("/a", "", undefined)]),
  commit(8, []),
];

beforeAll(() => {
  const directory = temporaryDirectory();
  repository = `${directory}/store.git`;
  createRepository(nodeFileSystem, repository);
  const recorder = new HistoryRecorder({
    fileSystem: nodeFileSystem,
    repositoryDirectory: repository,
    ref: MAIN_REF,
    hostName: "host",
  });
  for (const each of COMMITS) recorder.record(each);
  recorder.seal();
  recorder.close();
  clone = `${directory}/clone`;
  git(directory, ["clone", "-q", repository, clone]);
});

async function run(...words: string[]): Promise<RunResult> {
  const harness = await programHarness();
  const files = { [repository]: "", [clone]: "", [`${clone}/.git`]: "" };
  return harness.run(words, { files });
}

function seqsOf({ code, out, err }: RunResult): number[] {
  expect([code, err]).toEqual([0, ""]);
  return [...out.matchAll(/^@\{([0-9]+)\} /gm)].map(([, seq]) => Number(seq));
}

describe("xs log", () => {
  test("shows each commit on a line, newest first", async () => {
    const oid = git(repository, ["rev-parse", "main~6"]).slice(0, 10);
    const result = await run("log", "--repo", repository);
    expect(seqsOf(result)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect(result.out).toContain(`@{2}  2026-11-23T07:10:02.000000Z  ${oid}  dom7: WRITE /a/b\n`);
  });

  test("with --fork is about that branch of a repository, whichever its HEAD is", async () => {
    const other = `${temporaryDirectory()}/other`;
    git(repository, ["clone", "-q", repository, other]);
    git(other, ["checkout", "-q", "-b", "before/it", "main~6"]);
    const { run: runHere } = await programHarness();
    const log = (branch: string): Promise<RunResult> =>
      runHere(["--fork", branch, "log", "--repo", other], { files: { [other]: "", [`${other}/.git`]: "" } });
    expect(seqsOf(await log("before/it"))).toEqual([2, 1]);
    expect(seqsOf(await log("main"))).toHaveLength(8);
    expect((await log("")).code).toBe(2);
  });

  test.each([
    [["/a"], [7, 6, 2, 1]],
    [["/a/b"], [7, 6, 2, 1]],
    [["/c"], [3, 1]],
    [["/"], [7, 6, 3, 2, 1]],
    [
      ["-n", "2"],
      [8, 7],
    ],
    [["-n", "0"], []],
    [
      ["--from", "@{2}", "--to", "@{4}"],
      [4, 3, 2],
    ],
    [
      ["--from", "@{2026-11-23T07:10:06.5}"],
      [8, 7, 6],
    ],
    [["--from", "@{2025-01-01}", "-n", "1"], [8]],
    [["/a", "--domain", "9"], []],
    [["/c", "--from", "@{5}"], []],
    [
      ["--domain", "0"],
      [7, 5, 3, 1],
    ],
    [["--tx", "9"], [6]],
    [["--grep", "^RM "], [7]],
    [["/a/b", "--domain", "7", "-n", "1"], [6]],
  ])("%j shows %j", async (words, seqs) => {
    expect(seqsOf(await run("log", "--repo", repository, ...words))).toEqual(seqs);
  });

  test("says of a cut history since when a node was not there", async () => {
    const cut = `${clone}-cut`;
    git(clone, ["clone", "-q", "--bare", "--depth", "1", `file://${repository}`, cut]);
    const harness = await programHarness();
    expect(await harness.run(["log", "--repo", cut, "/a"], { files: { [cut]: "" } })).toMatchObject({
      code: 2,
      err: "xs: there is no node /a at HEAD: there was none since @{8} either, where this history begins; below / there is c\n",
    });
  });

  test("marks the commit with which a cut history begins, which stands for all that was", async () => {
    const cut = `${clone}-two`;
    git(clone, ["clone", "-q", "--bare", "--depth", "2", `file://${repository}`, cut]);
    const harness = await programHarness();
    const { out } = await harness.run(["log", "--repo", cut], { files: { [cut]: "" } });
    expect(out).toMatch(/^@\{8\}.*\/a\n@\{7\} .*  dom0: RM \/a  \(the history begins here\)\n$/);
    const json = await harness.run(["log", "/c", "--json", "--repo", cut], { files: { [cut]: "" } });
    expect(jsonOf(json.out)).toMatchObject({ seq: 7, historyBegins: true });
    expect((await run("log", "--repo", repository)).out).not.toContain("begins");
  });

  test("says that it waits for a node that is not there yet", async () => {
    const harness = await programHarness();
    const onError = (): void => {
      running.interrupt();
    };
    const running: Running = harness.start(["log", "--repo", repository, "--follow", "/nowhere"], {
      files: { [repository]: "" },
      onError,
    });
    expect(await running.result).toEqual({
      code: 130,
      out: "",
      err: "xs: there is no node /nowhere yet (there was none before either; below / there is c): waiting for it\n",
    });
  });

  test("reads a clone with files too, and a repository in the working directory's .xenstore", async () => {
    expect(seqsOf(await run("log", "--repo", clone))).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    const harness = await programHarness();
    const files = { ".xenstore/state/store.git": "" };
    const { code, err } = await harness.run(["log"], { files });
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/\.xenstore\/state\/store\.git is not a bare Git repository/),
    ]);
  });

  test("finds the repository in the directory of a daemon, and in that of its state", async () => {
    const harness = await programHarness();
    for (const inside of ["store.git", "state/store.git", ".git"]) {
      const { code, err } = await harness.run(["log", "--repo", "/x"], { files: { "/x": "", [`/x/${inside}`]: "" } });
      expect([code, err]).toEqual([2, expect.stringContaining(`/x/${inside} is not a bare Git repository`)]);
    }
  });

  test.each([
    ["--socket", ["--socket", "/r/socket"], {}],
    ["$XENSTORED_PATH", [], { XENSTORED_PATH: "/r/socket" }],
    ["$XENSTORED_RUNDIR", [], { XENSTORED_RUNDIR: "/r" }],
  ])("never takes another history for that of the daemon that %s names", async (_, words, environment) => {
    const files = { ".xenstore/state/store.git": "" };
    const harness = await programHarness();
    for (const command of [
      ["log"],
      ["bisect", "--run", "true"],
      ["ls", "--at", "HEAD"],
      ["read", "/a", "--at", "HEAD"],
    ]) {
      const { code, out, err } = await harness.run([...words, ...command], { files, environment });
      expect([code, out]).toEqual([1, ""]);
      expect(err).toMatch(
        /^xs: there is no \/r\/admin\.sock: is the daemon running, .* such as --repo STATE\/store\.git\n$/,
      );
    }
  });

  test("is JSON on request, a line each", async () => {
    const { out } = await run("log", "--json", "--repo", repository, "-n", "1", "--tx", "9");
    expect(jsonOf(out)).toEqual({
      oid: git(repository, ["rev-parse", "main~2"]),
      seq: 6,
      time: "2026-11-23T07:10:06.000000Z",
      domain: 7,
      connection: "domain-7",
      transaction: 9,
      subject: "dom7: 1 change under /a/b",
    });
  });

  test.each([
    [["log", "/nowhere"], /no node \/nowhere at HEAD: there was none before either; below \/ there is c$/m],
    [["log", "/a/d", "--to", "@{6}"], /no node \/a\/d at @\{6\}: there was none before either; below \/a there is b$/m],
    [["log", "/nowhere", "--from", "@{5}"], /there is no node \/nowhere at HEAD/],
    [["log", "/nowhere", "--domain", "0", "--grep", "x"], /there is no node \/nowhere at HEAD/],
    [["log", "a/b"], /there is no node \/local\/domain\/0\/a\/b at HEAD/],
    [["log", "/a/"], /"\/a\/" is no path of a node: it ends with a slash; write \/a$/m],
    [["log", "/a//"], /it ends with a slash; write \/a$/m],
    [["log", "//"], /"\/\/" is no path of a node: write one such as/],
    [["log", "--to", "nowhere"], /there is no "nowhere" in this history: name a branch/],
    [
      ["log", "--from", "@{7}", "--to", "main~5"],
      /from, @\{7\}, is later than to, main~5 \(@\{3\}\): .* so exchange them/,
    ],
    [["log", "--grep", "("], /--grep "\(": This is no regular expression: .* One is 'WRITE/],
    [["log", "--domain", "x"], /It is a domain's number/],
    [["show", "@{9}"], /the commits of main are @\{1\} of 2026-11-23T07:10:01.000000Z to @\{8\} of/],
    [["show", "@{0}"], /there is no commit @\{0\}/],
  ])("%j is a bad command line (code 2), and what would be right is said", async (words, message) => {
    const { code, out, err } = await run(...words, "--repo", repository);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
  });

  test("without a repository says which option names one", async () => {
    const { code, err } = await run("log");
    expect([code, err]).toEqual([
      2,
      "xs: there is no history here, and no daemon at /run/xenstored/admin.sock: name one with --socket; " +
        "without a daemon, name a repository, such as --repo STATE/store.git\n",
    ]);
    expect((await run("show", "--repo", "/nowhere")).err).toMatch(/there is no directory \/nowhere: name a repository/);
  });
});

describe("xs bisect", () => {
  test("from a tag before a cut says that what was between has been given up", async () => {
    const cut = `${clone}-tagged`;
    const made = `${clone}-copy`;
    git(clone, ["clone", "-q", "--bare", `file://${repository}`, made]);
    git(made, ["tag", "old", "main~6"]);
    git(clone, ["clone", "-q", "--bare", "--depth", "3", "--branch", "main", `file://${made}`, cut]);
    git(cut, ["fetch", "-q", "--depth", "1", "origin", "tag", "old"]);
    const harness = await programHarness();
    const words = ["bisect", "--repo", cut, "--good", "old", "not exists /a"];
    expect(await harness.run(words, { files: { [cut]: "" } })).toMatchObject({
      code: 2,
      err:
        "xs: good, old (@{2}), is from before @{6}, where the history of bad begins, and what was between them has been given " +
        "up: name @{6} or a later one\n",
    });
  });
});

describe("xs blame", () => {
  test("shows which commit made each node what it is", async () => {
    const { code, out, err } = await run("blame", "/", "--at", "@{6}", "--repo", repository);
    expect([code, err]).toEqual([0, ""]);
    expect(out.split("\n").map((line) => line.replace(/ {2}2026-11-23T07:10:0(.)\.000000Z/, " at $1"))).toEqual([
      "@{1} at 1  dom0  /",
      "@{1} at 1  dom0  /a",
      "@{6} at 6  dom7  /a/b",
      "@{3} at 3  dom0  /c",
      "",
    ]);
  });

  test("is JSON on request, and refuses what is not there", async () => {
    const { out } = await run("blame", "/c", "--json", "--repo", repository);
    expect(jsonOf(out)).toMatchObject([{ path: "/c", commit: { seq: 3, domain: 0, subject: "dom0: WRITE /c" } }]);
    expect(await run("blame", "/a", "--repo", repository)).toMatchObject({
      code: 2,
      err: "xs: there is no node /a at HEAD: @{7} removed it\n",
    });
  });
});

describe("xs show", () => {
  const show = async (revision: string): Promise<string> => {
    const { code, out, err } = await run("show", "--repo", repository, revision);
    expect([code, err]).toEqual([0, ""]);
    return out;
  };

  test("shows who, when, what was asked, and what changed", async () => {
    expect(await show("@{2}")).toBe(
      [
        `commit      ${git(repository, ["rev-parse", "main~6"])}`,
        "seq         @{2}",
        "time        2026-11-23T07:10:02.000000Z",
        "domain      7",
        "connection  socket-2",
        "",
        '    WRITE /a/b "v"',
        "",
        "~ /a/b",
        '    - "1"',
        '    + "2"',
        "",
      ].join("\n"),
    );
  });

  test("shows what came, what went with all below it, and perms", async () => {
    expect(await show("@{1}")).toContain('+ /a = ""  (n0)\n+ /a/b = "1"  (n0)\n+ /c = "x\\n\\xe9"  (n0)\n');
    expect(await show("@{7}")).toContain('- /a = ""  (n0)\n- /a/b = "3"  (n0)\n');
    expect(await show("@{3}")).toContain("~ /c\n    - (n0)\n    + (n0 r7)\n");
  });

  test("shows domains and quotas", async () => {
    expect(await show("@{4}")).toContain("~ domain 7\n    - unknown\n    + introduced by @{4}, gfn 12, port 3\n");
    expect(await show("@{5}")).toContain("~ quota nodes\n    - the default\n    + unlimited\n");
  });

  test("shows what others committed during a transaction", async () => {
    const text = await show("@{6}");
    expect(text).toContain("transaction 9\n");
    expect(text).toMatch(/it was made from @\{3\}; 2 commits came in between\n {4}@\{5\} .*\n {4}@\{4\} .*\n$/);
  });

  test("says of a commit without changes what it did", async () => {
    expect(await show("HEAD")).toMatch(/nothing changed: watches fired\n$/);
  });

  test("is JSON on request, and loses no byte", async () => {
    const { out } = await run("show", "--json", "--repo", repository, "@{1}");
    expect(jsonOf(out)).toMatchObject({
      seq: 1,
      parents: [],
      requests: ['WRITE /a "v"'],
      changes: [
        { kind: "node", path: "/a", after: { value: "", perms: ["n0"] } },
        { kind: "node", path: "/a/b", after: { value: "1", perms: ["n0"] } },
        { kind: "node", path: "/c", after: { valueBase64: "eArp", perms: ["n0"] } },
      ],
    });
    const domain = jsonOf((await run("show", "--json", "--repo", repository, "@{4}")).out);
    expect(domain).toMatchObject({
      changes: [
        {
          kind: "domain",
          domid: 7,
          after: { introduction: { gfn: 12, port: 3, seq: 4 }, shutdown: false, quotas: {} },
        },
      ],
    });
    const transaction = jsonOf((await run("show", "--json", "--repo", repository, "@{6}")).out);
    expect(transaction).toMatchObject({ meanwhile: { base: 3, count: 2, commits: [{ seq: 5 }, { seq: 4 }] } });
  });
});
