/**
 * The admin socket of the real daemon, and the commands of `xs` that use it: they see what was acknowledged, change the store
 * as any client would, and no guest comes near them.
 */
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildDaemon } from "../support/built-daemon.js";
import { adminSocketOf, commandsOn } from "../support/daemon-commands.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { resultOf, type WireClient } from "../support/wire-client.js";
import { jsonOf, programHarness } from "../unit/clients/cli/program-harness.js";

let command: readonly string[];
let daemon: DaemonProcess;
let directory: string;
let client: WireClient;

async function start({ hasConsole = true } = {}): Promise<void> {
  daemon = await startDaemon({ directory, hasConsole, command });
  client = await daemon.connect();
}

beforeAll(() => {
  command = buildDaemon(temporaryDirectory());
});

beforeEach(async () => {
  directory = temporaryDirectory();
  await start();
});

afterEach(async () => {
  await daemon.stop();
});

const { xs, mustXs, git } = commandsOn(() => daemon);

async function write(path: string, value: string): Promise<void> {
  expect(resultOf(await client.call("WRITE", `${path}\0${value}`))).toBe("OK");
}

async function nextEvent(): Promise<string> {
  const { path, token } = await client.event();
  return `${path} ${token}`;
}

describe("xs rollback", () => {
  it("makes the store as it was in a commit that Git agrees about, and fires watches for what differs", async () => {
    await write("/a/b", "1");
    await write("/keep", "1");
    await mustXs("tag", "good");
    await write("/a/b", "2");
    await write("/a/new", "2");
    await client.must("WATCH", ["/", "t"]);
    await nextEvent();
    expect(await mustXs("rollback", "good", "--dry-run")).toBe(
      '~ /a/b\n    - "2"\n    + "1"\n- /a/new = "2"  (n0)\n2 changes, none made\n',
    );
    const out = await mustXs("rollback", "good");
    expect(out).toMatch(/^rolled back to @\{3\}: 2 changes, in @\{6\}\n$/);
    expect([await nextEvent(), await nextEvent()].sort()).toEqual(["/a/b t", "/a/new t"]);
    expect(await client.must("READ", ["/a/b"])).toBe("1");
    expect(git("rev-parse", "main^{tree}")).toBe(git("rev-parse", "good^{tree}"));
    expect(git("log", "-1", "--format=%an %s%n%b", "main")).toMatch(
      /^dom0 dom0: ROLLBACK \/\nROLLBACK \/ @\{3\} [0-9a-f]{40}\n/,
    );
    expect(await mustXs("rollback", "good")).toBe("nothing differs: nothing was done\n");
  });

  it("of a path leaves all else alone, and survives the daemon's sudden death", async () => {
    await client.must("INTRODUCE", ["7", "1", "1"]);
    await write("/local/domain/7/state", "1");
    await write("/other", "1");
    await write("/local/domain/7/state", "6");
    await write("/other", "2");
    expect(await mustXs("rollback", "@{3}", "/local/domain/7")).toMatch(/^rolled \/local\/domain\/7 back to @\{3\}: 1/);
    await daemon.kill("SIGKILL");
    await start();
    expect(await client.must("READ", ["/local/domain/7/state"])).toBe("1");
    expect(await client.must("READ", ["/other"])).toBe("2");
    expect(await client.must("CONTROL", ["check"])).toBe("OK");
    expect(git("fsck", "--strict")).toBe("");
  });

  it("takes domains along: a guest that was not there loses its connection, one that was is served again", async () => {
    await client.must("INTRODUCE", ["5", "1", "1"]);
    await mustXs("tag", "five");
    await client.must("RELEASE", ["5"]);
    await client.must("INTRODUCE", ["7", "1", "1"]);
    const guest = await daemon.connectGuest(7);
    await mustXs("rollback", "five");
    await guest.closed;
    expect(existsSync(join(daemon.runDirectory, "domains", "7"))).toBe(false);
    const five = await daemon.connectGuest(5);
    expect(await five.must("GET_DOMAIN_PATH", ["5"])).toBe("/local/domain/5");
  });

  it("is worked out while clients write, and the state that it commits is the one that it names", async () => {
    for (let index = 0; index < 20; index++) await write(`/a/${String(index)}`, "1");
    await mustXs("tag", "then");
    let isDone = false;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      const own = await daemon.connect();
      for (let count = 0; !isDone; count++) {
        const path = `/a/${String((writer * 5 + count) % 25)}`;
        expect(resultOf(await own.call("WRITE", `${path}\0${String(count)}`))).toBe("OK");
      }
    });
    const commits: string[] = [];
    for (let round = 0; round < 5; round++) {
      const answer = jsonOf(await mustXs("--json", "rollback", "then")) as {
        readonly commit: { readonly oid: string };
      };
      commits.push(answer.commit.oid);
    }
    isDone = true;
    await Promise.all(writers);
    const tree = git("rev-parse", "then^{tree}");
    expect(commits.map((oid) => git("rev-parse", `${oid}^{tree}`))).toEqual(commits.map(() => tree));
    // It is about what is committed, and clients that never pause leave the console little of processors that others keep busy too.
  }, 120_000);
});

