/**
 * Forks of the real daemon: branches of its history that are live beside main, and their way back into it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runReplay } from "../../simulator/replay/run-replay.js";
import { buildDaemon } from "../support/built-daemon.js";
import { commandsOn } from "../support/daemon-commands.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { connectClient, resultOf, type WireClient } from "../support/wire-client.js";
import { jsonOf } from "../unit/clients/cli/program-harness.js";

/** A command that finds `/a` bad where it is `2`, with nothing but Node and this project. */
const SAYS_NOT_2 = `test "$("${process.execPath}" --import tsx clients/cli/main.ts read /a)" != 2`;

let command: readonly string[];
let daemon: DaemonProcess;
let directory: string;
/** Of main. */
let client: WireClient;
let clients: WireClient[];

async function start(...flags: readonly string[]): Promise<void> {
  daemon = await startDaemon({ directory, hasConsole: true, command, flags });
  client = await daemon.connect();
}

beforeAll(() => {
  command = buildDaemon(temporaryDirectory());
});

beforeEach(async () => {
  directory = temporaryDirectory();
  clients = [];
  await start();
});

afterEach(async () => {
  for (const each of clients) each.destroy();
  await daemon.stop();
});

const { xs, mustXs, git } = commandsOn(() => daemon);

/** The object id that a deletion told. */
async function deleteFork(name: string): Promise<string> {
  return /\(was ([0-9a-f]{40})\)/.exec(await mustXs("fork", name, "--delete"))?.[1] ?? "";
}

function forkSocket(name: string): string {
  return join(daemon.runDirectory, "branches", name);
}

async function connectFork(name: string, domid?: number): Promise<WireClient> {
  const socket = domid === undefined ? forkSocket(name) : join(`${forkSocket(name)}.domains`, String(domid));
  const connected = await connectClient(socket);
  clients.push(connected);
  return connected;
}

/** A fork is served again some moments after main. */
async function connectForkAgain(name: string): Promise<WireClient> {
  for (let tries = 0; tries < 200 && !existsSync(forkSocket(name)); tries++) await delay(50);
  return await connectFork(name);
}

async function write(to: WireClient, path: string, value: string): Promise<void> {
  expect(resultOf(await to.call("WRITE", `${path}\0${value}`))).toBe("OK");
}

function note(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(noteFile(name), "latin1")) as Record<string, unknown>;
}

function noteFile(name: string): string {
  return join(directory, "state", "forks", `${name}.json`);
}

function parentsOf(revision: string): string[] {
  return git("log", "-1", "--format=%P", revision).split(" ");
}

