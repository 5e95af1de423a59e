/**
 * Debian's xenstore-utils, unmodified, as clients of the daemon; and the headline of the project, end to end.
 *
 * The tests of the plain tools run against a peer too, when `XENSTORE_PEER_COMMAND` names one: a test that a real
 * xenstored fails is wrong. `xenstore-control` is found by `XENSTORE_CONTROL`, in `PATH`, or in `~/.cache/xenstore-peers`.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  clientEnvironment,
  daemonsToTry,
  findProgram,
  startDaemon,
  type DaemonProcess,
} from "../support/daemon-process.js";

/** What a tool printed and how it ended. */
interface Run {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

function run(daemon: DaemonProcess, program: string, ...args: readonly string[]): Run {
  const result = spawnSync(program, args, { env: clientEnvironment(daemon), encoding: "latin1", timeout: 20_000 });
  if (result.error !== undefined) throw result.error;
  return { status: result.status, output: result.stdout, errors: result.stderr };
}

/** Runs a tool that must succeed, and returns what it printed. */
function output(daemon: DaemonProcess, program: string, ...args: readonly string[]): string {
  const { status, output: text, errors } = run(daemon, program, ...args);
  expect([program, ...args, status, errors]).toEqual([program, ...args, 0, ""]);
  return text;
}

/** A `xenstore-watch` that was started. */
interface Watcher {
  /** The next line that it prints. */
  line(): Promise<string>;
  /** Its exit code. */
  readonly ended: Promise<number | null>;
}

function watch(daemon: DaemonProcess, ...args: readonly string[]): Watcher {
  const child = spawn("xenstore-watch", args, { env: clientEnvironment(daemon), stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    line: async () => {
      const next = await lines.next();
      if (next.done === true) throw new Error("xenstore-watch printed no more");
      return next.value;
    },
    ended: once(child, "exit").then(([code]) => code as number | null),
  };
}

const tools = ["read", "write", "list", "ls", "rm", "exists", "chmod", "watch"].map((name) => `xenstore-${name}`);
const missing = ["xenstore", ...tools].filter((name) => findProgram(name, "") === undefined);
const skipTools = missing.length > 0;
const why = skipTools ? ` (skipped: not installed: ${missing.join(" ")}; they are in Debian's xenstore-utils)` : "";

describe.each(daemonsToTry())(`xenstore-utils against %s${why}`, (_name, { kind, start }) => {
  let daemon: DaemonProcess;
  beforeAll(async () => {
    daemon = await start();
  });
  afterAll(async () => {
    await daemon.stop();
  });

  test.skipIf(skipTools)("xenstore-write and xenstore-read: several keys, odd values, -p, -R, a missing key", () => {
    expect(output(daemon, "xenstore-write", "/rw/a", "v", "/rw/b", "two words")).toBe("");
    expect(output(daemon, "xenstore-read", "/rw/a", "/rw/b")).toBe("v\ntwo words\n");
    expect(output(daemon, "xenstore-read", "-p", "/rw/a")).toBe("/rw/a: v\n");
    output(daemon, "xenstore-write", "/rw/tab", "a\tb");
    expect(output(daemon, "xenstore-read", "/rw/tab")).toBe("a\\tb\n");
    expect(output(daemon, "xenstore-read", "-R", "/rw/tab")).toBe("a\tb");
    output(daemon, "xenstore-write", "/rw/large", "x".repeat(2000));
    expect(output(daemon, "xenstore-read", "/rw/large")).toBe(`${"x".repeat(2000)}\n`);
    output(daemon, "xenstore-write", "relative", "x");
    expect(output(daemon, "xenstore-read", "/local/domain/0/relative")).toBe("x\n");
    const failed = run(daemon, "xenstore-read", "/rw/none");
    expect(failed).toEqual({ status: 1, output: "", errors: "xenstore-read: couldn't read path /rw/none\n" });
  });

  test.skipIf(skipTools)("xenstore-list: names, -p, a missing node", () => {
    output(daemon, "xenstore-write", "/list/a", "1", "/list/b/c", "2");
    expect(output(daemon, "xenstore-list", "/list")).toBe("a\nb\n");
    expect(output(daemon, "xenstore-list", "-p", "/list")).toBe("/list/a\n/list/b\n");
    expect(run(daemon, "xenstore-list", "/list/none").status).toBe(1);
  });

  test.skipIf(skipTools)("xenstore-ls: a tree, -f, -p", () => {
    output(daemon, "xenstore-write", "/ls/a", "1", "/ls/b/c", "2");
    expect(output(daemon, "xenstore-ls", "/ls")).toBe('a = "1"\nb = ""\n c = "2"\n');
    expect(output(daemon, "xenstore-ls", "-f", "/ls")).toBe('/ls/a = "1"\n/ls/b = ""\n/ls/b/c = "2"\n');
    const withPerms = '/ls/a = "1"   (n0)\n/ls/b = ""   (n0)\n/ls/b/c = "2"   (n0)\n';
    expect(output(daemon, "xenstore-ls", "-f", "-p", "/ls")).toBe(withPerms);
  });

  // oxenstored 4.17 can neither list so much at once nor in parts.
  test.skipIf(skipTools || kind === "o")("xenstore-ls and xenstore-list: a directory over 4096 bytes", () => {
    const names = Array.from({ length: 120 }, (_each, index) => `${"n".repeat(40)}${String(index).padStart(3, "0")}`);
    output(daemon, "xenstore-write", ...names.flatMap((name) => [`/ls/big/${name}`, "x"]));
    expect(output(daemon, "xenstore-ls", "/ls/big")).toBe(names.map((name) => `${name} = "x"\n`).join(""));
    expect(output(daemon, "xenstore-list", "/ls/big")).toBe(names.map((name) => `${name}\n`).join(""));
  });

  test.skipIf(skipTools)("xenstore-exists: exit codes", () => {
    output(daemon, "xenstore-write", "/exists", "");
    expect(run(daemon, "xenstore-exists", "/exists").status).toBe(0);
    expect(run(daemon, "xenstore-exists", "/exists/none").status).toBe(1);
  });

  test.skipIf(skipTools)("xenstore-rm: a tree; -t removes empty parents too", () => {
    output(daemon, "xenstore-write", "/rm/a/b", "1", "/rm/c/d/e", "2", "/rm/keep", "3");
    output(daemon, "xenstore-rm", "/rm/a");
    expect(output(daemon, "xenstore-list", "/rm")).toBe("c\nkeep\n");
    output(daemon, "xenstore-rm", "-t", "/rm/c/d/e");
    expect(output(daemon, "xenstore-list", "/rm")).toBe("keep\n");
    expect(run(daemon, "xenstore-rm", "/rm/none/deep").status).toBe(1);
  });

  test.skipIf(skipTools)("xenstore-chmod: one node, -r for the tree, -u for the way up", () => {
    output(daemon, "xenstore-write", "/chmod/b/c", "v", "/chmod/x", "w");
    output(daemon, "xenstore-chmod", "/chmod/b", "n0", "r5");
    const one = '/chmod/b = ""   (n0,r5)\n/chmod/b/c = "v"   (n0)\n/chmod/x = "w"   (n0)\n';
    expect(output(daemon, "xenstore-ls", "-fp", "/chmod")).toBe(one);
    output(daemon, "xenstore-chmod", "-r", "/chmod", "b3");
    const all = '/chmod/b = ""   (b3)\n/chmod/b/c = "v"   (b3)\n/chmod/x = "w"   (b3)\n';
    expect(output(daemon, "xenstore-ls", "-fp", "/chmod")).toBe(all);
    output(daemon, "xenstore-chmod", "-u", "/chmod/b/c", "n0", "w9");
    const up = '/chmod/b = ""   (n0,w9)\n/chmod/b/c = "v"   (n0,w9)\n/chmod/x = "w"   (b3)\n';
    expect(output(daemon, "xenstore-ls", "-fp", "/chmod")).toBe(up);
  });

  test.skipIf(skipTools)("xenstore: the same commands in one program", () => {
    output(daemon, "xenstore", "write", "/one/a", "v");
    expect(output(daemon, "xenstore", "read", "/one/a")).toBe("v\n");
    expect(output(daemon, "xenstore", "list", "/one")).toBe("a\n");
    expect(output(daemon, "xenstore", "ls", "-f", "/one")).toBe('/one/a = "v"\n');
    output(daemon, "xenstore", "chmod", "/one/a", "r7");
    expect(run(daemon, "xenstore", "exists", "/one/a").status).toBe(0);
    output(daemon, "xenstore", "rm", "/one");
    expect(run(daemon, "xenstore", "exists", "/one").status).toBe(1);
  });

  test.skipIf(skipTools)("xenstore-watch -n: the first event, then changes below, then it ends", async () => {
    const watcher = watch(daemon, "-n", "4", "/watch");
    expect(await watcher.line()).toBe("/watch");
    output(daemon, "xenstore-write", "/watch", "1");
    expect(await watcher.line()).toBe("/watch");
    output(daemon, "xenstore-write", "/other", "1", "/watch/a/b", "2");
    expect(await watcher.line()).toBe("/watch/a/b");
    output(daemon, "xenstore-rm", "/watch/a");
    expect(await watcher.line()).toBe("/watch/a");
    expect(await watcher.ended).toBe(0);
  });

  test.skipIf(skipTools)("xenstore-watch: several keys", async () => {
    const watcher = watch(daemon, "-n", "3", "/two/a", "/two/b");
    expect([await watcher.line(), await watcher.line()]).toEqual(["/two/a", "/two/b"]);
    output(daemon, "xenstore-write", "/two/b/x", "1");
    expect(await watcher.line()).toBe("/two/b/x");
    expect(await watcher.ended).toBe(0);
  });
});

const control = findProgram("xenstore-control", "XENSTORE_CONTROL");
const whyControl = control === undefined ? " (skipped: no xenstore-control; Debian has it in xen-utils-4.17)" : "";

describe(`xenstore-control${whyControl}`, () => {
  let daemon: DaemonProcess;
  beforeAll(async () => {
    daemon = await startDaemon();
  });
  afterAll(async () => {
    await daemon.stop();
  });
  const ask = (...args: readonly string[]): string => output(daemon, control ?? "", ...args);

  test.skipIf(control === undefined)("help lists the commands", () => {
    const commands = ["check", "domain", "flush", "help", "history", "log", "memreport", "print", "quota"];
    const listed = ask("help").match(/^[a-z]+/gm);
    for (const command of commands) expect(listed).toContain(command);
  });

  test.skipIf(control === undefined)("check, log, print, memreport", async () => {
    expect(ask("check")).toBe("OK\n");
    expect(ask("log", "on")).toBe("OK\n");
    expect(ask("log", "off")).toBe("OK\n");
    expect(ask("print", "hello operator")).toBe("OK\n");
    await daemon.logged("hello operator");
    expect(ask("memreport")).toMatch(/^nodes: [0-9]+$/m);
  });

  test.skipIf(control === undefined)("quota: show, set, one domain", () => {
    expect(ask("quota")).toMatch(/^nodes +1000$/m);
    expect(ask("quota", "set", "nodes", "1500")).toBe("OK\n");
    expect(ask("quota")).toMatch(/^nodes +1500$/m);
    expect(ask("quota", "5")).toMatch(/^nodes held: 0$/m);
    expect(run(daemon, control ?? "", "quota", "set", "none", "1").status).not.toBe(0);
  });

  test.skipIf(control === undefined)("an unknown command shows the known ones", () => {
    const { status, errors } = run(daemon, control ?? "", "unknown");
    expect(status).not.toBe(0);
    expect(errors).toMatch(/Command not supported[^]*memreport/);
  });
});

const git = findProgram("git", "");
const skipHeadline = skipTools || git === undefined;
const whyHeadline = git === undefined ? " (skipped: git is not installed)" : why;

describe(`the headline${whyHeadline}`, () => {
  test.skipIf(skipHeadline)(
    "xenstore-write writes a key, xenstore-watch sees it, git log -p shows who wrote it and when",
    async () => {
      const daemon = await startDaemon();
      try {
        const watcher = watch(daemon, "-n", "2", "/hello");
        expect(await watcher.line()).toBe("/hello");
        const before = Math.floor(Date.now() / 1000);
        output(daemon, "xenstore-write", "/hello", "world");
        expect(await watcher.line()).toBe("/hello");
        expect(await watcher.ended).toBe(0);
        const client = await daemon.connect();
        expect(await client.ask("CONTROL", ["flush"])).toBe("OK");
        const log = execFileSync("git", ["log", "-p", "-1", "--format=%s|%an|%ae|%ct%n%b", "main", "--", "hello"], {
          cwd: daemon.repository,
          encoding: "utf8",
        });
        const [subject, name, mail, time] = log.slice(0, log.indexOf("\n")).split("|");
        expect([subject, name]).toEqual(["dom0: WRITE /hello", "dom0"]);
        expect(mail).toMatch(/^dom0@/);
        expect(Number(time)).toBeGreaterThanOrEqual(before);
        expect(Number(time)).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000));
        expect(log).toMatch(/^Domain: 0$/m);
        expect(log).toMatch(/^\+world$/m);
        expect(execFileSync("git", ["show", "main:hello"], { cwd: daemon.repository, encoding: "utf8" })).toBe("world");
        output(daemon, "xenstore-rm", "/hello");
        expect(await client.ask("CONTROL", ["flush"])).toBe("OK");
        const subjects = execFileSync("git", ["log", "--format=%s", "main", "--", "hello"], {
          cwd: daemon.repository,
          encoding: "utf8",
        });
        // xenstore-rm works in a transaction.
        expect(subjects).toBe("dom0: 1 change under /hello\ndom0: WRITE /hello\n");
      } finally {
        await daemon.stop();
      }
    },
  );
});