describe("xs bisect --run", () => {
  it("judges what the daemon has acknowledged a moment ago", async () => {
    for (let count = 1; count <= 9; count++) await write("/count", String(count));
    // The answer is in the socket's directory alone, so the daemon's own state would always be 9.
    const reads = `"${process.execPath}" --import tsx clients/cli/main.ts read /count`;
    const { code, out } = await xs("--json", "bisect", "--run", `test "$(${reads} || echo 0)" -lt 6`);
    expect(code).toBe(0);
    expect(jsonOf(out)).toMatchObject({
      bad: { seq: 10 },
      first: { changes: [{ path: "/count", after: { value: "6" } }] },
    });
  });
});

describe("what the history has not got", () => {
  it("is warned of, also where a question is refused for it", async () => {
    await write("/there", "1");
    expect(await mustXs("read", "/there", "--at", "HEAD")).toBe("1\n");
    writeFileSync(join(daemon.repository, "refs", "heads", "main.lock"), "");
    await write("/late", "1");
    const behind = /^xs: warning: the history is not complete: .*main\.lock/;
    const log = await xs("log", "-n", "1");
    expect([log.code, log.out]).toEqual([0, expect.stringContaining("WRITE /there")]);
    expect(log.err).toMatch(behind);
    const refused = await xs("log", "/late");
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(behind);
    rmSync(join(daemon.repository, "refs", "heads", "main.lock"));
  });
});

describe("xs revert", () => {
  it("undoes one commit and leaves what came since; in conflict it changes nothing and lists the paths", async () => {
    await write("/a", "1");
    await write("/b", "1");
    await write("/a", "2");
    expect(await mustXs("revert", "@{3}")).toBe("reverted @{3}: 1 change, in @{5}\n");
    expect(await client.must("READ", ["/a"])).toBe("2");
    expect(await client.ask("READ", ["/b"])).toBe("ENOENT");
    const seq = git("log", "-1", "--format=%s", "main");
    const { code, out, err } = await xs("revert", "@{2}");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toBe(
      "xs: @{2} cannot be undone: what it changed has changed since\n  /a: a later commit changed what the undoing removed\n",
    );
    expect(git("log", "-1", "--format=%s", "main")).toBe(seq);
  });

  it("gives nothing that was a domain's to the next with its number, introduced alike (XSA-322)", async () => {
    await client.must("INTRODUCE", ["5", "1", "1"]);
    await write("/s2", "for the old five");
    await client.must("SET_PERMS", ["/s2", "n0", "r5"]);
    await client.must("RM", ["/s2"]);
    await client.must("CONTROL", ["flush"]);
    const then = git("rev-parse", "main^{tree}");
    await client.must("RELEASE", ["5"]);
    await client.must("INTRODUCE", ["5", "1", "1"]);
    const { code, err } = await xs("revert", "HEAD~2");
    expect([code, err]).toEqual([1, expect.stringContaining("/s2")]);
    const guest = await daemon.connectGuest(5);
    expect(await guest.ask("READ", ["/s2"])).not.toContain("old five");
    // A rollback goes back to the old five: whoever is connected is another.
    await guest.must("WATCH", ["@releaseDomain", "t"]);
    expect(await mustXs("rollback", "HEAD~2")).toContain("1 change");
    await client.must("CONTROL", ["flush"]);
    expect(git("rev-parse", "main^{tree}")).toBe(then);
    await guest.must("WATCH", ["@releaseDomain", "t"]);
  });
});