describe("xs fork", () => {
  it("serves a past state, live and writable, and leaves main alone as main leaves it", async () => {
    await write(client, "/a", "1");
    await write(client, "/a", "2");
    const told = await mustXs("fork", "try", "--from", "@{2}");
    expect(told).toBe(`fork try of @{2}, served on ${forkSocket("try")}\n`);
    const modes = [forkSocket("try"), `${forkSocket("try")}.domains`].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o600, 0o700]);
    const fork = await connectFork("try");
    expect(await fork.must("READ", ["/a"])).toBe("1");
    await fork.must("WATCH", ["/", "t"]);
    expect(await fork.event()).toMatchObject({ path: "/" });
    await write(client, "/a", "3");
    await write(fork, "/a", "9");
    await write(fork, "/b", "9");
    expect([await fork.event(), await fork.event()].map(({ path }) => path)).toEqual(["/a", "/b"]);
    expect([await client.must("READ", ["/a"]), await client.ask("READ", ["/b"])]).toEqual(["3", "ENOENT"]);
    expect(await fork.must("CONTROL", ["check"])).toBe("OK");
    // Its commits go on from the one that it began with, and are named by the branch.
    expect(await mustXs("read", "/b", "--at", "try@{4}")).toBe("9\n");
    expect((await mustXs("--fork", "try", "log")).match(/^@\{\d+\}/gm)).toEqual(["@{4}", "@{3}", "@{2}", "@{1}"]);
    expect(await mustXs("diff", "main", "try")).toContain('\n\n~ /a\n    - "3"\n    + "9"\n+ /b = "9"  (n0)\n');
    expect(await mustXs("branches")).toContain(`@{2}, served on ${forkSocket("try")}\n`);
    expect([git("rev-parse", "try~2"), git("fsck", "--strict")]).toEqual([git("rev-parse", "main~2"), ""]);
  });

  it("keeps what it acknowledged over the daemon's sudden death, and is served again", async () => {
    await write(client, "/a", "1");
    await mustXs("fork", "try");
    const fork = await connectFork("try");
    await fork.must("INTRODUCE", ["7", "1", "1"]);
    for (let value = 0; value < 200; value++) await write(fork, "/a", String(value));
    await write(client, "/a", "main's");
    await daemon.kill("SIGKILL");
    await start();
    const again = await connectForkAgain("try");
    expect([await again.must("READ", ["/a"]), await client.must("READ", ["/a"])]).toEqual(["199", "main's"]);
    await write(again, "/a", "200");
    const guest = await connectFork("try", 7);
    expect(await guest.must("GET_DOMAIN_PATH", ["7"])).toBe("/local/domain/7");
    expect((await mustXs("--fork", "try", "log", "-n", "1", "--json")).trim()).toContain('"seq":204');
    // A regular stop, too.
    await daemon.kill("SIGTERM");
    expect(git("fsck", "--strict")).toBe("");
    expect(git("show", "try:a")).toBe("200");
    await start();
    expect(await (await connectForkAgain("try")).must("READ", ["/a"])).toBe("200");
  });

  it("serves the guests of its state on sockets of their own", async () => {
    await client.must("INTRODUCE", ["5", "1", "1"]);
    await client.must("INTRODUCE", ["7", "1", "1"]);
    await client.must("RELEASE", ["5"]);
    await mustXs("fork", "both", "--from", "HEAD~1");
    const five = await connectFork("both", 5);
    expect(await five.ask("WRITE", ["/local/domain/7/x", "1"])).toBe("EACCES");
    const fork = await connectFork("both");
    await fork.must("RELEASE", ["7"]);
    expect(readdirSync(`${forkSocket("both")}.domains`)).toEqual(["5"]);
    expect(readdirSync(join(daemon.runDirectory, "domains"))).toEqual(["7"]);
    // What failed there is told of there.
    expect(await mustXs("--fork", "both", "log", "--failures")).toMatch(/EACCES {2}dom5 .*WRITE \/local\/domain\/7\/x/);
    expect(await mustXs("log", "--failures")).toBe("");
  });

  it("can be changed as main can: rollback, revert, tag, and a fork of it", async () => {
    await mustXs("fork", "try");
    const fork = await connectFork("try");
    await write(fork, "/a", "1");
    await write(fork, "/a", "2");
    expect(await mustXs("--fork", "try", "rollback", "HEAD~1")).toMatch(
      /^rolled back to @\{2\}: 1 change, in @\{4\}\n$/,
    );
    expect(await fork.must("READ", ["/a"])).toBe("1");
    expect(await mustXs("--fork", "try", "read", "/a", "--at", "@{3}")).toBe("2\n");
    expect(await mustXs("--fork", "try", "revert", "HEAD")).toMatch(/^reverted @\{4\}: 1 change, in @\{5\}\n$/);
    expect(await fork.must("READ", ["/a"])).toBe("2");
    await mustXs("--fork", "try", "tag", "good", "HEAD~1");
    expect(await mustXs("--fork", "try", "fork", "again")).toMatch(
      /^fork again of [0-9a-f]{10}, which left main at @\{1\}, served/,
    );
    expect(await mustXs("branches")).toMatch(/ {4}fork of [0-9a-f]{10}, which left main at @\{1\}, served on /);
    await write(await connectFork("again"), "/a", "3");
    expect(await mustXs("read", "/a", "--at", "again")).toBe("3\n");
    expect([await client.ask("READ", ["/a"]), git("show", "good:a"), git("fsck", "--strict")]).toEqual([
      "ENOENT",
      "1",
      "",
    ]);
  });

  it("is what HEAD is about, however it is written, and for every command", async () => {
    for (const value of ["1", "2", "3"]) await write(client, "/main", value);
    await mustXs("fork", "try", "--from", "@{1}");
    const fork = await connectFork("try");
    for (const value of ["1", "2", "3"]) await write(fork, "/a", value);
    // Git lets a tag have the name of a branch, and then prefers it.
    git("tag", "try", "main");
    const seq = async (...words: string[]): Promise<unknown> =>
      (jsonOf(await mustXs("--json", "--fork", "try", ...words)) as { readonly seq: number }).seq;
    expect(await seq("show")).toBe(4);
    const branch = git("rev-parse", "refs/heads/try");
    for (const [revision, back] of Object.entries({
      HEAD: 0,
      "@": 0,
      "HEAD^": 1,
      "~1": 1,
      "@^": 1,
      "~": 1,
      "@~2": 2,
    })) {
      expect([revision, await seq("show", revision)]).toEqual([revision, 4 - back]);
      const { target } = jsonOf(await mustXs("--json", "--fork", "try", "rollback", revision, "-n")) as {
        readonly target: { readonly oid: string };
      };
      expect(target.oid).toBe(git("rev-parse", `${branch}~${String(back)}`));
    }
    for (const way of [["value /a = 2"], ["value /a = 2", "--bad", "~1"], ["--run", SAYS_NOT_2, "--bad", "HEAD^"]]) {
      const { code, out } = await xs("--json", "--fork", "try", "bisect", ...way);
      expect(code).toBe(0);
      expect(jsonOf(out)).toMatchObject({ bad: { seq: 3 }, first: { seq: 3, oid: git("rev-parse", `${branch}~1`) } });
    }
  });

  it("--delete leaves nothing of it, and its commits can be forked again", async () => {
    await mustXs("fork", "try");
    await write(await connectFork("try"), "/a", "1");
    const tip = await deleteFork("try");
    expect(existsSync(forkSocket("try"))).toBe(false);
    for (const place of ["forks", "journal", "store.git/refs/heads", "store.git/xenstore-tng/seq"]) {
      const names = readdirSync(join(directory, "state", place));
      expect([place, names.filter((name) => name.startsWith("try"))]).toEqual([place, []]);
    }
    expect(await mustXs("branches")).not.toContain("try");
    await mustXs("fork", "try", "--from", tip);
    expect(await (await connectFork("try")).must("READ", ["/a"])).toBe("1");
  });

  it("is not haunted by an earlier one whose journal came back after a power cut", async () => {
    await mustXs("fork", "try");
    await write(await connectFork("try"), "/a", "1");
    const journal = join(directory, "state", "journal", "try");
    const lines = readdirSync(journal).map((name) => [name, readFileSync(join(journal, name))] as const);
    await deleteFork("try");
    mkdirSync(journal);
    for (const [name, content] of lines) writeFileSync(join(journal, name), content);
    await mustXs("fork", "try");
    expect(await (await connectFork("try")).ask("READ", ["/a"])).toBe("ENOENT");
  });

  it("that a crash kept from being deleted, or made, is deleted, or made, at the next start", async () => {
    await write(client, "/a", "1");
    await mustXs("fork", "gone");
    await write(await connectFork("gone"), "/a", "2");
    await mustXs("fork", "made");
    await daemon.kill("SIGKILL");
    writeFileSync(noteFile("gone"), JSON.stringify({ ...note("gone"), isDeleted: true }));
    git("update-ref", "-d", "refs/heads/made");
    await start();
    expect(await (await connectForkAgain("made")).must("READ", ["/a"])).toBe("1");
    for (let tries = 0; tries < 100 && existsSync(noteFile("gone")); tries++) await delay(50);
    expect(await mustXs("branches")).not.toContain("gone");
    expect(existsSync(join(directory, "state", "journal", "gone"))).toBe(false);
    expect(git("for-each-ref", "--format=%(refname:short)")).toBe("made\nmain");
  });

  it("is made once, also by who asks for its name while the daemon starts", async () => {
    await write(client, "/a", "1");
    await mustXs("fork", "a");
    await mustXs("fork", "zz");
    await daemon.kill("SIGKILL");
    git("update-ref", "-d", "refs/heads/zz");
    await start();
    const { code, err } = await xs("fork", "zz");
    expect([code, err]).toEqual([2, expect.stringMatching(/there is a fork zz already/)]);
    expect(await mustXs("branches", "--json")).toContain('"name":"zz"');
    const fork = await connectForkAgain("zz");
    for (let value = 0; value < 50; value++) await write(fork, "/a", String(value));
    await daemon.kill("SIGKILL");
    await start();
    expect(await (await connectForkAgain("zz")).must("READ", ["/a"])).toBe("49");
  });

  it("that somebody moved with Git is not served, and main is", async () => {
    await mustXs("fork", "try");
    await write(await connectFork("try"), "/a", "theirs");
    for (const value of ["1", "2", "3"]) await write(client, "/a", value);
    await client.must("CONTROL", ["flush"]);
    await daemon.kill("SIGTERM");
    const tip = git("rev-parse", "try");
    git("update-ref", "refs/heads/try", "main");
    await start();
    await daemon.logged("a fork cannot be served: refs/heads/try does not lead back to");
    expect(await client.must("READ", ["/a"])).toBe("3");
    expect(await mustXs("branches")).toMatch(/not served: refs\/heads\/try does not lead back/);
    expect((await xs("--fork", "try", "rollback", "HEAD~1")).err).toMatch(/the fork try is not served/);
    await daemon.kill("SIGTERM");
    git("update-ref", "refs/heads/try", tip);
    await start();
    expect(await (await connectForkAgain("try")).must("READ", ["/a"])).toBe("theirs");
  });

  it("whose branch somebody removed is listed as one that is not recorded, and can be deleted", async () => {
    await mustXs("fork", "try");
    await mustXs("fork", "z");
    git("branch", "-q", "-D", "try");
    const fork = await connectFork("try");
    await write(fork, "/a", "1");
    await daemon.logged("the recorder has stopped for good");
    // As main does: the journal has it.
    await write(fork, "/a", "2");
    const { out: told, err } = await xs("branches");
    expect(err).toMatch(/^xs: warning: fork try: the history is not complete: refs\/heads\/try is absent/);
    expect(told.match(/^\S+/gm)).toEqual(["main", "try", "z"]);
    expect(told).toMatch(/^try {2}not recorded: its branch is gone; .*\n {4}fork of .*, served on /m);
    expect(jsonOf((await xs("branches", "--json")).out)).toMatchObject([
      {},
      { name: "try", fork: { name: "try" } },
      {},
    ]);
    await mustXs("fork", "try", "--delete");
    expect(await mustXs("branches")).not.toContain("try");
  });

  it("whose name is too long for its sockets is refused with how long it may be", async () => {
    await daemon.kill("SIGTERM");
    directory = join(directory, "x".repeat(70 - directory.length));
    mkdirSync(directory);
    await start();
    const most = 107 - join(daemon.runDirectory, "branches", ".domains/65535").length;
    const { code, err } = await xs("fork", "x".repeat(most + 3));
    expect([code, err]).toEqual([2, expect.stringContaining(`a name of at most ${String(most)} characters`)]);
    await mustXs("fork", "x".repeat(most));
  });

  it("whose notes cannot be read keeps nobody from main", async () => {
    await daemon.kill("SIGTERM");
    writeFileSync(join(directory, "state", "forks"), "");
    await start();
    await write(client, "/a", "1");
    expect((await xs("fork", "try")).code).toBe(1);
  });

  it("refuses what makes no sense, says what would, and leaves nothing behind", async () => {
    await mustXs("fork", "try");
    await mustXs("tag", "v1");
    git("branch", "own", "main");
    for (const [words, message] of [
      [["fork", "try"], /there is a fork try already/],
      [["fork", "v1"], /a tag v1, which would hide/],
      [["fork", "own"], /a branch own already, which is no fork/],
      [["fork", "main"], /cannot be called main/],
      [["fork", "../evil"], /can be no fork's name: write letters/],
      [["fork", "a.domains"], /can be no fork's name/],
      [["fork", "x".repeat(65)], /can be no fork's name/],
      [["fork", "x".repeat(201)], /can be no fork's name/],
      [["fork", ""], /name is not empty/],
      [["merge", ""], /name is not empty/],
      [["fork", "x", "--from", "nowhere"], /nowhere/],
      [["fork", "nobody", "--delete"], /there is no fork nobody: xs branches/],
      [["merge", "nobody"], /there is no fork nobody: xs branches/],
      [["--fork", "try", "merge", "try"], /merged into main and into no other/],
      [["--fork", "nobody", "rollback", "HEAD"], /there is no fork nobody: xs branches/],
      [["--fork", "nobody", "log", "--failures"], /there is no fork nobody: xs branches/],
      [["--fork", "nobody", "read", "/a"], /there is no fork nobody that is served: xs branches/],
      [["--fork", "../socket", "read", "/a"], /can be no fork's name/],
    ] as const) {
      const { code, err } = await xs(...words);
      expect([words, code, err]).toEqual([words, 2, expect.stringMatching(message)]);
    }
    expect(readdirSync(join(directory, "state", "forks"))).toEqual(["try.json"]);
    expect(readdirSync(join(daemon.runDirectory, "branches")).sort()).toEqual(["try", "try.domains"]);
  });
});

describe("xs merge", () => {
  beforeEach(async () => {
    for (const path of ["/a", "/b", "/c"]) await write(client, path, "1");
    await mustXs("fork", "try");
  });

  it("brings what was done there into main in a commit with two parents, and fires watches for what differs", async () => {
    const fork = await connectFork("try");
    await write(fork, "/a", "2");
    await write(fork, "/d/e", "2");
    await fork.must("RM", ["/c"]);
    await write(client, "/b", "3");
    await client.must("WATCH", ["/", "t"]);
    await client.event();
    expect(await mustXs("merge", "try", "--dry-run")).toMatch(/4 changes, none made\n$/);
    expect(await mustXs("merge", "try")).toBe("merged try@{7}: 4 changes, in @{6}\n");
    const events = [await client.event(), await client.event(), await client.event(), await client.event()];
    expect(events.map(({ path }) => path).sort()).toEqual(["/a", "/c", "/d", "/d/e"]);
    const [a, b, c, e] = await Promise.all(["/a", "/b", "/c", "/d/e"].map((path) => client.ask("READ", [path])));
    expect([a, b, c, e]).toEqual(["2", "3", "ENOENT", "2"]);
    expect(parentsOf("main")).toEqual([git("rev-parse", "main~1"), git("rev-parse", "try")]);
    expect(git("log", "-1", "--format=%s", "main")).toBe("dom0: MERGE try");
    expect(await mustXs("show", "HEAD")).toContain(`merged      ${git("rev-parse", "try")}\n`);
    expect([git("fsck", "--strict"), await client.must("CONTROL", ["check"])]).toEqual(["", "OK"]);
    expect(await mustXs("branches")).toContain("merged last in @{6}");
    expect(await mustXs("merge", "try")).toMatch(/^try has nothing new since it was merged in @\{6\}: /);
    expect(await deleteFork("try")).toBe(git("rev-parse", "main^2"));
    git("gc", "--prune=now", "--quiet");
    expect(git("fsck", "--strict")).toBe("");
  });

  it("changes nothing in a conflict, unless it is told whom to prefer", async () => {
    const fork = await connectFork("try");
    await write(fork, "/a", "theirs");
    await fork.must("RM", ["/b"]);
    await write(client, "/a", "ours");
    await write(client, "/b", "ours");
    const before = (await mustXs("log", "-n", "1")).slice(0, 50);
    const { code, err } = await xs("merge", "try");
    expect([code, err.split("\n").slice(1, 3)]).toEqual([
      1,
      ["  /a: both changed its value", "  /b: main changed what try removed"],
    ]);
    expect((await mustXs("log", "-n", "1")).slice(0, 50)).toBe(before);
    expect(await client.must("READ", ["/a"])).toBe("ours");
    const ours = await xs("merge", "try", "--ours");
    expect([ours.code, ours.out, ours.err]).toEqual([
      0,
      "merged try@{6}: 0 changes, in @{7}\n",
      "xs: settled: /a: both changed its value\nxs: settled: /b: main changed what try removed\n",
    ]);
    expect(parentsOf("main")).toEqual([git("rev-parse", "main~1"), git("rev-parse", "try")]);
    // It begins where the last merge ended: what was settled then is no conflict any more.
    await write(fork, "/c", "theirs");
    expect(await mustXs("merge", "try")).toBe("merged try@{7}: 1 change, in @{8}\n");
    expect(await client.must("READ", ["/a"])).toBe("ours");
    await write(fork, "/a", "theirs again");
    await write(client, "/a", "ours again");
    expect((await xs("merge", "try")).code).toBe(1);
    expect((await xs("merge", "try", "--theirs")).code).toBe(0);
    expect(await client.must("READ", ["/a"])).toBe("theirs again");
    expect((await xs("merge", "try", "--ours", "--theirs")).code).toBe(2);
  });

  it("knows its last merge also where the daemon died before it had taken it down", async () => {
    const fork = await connectFork("try");
    await write(fork, "/a", "2");
    await mustXs("merge", "try");
    const { merge, ...rest } = note("try") as { merge: { tip: string; seq: number } };
    await write(client, "/a", "3");
    await daemon.kill("SIGKILL");
    writeFileSync(noteFile("try"), JSON.stringify({ ...rest, pending: { tip: merge.tip, after: merge.seq - 1 } }));
    await start();
    await write(await connectForkAgain("try"), "/b", "2");
    // Merged from where it began, `/a` would be in conflict.
    expect(await mustXs("merge", "try")).toMatch(/: 1 change, in @\{\d+\}\n$/);
    expect(await client.must("READ", ["/a"])).toBe("3");
    expect(note("try")).toMatchObject({ merge: { tip: git("rev-parse", "try") } });
    expect(note("try")).not.toHaveProperty("pending");
  });

  it("one after the other, and what was done between two of them stays done", async () => {
    const fork = await connectFork("try");
    await write(fork, "/new", "theirs");
    const merges = await Promise.all([xs("merge", "try"), xs("merge", "try"), xs("merge", "try")]);
    expect(merges.map(({ out }) => out.replace(/\{\d+\}/g, "")).sort()).toEqual([
      "merged try@: 1 change, in @\n",
      "nothing differs: nothing was done\n",
      "nothing differs: nothing was done\n",
    ]);
    await client.must("RM", ["/new"]);
    await write(fork, "/other", "theirs");
    expect(await mustXs("merge", "try")).toMatch(/: 1 change/);
    expect(await client.ask("READ", ["/new"])).toBe("ENOENT");
  });

  it("keeps what main has of a value that was kept out of the history", async () => {
    await mustXs("fork", "try", "--delete");
    await daemon.kill("SIGTERM");
    await start("--redact", "/secret/**");
    await write(client, "/secret/pw", "hunter2");
    await mustXs("fork", "try");
    const fork = await connectFork("try");
    expect(await fork.must("READ", ["/secret/pw"])).toBe("");
    await fork.must("SET_PERMS", ["/secret/pw", "n0", "r7"]);
    await write(client, "/secret/pw", "hunter3");
    expect(await mustXs("merge", "try")).toMatch(/: 1 change/);
    expect(await client.must("READ", ["/secret/pw"])).toBe("hunter3");
    expect(await client.must("GET_PERMS", ["/secret/pw"])).toBe("n0\0r7");
    await write(fork, "/secret/pw", "theirs");
    expect((await xs("merge", "try", "--theirs")).code).toBe(0);
    expect(await client.must("READ", ["/secret/pw"])).toBe("hunter3");
  });

  it("offers no choice where only what names a released domain is in conflict, and says which domain", async () => {
    await client.must("INTRODUCE", ["7", "1", "1"]);
    await mustXs("fork", "guests");
    const fork = await connectFork("guests");
    await write(fork, "/d", "1");
    await fork.must("SET_PERMS", ["/d", "n0", "r7"]);
    await client.must("RELEASE", ["7"]);
    const { code, err } = await xs("merge", "guests");
    expect([code, err]).toEqual([1, expect.stringMatching(/^ {2}\/d: guests names domain 7, which main released$/m)]);
    expect(err).toMatch(/must not get its rights back/);
    expect(err).not.toContain("--theirs");
    await write(client, "/a", "main");
    await write(fork, "/a", "guests");
    expect((await xs("merge", "guests")).err).toMatch(
      /choose with --ours or --theirs; besides, a domain that was released/,
    );
  });

  it("of a fork of a fork brings what that one began with, too, and Git sees the same base", async () => {
    await write(await connectFork("try"), "/x", "1");
    await mustXs("--fork", "try", "fork", "b");
    await write(await connectFork("b"), "/x/y", "2");
    expect(git("merge-base", "main", "b")).toBe(git("rev-parse", "main"));
    expect(await mustXs("merge", "b")).toMatch(/: 2 changes, in /);
    expect([await client.must("READ", ["/x"]), await client.must("READ", ["/x/y"])]).toEqual(["1", "2"]);
    // What the first one has is in main by now.
    expect(git("merge-base", "main", "try")).toBe(git("rev-parse", "try"));
    expect(await mustXs("merge", "try")).toMatch(
      /^try has nothing new since it was merged in @\{5\}: nothing was done/,
    );
    await write(await connectFork("try"), "/x", "3");
    expect(await mustXs("merge", "try")).toMatch(/: 1 change, in /);
  });

  it("of a fork that was made again brings what was never merged", async () => {
    await write(await connectFork("try"), "/x", "1");
    const tip = await deleteFork("try");
    await mustXs("fork", "again", "--from", tip);
    expect(await mustXs("merge", "again")).toMatch(/: 1 change, in /);
    expect(await client.must("READ", ["/x"])).toBe("1");
  });

  it("does nothing where main has undone what was merged, and says so", async () => {
    await write(await connectFork("try"), "/x", "1");
    await mustXs("merge", "try");
    await mustXs("rollback", "HEAD~1");
    expect(await mustXs("merge", "try")).toBe(
      "try has nothing new since it was merged in @{5}: nothing was done " +
        "(what main undid since, xs revert of the commit that undid it brings back)\n",
    );
    await mustXs("revert", "HEAD");
    expect(await mustXs("merge", "try")).toBe("nothing differs: nothing was done\n");
  });

  it("takes domains along", async () => {
    const fork = await connectFork("try");
    await fork.must("INTRODUCE", ["7", "1", "1"]);
    await mustXs("merge", "try");
    const guest = await daemon.connectGuest(7);
    expect(await guest.must("GET_DOMAIN_PATH", ["7"])).toBe("/local/domain/7");
  });

  it("gives nothing that was meant for a domain to the next with its number, introduced alike (XSA-322)", async () => {
    await client.must("INTRODUCE", ["5", "1", "1"]);
    await write(client, "/secret", "main's");
    await mustXs("fork", "f");
    const fork = await connectFork("f");
    await fork.must("SET_PERMS", ["/secret", "n0", "r5"]);
    await write(fork, "/secret", "for the old five");
    await client.must("RELEASE", ["5"]);
    await client.must("INTRODUCE", ["5", "1", "1"]);
    const { code, err } = await xs("merge", "f");
    expect([code, err]).toEqual([1, expect.stringContaining("  /secret: f names domain 5, which main released")]);
    const guest = await daemon.connectGuest(5);
    expect(await guest.ask("READ", ["/secret"])).toBe("EACCES");
  });
});

describe("another host's state", () => {
  it("xs load --fork makes a fork of a listing, and leaves main alone", async () => {
    await write(client, "/a", "1");
    const real = join(import.meta.dirname, "..", "fixtures", "xenstore-ls", "perms-pvh.txt");
    const { code, out } = await xs("load", real, "--skip-bad-lines", "--fork", "theirs");
    expect([code, out]).toEqual([0, expect.stringMatching(/^loaded \d{2,} nodes: /)]);
    const fork = await connectFork("theirs");
    expect([await fork.ask("READ", ["/a"]), await client.must("READ", ["/a"])]).toEqual(["ENOENT", "1"]);
    expect(jsonOf(await mustXs("ls", "/local/domain", "--at", "theirs", "--json"))).not.toEqual([]);
    // Into one that is there it loads again.
    expect((await xs("load", real, "--skip-bad-lines", "--fork", "theirs")).out).toMatch(/nothing was done/);
  });

  it("a trace is replayed on a fork of the state before it, and changes main no more", async () => {
    await daemon.kill("SIGTERM");
    const trace = join(directory, "trace.json");
    await start("--trace", trace);
    await write(client, "/a", "before");
    await mustXs("tag", "before");
    await client.must("INTRODUCE", ["7", "1", "1"]);
    const guest = await daemon.connectGuest(7);
    await client.must("MKDIR", ["/local/domain/7/data"]);
    await client.must("SET_PERMS", ["/local/domain/7/data", "n7"]);
    await write(guest, "data/x", "1");
    expect(await client.must("READ", ["/a"])).toBe("before");
    guest.destroy();
    await daemon.kill("SIGTERM");
    await start();
    const before = git("rev-parse", "main");
    await mustXs("fork", "again", "--from", "before");
    const report = await runReplay({
      file: trace,
      life: undefined,
      target: { kind: "run", directory: daemon.runDirectory, fork: "again" },
      speed: Infinity,
      copies: 1,
      staggerMilliseconds: 0,
      view: undefined,
      note: () => undefined,
      signal: new AbortController().signal,
    });
    expect(report.requests).toBeGreaterThan(4);
    expect(await mustXs("read", "/local/domain/7/data/x", "--at", "again")).toBe("1\n");
    expect(git("rev-parse", "main")).toBe(before);
  });
});