describe("the admin socket", () => {
  it("shows what was acknowledged a moment ago", async () => {
    for (let index = 0; index < 5; index++) {
      await write("/a", String(index));
      const [line] = (await mustXs("log", "-n", "1", "/a")).split("\n");
      expect(line).toContain(`@{${String(index + 2)}}`);
      expect(await mustXs("show")).toContain(`"${String(index)}"`);
    }
    expect(await mustXs("branches")).toMatch(/^main {2}@\{6\}/);
  });

  it("answers a revision, a path or a tag that makes no sense with exit code 2", async () => {
    for (const words of [
      ["rollback", "nowhere"],
      ["rollback", "HEAD", "relative"],
      ["revert", "@{1}"],
      ["tag", "a..b"],
      ["show", "@{77}"],
      ["log", "/never"],
    ]) {
      const { code, out, err } = await xs(...words);
      expect([words, code, out]).toEqual([words, 2, ""]);
      expect(err).toMatch(/^xs: .+: .+\n$/);
    }
  });

  it("is for the daemon's user alone, and no guest gets at it over its own socket", async () => {
    expect(statSync(adminSocketOf(daemon)).mode & 0o777).toBe(0o600);
    expect(statSync(daemon.runDirectory).mode & 0o777).toBe(0o700);
    await client.must("INTRODUCE", ["7", "1", "1"]);
    const guest = await daemon.connectGuest(7);
    expect(await guest.ask("CONTROL", ["flush"])).toBe("EACCES");
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(join(daemon.runDirectory, "domains", "7"));
      let text = "";
      socket.setEncoding("latin1");
      socket.on("data", (chunk) => (text += String(chunk)));
      socket.on("close", () => {
        resolve(text);
      });
      socket.on("error", reject);
      socket.write("GET /v1/log HTTP/1.1\r\nHost: x\r\n\r\n");
    });
    expect(answer).not.toContain("HTTP/");
    expect(await client.must("READ", ["/tool"])).toBe("");
  });

  it("is not there with --no-admin, and what needs it says so; the history can be read from its files", async () => {
    await write("/a", "1");
    await daemon.kill("SIGTERM");
    await start({ hasConsole: false });
    expect(existsSync(adminSocketOf(daemon))).toBe(false);
    const { code, err } = await xs("rollback", "@{1}");
    expect([code, err]).toEqual([2, expect.stringContaining("this needs a running daemon, and there is no")]);
  });

  it("is served again after the daemon was killed and left its socket behind", async () => {
    await write("/a", "1");
    await daemon.kill("SIGKILL");
    expect(existsSync(adminSocketOf(daemon))).toBe(true);
    await start();
    expect(await mustXs("log", "-n", "1")).toContain("WRITE /a");
  });
});

describe("/metrics", () => {
  const scrape = (): Promise<{ readonly status: number; readonly text: string }> =>
    new Promise((resolve, reject) => {
      const options = { socketPath: adminSocketOf(daemon), path: "/metrics" };
      get(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, text });
        });
      }).on("error", reject);
    });

  it("tells what clients did", async () => {
    await write("/a", "1");
    await client.call("READ", "/nowhere\0");
    await client.must("WATCH", ["/a", "t"]);
    await nextEvent();
    const { status, text } = await scrape();
    expect(status).toBe(200);
    const samples = text.split("\n").filter((line) => !line.startsWith("#"));
    for (const sample of [
      'xenstored_requests_total{operation="WRITE",outcome="ok"} 1',
      'xenstored_requests_total{operation="READ",outcome="ENOENT"} 1',
      'xenstored_request_duration_seconds_count{operation="WATCH"} 1',
      'xenstored_watch_events_total{fate="sent"} 1',
      'xenstored_connections{kind="dom0"} 1',
      "xenstored_watches 1",
      "xenstored_history_failing 0",
    ])
      expect(samples).toContain(sample);
    const figure = (name: string): number => Number(samples.find((line) => line.startsWith(`${name} `))?.split(" ")[1]);
    expect(figure("xenstored_commits_total")).toBeGreaterThanOrEqual(1);
    expect(figure("xenstored_journal_append_duration_seconds_count")).toBeGreaterThanOrEqual(1);
    expect(figure("process_resident_memory_bytes")).toBeGreaterThan(1e7);
    expect(figure("process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(Math.abs(figure("process_start_time_seconds") - Date.now() / 1000)).toBeLessThan(600);
  });

  it("is not there with --no-metrics", async () => {
    await daemon.kill("SIGTERM");
    daemon = await startDaemon({ directory, hasConsole: true, command, flags: ["--no-metrics"] });
    const { status, text } = await scrape();
    expect([status, text]).toEqual([404, expect.stringContaining("--no-metrics")]);
  });
});

describe("xs load", () => {
  it("brings back what xs dump printed, in one commit, and real listings out of bug reports", async () => {
    await write("/a/b", "caf\xc3\xa9\n");
    await write("/a/c", '"');
    const listing = join(directory, "listing");
    writeFileSync(listing, await mustXs("dump"), "latin1");
    const before = git("rev-parse", "main^{tree}");
    await client.must("RM", ["/a"]);
    await write("/other", "1");
    expect(await mustXs("load", listing)).toMatch(/^loaded 5 nodes: 4 changes, in @\{6\}\n$/);
    expect(git("rev-parse", "main^{tree}")).toBe(before);
    const real = join(import.meta.dirname, "..", "fixtures", "xenstore-ls", "perms-pvh.txt");
    const { code, out } = await xs("load", real, "--skip-bad-lines");
    expect([code, out]).toEqual([0, expect.stringMatching(/^loaded \d{2,} nodes: /)]);
    expect(await client.must("CONTROL", ["check"])).toBe("OK");
    expect((await xs("load", "/nowhere")).code).toBe(2);
  });

  it("with --path leaves alone all that is elsewhere, also where the listing has it", async () => {
    for (const path of ["/g/7/state", "/g/7/new", "/g/8/state"]) await write(path, "1");
    const listing = join(directory, "listing");
    writeFileSync(listing, await mustXs("dump"), "latin1");
    await client.must("RM", ["/g/7/new"]);
    for (const path of ["/g/7/state", "/g/7/newer", "/g/8/state", "/g/9"]) await write(path, "2");
    const { code, out, err } = await xs("load", listing, "--path", "/g/7");
    expect([code, out]).toEqual([0, expect.stringMatching(/^loaded 3 nodes: 3 changes, in /)]);
    expect(err).toContain("nodes are not below /g/7: left out\n");
    const nodes = ["/g/7/state", "/g/7/new", "/g/7/newer", "/g/8/state", "/g/9"];
    const values = await Promise.all(nodes.map((path) => client.ask("READ", [path])));
    expect(values).toEqual(["1", "1", "ENOENT", "2", "2"]);
    expect((await xs("load", listing, "--path", "/g/10")).err).toMatch(/but none below \/g\/10/);
    writeFileSync(listing, `# ${"x".repeat(19_000_000)}\n`);
    expect(await xs("load", listing)).toMatchObject({ code: 2, err: expect.stringContaining("in parts") as string });
  });
});

describe("what no commit tells", () => {
  it("xs log --failures lists what failed, also before the daemon's last start", async () => {
    await client.must("INTRODUCE", ["7", "1", "1"]);
    const guest = await daemon.connectGuest(7);
    for (let count = 0; count < 3; count++) await guest.ask("READ", ["/tool/xenstored"]);
    expect(await client.ask("READ", ["/nowhere"])).toBe("ENOENT");
    const before = await mustXs("log", "--failures");
    expect(before).toMatch(/^@\{2\} {2}\S+ {2}ENOENT {2}dom0 socket-\d+: READ \/nowhere\n@\{2\} .* 3 times\n$/);
    await daemon.kill("SIGTERM");
    await start();
    expect(await mustXs("log", "--failures")).toBe(before);
    const [guestsOwn] = (await mustXs("--json", "log", "--failures", "--domain", "7")).split("\n");
    expect(jsonOf(guestsOwn ?? "")).toMatchObject({ domain: 7, error: "EACCES", count: 3, subject: "/tool/xenstored" });
  });

  it("xs log --failures lists all that are remembered, or as many as are asked for", async () => {
    await client.must("INTRODUCE", ["7", "1", "1"]);
    const guest = await daemon.connectGuest(7);
    const lines = async (...more: readonly string[]): Promise<number> =>
      (await mustXs("log", "--failures", ...more)).split("\n").length - 1;
    for (let count = 0; count < 100; count++) {
      await Promise.all(
        Array.from({ length: 10 }, (_, index) => client.ask("READ", [`/no/${String(count)}/${String(index)}`])),
      );
    }
    for (let count = 0; count < 50; count++) await guest.ask("READ", [`/tool/${String(count)}`]);
    expect(await lines()).toBe(1050);
    expect(await lines("-n", "1020")).toBe(1020);
    expect(await lines("-n", "200000", "/tool")).toBe(50);
  });

  /** Has a transaction read /a, and fail because of what is done meanwhile; returns its id. */
  async function failedTransaction(meanwhile: (other: WireClient) => Promise<unknown>): Promise<string> {
    const tx = await client.must("TRANSACTION_START", [""]);
    const options = { txId: Number(tx) };
    await client.ask("READ", ["/a"], options);
    expect(resultOf(await client.call("WRITE", "/b\x001", options))).toBe("OK");
    await meanwhile(await daemon.connect());
    expect(resultOf(await client.call("TRANSACTION_END", "T\0", options))).toBe("EAGAIN");
    return tx;
  }

  it("xs why names the commit that made a transaction end in EAGAIN, and not one that came after it", async () => {
    await write("/a", "1");
    const tx = await failedTransaction(async (other) => {
      for (const text of ["/a\x002", "/a/below\x00noise", "/noise\x00"]) {
        expect(resultOf(await other.call("WRITE", text))).toBe("OK");
      }
    });
    const out = await mustXs("why", tx);
    expect(out).toMatch(/^transaction \d+ of socket-\d+ \(domain 0\) ended in EAGAIN at /);
    expect(out).toContain("it was made from @{2}; at its end this would have been answered otherwise:\n    READ /a\n");
    expect(out).toMatch(/because of\n {4}@\{3\} .* dom0: WRITE \/a\n/);
    expect(out).toMatch(/ {5}1 {2}\/a\n$/);
    expect((await xs("why", "4000000")).code).toBe(2);
    const elsewhere = await xs("why", tx, "--connection", "nosuch");
    expect([elsewhere.code, elsewhere.err]).toEqual([
      2,
      expect.stringMatching(/those with this id .* on socket-\d+\n$/),
    ]);
  });

  it("xs why tells the number of a commit that the history has no more", async () => {
    await write("/a", "1");
    const tx = await failedTransaction((other) => other.must("WRITE", ["/a", "2"]));
    await write("/a", "3");
    await client.must("CONTROL", ["compact", "@{4}"]);
    expect(await mustXs("why", tx)).toContain("because of\n    @{3}, which the history has no more\n");
  });

  it("xs why says that nobody can be told where a quota was full", async () => {
    await client.must("INTRODUCE", ["7", "1", "1"]);
    await client.must("MKDIR", ["/local/domain/7"]);
    await client.must("SET_PERMS", ["/local/domain/7", "n7"]);
    await client.must("SET_QUOTA", ["7", "nodes", "2"]);
    const guest = await daemon.connectGuest(7);
    const tx = await guest.must("TRANSACTION_START", [""]);
    const options = { txId: Number(tx) };
    expect(resultOf(await guest.call("WRITE", "own\x001", options))).toBe("OK");
    await client.must("MKDIR", ["/local/domain/7/given"]);
    expect(resultOf(await guest.call("TRANSACTION_END", "T\0", options))).toBe("EAGAIN");
    expect(await mustXs("why", tx, "--domain", "7")).toContain("the commit that changed it could not be told\n");
  });

  it("xs why-not tells that a watch was refused, and who was told", async () => {
    await client.must("INTRODUCE", ["7", "1", "1"]);
    const guest = await daemon.connectGuest(7);
    await guest.must("WATCH", ["/tool", "guest"]);
    await client.must("WATCH", ["/tool", "dom0"]);
    await write("/tool/x", "1");
    const out = await mustXs("why-not", "/tool/x", "--domain", "7");
    expect(out).toMatch(/on \/tool with token guest: it is refused, the domain may read neither/);
    expect(out).toMatch(/@\{3\} {2}socket-\d+ on \/tool with token dom0: sent\n/);
    expect(out).toMatch(/@\{3\} {2}domain-7-\d+ on \/tool with token guest: refused/);
    expect(out).toMatch(/@\{3\} .* dom0: WRITE \/tool\/x\n$/);
    expect(await mustXs("why-not", "/tool/none", "--domain", "0")).toMatch(
      /^there is no such node; [^]* on \/tool with token dom0: it would fire\n/,
    );
  });

  it("xs why-not tells what became of a commit's events above the node, and shows a token's bytes", async () => {
    await write("/a/b/c", "1");
    expect(resultOf(await client.call("WATCH", "/a\0tok\xff\0"))).toBe("OK");
    await client.must("RM", ["/a/b"]);
    const out = await mustXs("why-not", "/a/b/c", "--domain", "0");
    expect(out).toMatch(/ on \/a with token tok\\xff: it would fire\n/);
    expect(out).toMatch(/@\{3\} {2}socket-\d+ on \/a with token tok\\xff, of \/a\/b: sent\n/);
    expect(out).toMatch(/@\{3\} .* dom0: RM \/a\/b\n/);
    await client.must("CONTROL", ["compact", "@{3}"]);
    expect(await mustXs("why-not", "/a", "--domain", "0"), "what is left begins with it").toMatch(
      /the last commits that changed it, or what is below it\n {4}none\n$/,
    );
  });

  it("xs why-not tells of domains that come and go", async () => {
    await client.must("INTRODUCE", ["7", "1", "1"]);
    const guest = await daemon.connectGuest(7);
    await guest.must("WATCH", ["@introduceDomain", "guest"]);
    await client.must("INTRODUCE", ["8", "1", "1"]);
    const out = await mustXs("why-not", "@introduceDomain", "--domain", "7");
    expect(out).toMatch(/^domain 7 has 1 on it \(0 elsewhere\)\n/);
    expect(out).toMatch(/on @introduceDomain with token guest: it is refused, the domain may not read this\n/);
    expect(out).toMatch(/@\{3\} {2}domain-7-\d+ on @introduceDomain with token guest: refused/);
    expect(out).toMatch(/the commits that caused them\n {4}@\{3\} .* dom0: INTRODUCE 8\n$/);
  });

  it("xs log --follow shows each commit when it comes, and goes on when the daemon is started again", async () => {
    const harness = await programHarness();
    let seen: (out: string) => void = () => undefined;
    const shows = (text: string): Promise<void> =>
      new Promise((resolve) => {
        seen = (out) => {
          if (out.includes(text)) resolve();
        };
      });
    const files = { [adminSocketOf(daemon)]: "" };
    const words = ["--socket", daemon.socket, "log", "--follow"];
    const shown = shows("MKDIR /tool/xenstored");
    const running = harness.start(words, {
      files,
      onOutput: (out) => {
        seen(out);
      },
    });
    await shown;
    for (const path of ["/first", "/second"]) {
      const next = shows(`WRITE ${path}\n`);
      await write(path, "1");
      await next;
    }
    await daemon.kill("SIGKILL");
    await delay(300);
    await start();
    const next = shows("WRITE /third\n");
    await write("/third", "1");
    await next;
    running.interrupt();
    const { code, out, err } = await running.result;
    expect(code).toBe(130);
    expect(err).toMatch(/^xs: the daemon at \S+ does not answer: .*: waiting for it\n$/);
    expect([...out.matchAll(/^@\{([0-9]+)\}/gm)].map(([, seq]) => seq)).toEqual(["1", "2", "3", "4"]);
  });
});
