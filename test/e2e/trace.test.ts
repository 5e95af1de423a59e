/**
 * `--trace`, with the real daemon: the file holds what clients asked and were answered, and nothing happens to them when it
 * cannot be written.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseTraceLine, type TracedRequest, type TraceLine } from "../../protocol/request-trace.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";
import type { WireClient } from "../support/wire-client.js";

const project = resolve(import.meta.dirname, "..", "..");

interface Traced {
  readonly daemon: DaemonProcess;
  readonly file: string;
}

async function withTrace(flags: readonly string[], run: (traced: Traced) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const file = join(directory, "trace.json");
    const daemon = await startDaemon({ directory, flags: ["--trace", file, ...flags] });
    await run({ daemon, file });
    await daemon.stop();
  });
}

/** The lines of a file; those that are none as the reason why. */
function linesOf(file: string): (TraceLine | string)[] {
  return readFileSync(file, "latin1")
    .split("\n")
    .slice(0, -1)
    .map((text) => {
      const parsed = parseTraceLine(text);
      return parsed.ok ? parsed.line : parsed.reason;
    });
}

function requestsOf(file: string): TracedRequest[] {
  return linesOf(file).filter((line): line is TracedRequest => typeof line !== "string" && line.kind === "request");
}

/** A line without its time, NULs as `|`. */
function shown(line: TraceLine | string): string {
  return summaryOf(line).replaceAll("\0", "|");
}

function summaryOf(line: TraceLine | string): string {
  if (typeof line === "string") return `bad: ${line}`;
  switch (line.kind) {
    case "header":
      return `header ${String(line.seq)}`;
    case "gap":
      return "gap";
    case "event":
      return `${line.connection} event ${line.path} ${line.token}`;
    case "request": {
      const { connection, txId, operation, payload = "-", reply, seq } = line;
      const said = typeof reply === "object" ? reply.error : (reply ?? "-");
      const words = [connection, ...(txId === 0 ? [] : ["tx", txId]), operation, payload, said];
      return [...words, ...(seq === undefined ? [] : [`@${String(seq)}`])].join(" ");
    }
    default:
      return `${line.connection} ${line.kind}`;
  }
}

/** Resolves when the file has a line that looks so; lines wait a tenth of a second for each other. */
async function written(file: string, wanted: (line: TraceLine | string) => boolean): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (existsSync(file) && linesOf(file).some(wanted)) return;
    await delay(25);
  }
  throw new Error(
    `${file} has no such line: ${existsSync(file) ? readFileSync(file, "latin1").slice(-2000) : "no file"}`,
  );
}

/** Writes pipelined, and checks every reply. */
async function writeMany(client: WireClient, count: number): Promise<void> {
  for (let done = 0; done < count; done += 50) {
    const requests = Array.from({ length: 50 }, (_, index) =>
      client.send("WRITE", `/k/${String(index)}\0${"v".repeat(200)}`),
    );
    for (const request of requests) expect((await client.reply(request)).payload).toBe("OK\0");
  }
}

/** Longer than the daemon waits for its trace, and than a busy machine takes for the rest. */
const STOP_MILLISECONDS_MAX = 9000;

/** Has a file so that whoever opens it waits: for as long as the kernel gives the holder of a lease, 45 s. */
async function leaseHolder(file: string): Promise<ChildProcess> {
  const script = [
    "import fcntl, os, signal, sys, time",
    "signal.signal(signal.SIGIO, signal.SIG_IGN)",
    "descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)",
    "for attempt in range(100):",
    "    try:",
    "        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)",
    "        break",
    "    except BlockingIOError: # somebody looks at the file in this moment",
    "        time.sleep(0.02)",
    "else:",
    "    sys.exit(1)",
    "print('held', flush=True)",
    "time.sleep(60)",
  ];
  const holder = spawn("python3", ["-c", script.join("\n"), file], { stdio: ["ignore", "pipe", "inherit"] });
  const [what] = (await Promise.race([once(holder.stdout, "data"), once(holder, "exit")])) as [unknown];
  if (!String(what).startsWith("held"))
    throw new Error(`no lease on a file is to be had here: ${JSON.stringify(String(what))}`);
  return holder;
}

/** Runs a program as the first of a process namespace, and ends as it does. */
const UNSHARE = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"];
const canUnshare = spawnSync(UNSHARE[0] ?? "", [...UNSHARE.slice(1), "true"]).status === 0;

describe("--trace", () => {
  it("writes requests, failures, transactions, events, guests and late answers in the order of their clients", async () => {
    await withTrace([], async ({ daemon, file }) => {
      const client = await daemon.connect();
      await client.must("WATCH", ["/a", "token"]);
      await client.must("WRITE", ["/a/b", '\xff\x01\n"v']);
      expect(await client.ask("READ", ["/missing"])).toBe("ENOENT");
      expect((await client.call(99, "what?")).payload).toBe("ENOSYS\0");
      const txId = Number(await client.must("TRANSACTION_START", [""]));
      await client.must("READ", ["/a/b"], { txId });
      await client.must("WRITE", ["/a/c", "in"], { txId });
      await client.must("WRITE", ["/a/c", "meanwhile"]);
      await client.must("READ", ["/a/c"], { txId });
      await client.must("TRANSACTION_END", ["T"], { txId });
      await client.must("INTRODUCE", ["5", "1", "1"]);
      const guest = await daemon.connectGuest(5);
      expect(await guest.ask("WRITE", ["/a/b", "x"])).toBe("EACCES");
      guest.destroy();
      await client.must("CONTROL", ["flush"]);
      await client.must("CONTROL", ["domain", "destroy", "5"]);
      await daemon.kill("SIGTERM");
      const lines = linesOf(file);
      // Whether the daemon sees the client go before itself is stopped is chance.
      const isClients = (line: string): boolean => line.startsWith("socket-2 ") && !line.endsWith(" closed");
      expect(lines.map(shown).filter(isClients)).toEqual([
        "socket-2 opened",
        "socket-2 WATCH /a|token| OK|",
        "socket-2 event /a token",
        'socket-2 WRITE /a/b|\xff\x01\n"v OK| @2',
        "socket-2 event /a/b token",
        "socket-2 READ /missing| ENOENT",
        "socket-2 99 what? ENOSYS",
        "socket-2 TRANSACTION_START | 1|",
        'socket-2 tx 1 READ /a/b| \xff\x01\n"v',
        "socket-2 tx 1 WRITE /a/c|in OK|",
        "socket-2 WRITE /a/c|meanwhile OK| @3",
        "socket-2 event /a/c token",
        "socket-2 tx 1 READ /a/c| in",
        "socket-2 tx 1 TRANSACTION_END T| OK| @4",
        "socket-2 event /a/c token",
        "socket-2 INTRODUCE 5|1|1| OK| @5",
        "socket-2 CONTROL flush| OK|",
        expect.stringMatching(/^socket-2 CONTROL domain\|destroy\|5\| OK\|( @6)?$/),
      ]);
      expect(lines.map(shown)).toEqual(
        expect.arrayContaining(["domain-5-3 opened", "domain-5-3 WRITE /a/b|x EACCES", "domain-5-3 closed"]),
      );
      expect(shown(lines[0] ?? "")).toBe("header 0");
      const late = requestsOf(file).find(({ payload }) => payload === "flush\0");
      expect(late?.asked).toBeLessThan(late?.time ?? 0);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    });
  }, 60_000);

  it("keeps redacted values out of every byte of its file", async () => {
    await withTrace(["--redact", "/local/domain/*/vncpasswd"], async ({ daemon, file }) => {
      const [client, secret] = [await daemon.connect(), "Hq7RkzP-secret"];
      const path = "/local/domain/0/vncpasswd";
      await client.must("WRITE", [path, secret]);
      const txId = Number(await client.must("TRANSACTION_START", [""]));
      await client.must("WRITE", ["vncpasswd", `${secret}-2`], { txId });
      expect(await client.must("READ", [path], { txId })).toBe(`${secret}-2`);
      await client.must("TRANSACTION_END", ["T"], { txId });
      expect(await client.must("READ", ["vncpasswd"])).toBe(`${secret}-2`);
      expect(await client.ask("WRITE", [`${path}/`, secret])).toBe("EINVAL");
      await client.call(99, secret);
      await client.must("WRITE", ["/open", "not-a-secret"]);
      await daemon.kill("SIGTERM");
      const text = readFileSync(file, "latin1");
      expect(text).not.toContain("Hq7R");
      expect(text).toContain("not-a-secret");
      expect(requestsOf(file).filter(({ redacted }) => redacted)).toHaveLength(6);
    });
  }, 60_000);

  it("changes files under load: all stay within their size, whole, and follow each other by seq", async () => {
    await withTrace(["--trace-bytes-max", "64K", "--trace-files-max", "4"], async ({ daemon, file }) => {
      const clients = await Promise.all([daemon.connect(), daemon.connect(), daemon.connect()]);
      await Promise.all(clients.map((client) => writeMany(client, 500)));
      await daemon.kill("SIGTERM");
      expect(existsSync(`${file}.4`)).toBe(false);
      let seq: number | undefined;
      for (const name of [`${file}.3`, `${file}.2`, `${file}.1`, file]) {
        expect(statSync(name).size).toBeLessThanOrEqual(64 * 1024);
        const [header, ...lines] = linesOf(name);
        if (typeof header !== "object" || header.kind !== "header") throw new Error(`${name} begins with no header`);
        expect(header.seq).toBe(seq ?? header.seq);
        seq = header.seq;
        for (const line of lines) {
          expect(line).toBeTypeOf("object");
          if (typeof line === "object" && line.kind === "request") expect(line.seq).toBe(++seq);
        }
      }
      expect(seq).toBe(1501);
    });
  }, 60_000);

  it("is readable behind what a kill left unfinished, and goes on in the same file", async () => {
    await withTrace([], async ({ daemon, file }) => {
      const client = await daemon.connect();
      await writeMany(client, 500);
      await written(file, (line) => typeof line === "object" && line.kind === "request" && line.seq === 501);
      await daemon.kill("SIGKILL");
      for (const line of linesOf(file)) expect(line).toBeTypeOf("object");
      truncateSync(file, statSync(file).size - 20);
      const again = await startDaemon({ directory: daemon.directory, flags: ["--trace", file] });
      await (await again.connect()).must("WRITE", ["/after", "v"]);
      await again.kill("SIGTERM");
      const lines = linesOf(file).map(shown);
      expect(lines.filter((line) => line.startsWith("bad"))).toEqual([
        "bad: it is not JSON, or only the beginning of a line",
      ]);
      expect(lines.slice(lines.findIndex((line) => line.startsWith("bad")) + 1)).toEqual([
        "header 501",
        "socket-1 opened",
        "socket-1 WRITE /after|v OK| @502",
        ...(lines.at(-1) === "socket-1 closed" ? ["socket-1 closed"] : []),
      ]);
    });
  }, 60_000);

  it("goes on in a new file after SIGHUP, and after somebody removed it", async () => {
    await withTrace([], async ({ daemon, file }) => {
      const client = await daemon.connect();
      await client.must("WRITE", ["/a", "1"]);
      await written(file, (line) => shown(line).includes("WRITE /a|1"));
      renameSync(file, `${file}.old`);
      process.kill(daemon.pid, "SIGHUP");
      await written(file, (line) => shown(line) === "header 2");
      await client.must("WRITE", ["/a", "2"]);
      await written(file, (line) => shown(line).includes("WRITE /a|2"));
      rmSync(file);
      await client.must("WRITE", ["/a", "3"]);
      await written(file, (line) => shown(line).includes("WRITE /a|3"));
      await daemon.logged("it was renamed or removed, and is begun anew");
      expect(requestsOf(`${file}.old`).map(({ seq }) => seq)).toEqual([1, 2]);
    });
  }, 60_000);

  it("lets no client notice that its directory is gone, and tells the log what is missing", async () => {
    await withTemporaryDirectory(async (directory) => {
      const traces = join(directory, "traces");
      mkdirSync(traces);
      const daemon = await startDaemon({ directory, flags: ["--trace", join(traces, "trace.json")] });
      const client = await daemon.connect();
      rmSync(traces, { recursive: true });
      await writeMany(client, 100);
      await daemon.logged("it cannot be written, and lines are dropped until it can: ENOENT");
      await writeMany(client, 100);
      expect(await daemon.kill("SIGTERM")).toEqual({ code: 0, signal: null });
      expect(daemon.stderr()).toMatch(/[0-9]+ lines at its end could not be written/);
    });
  }, 60_000);

  it("keeps nobody from stopping the daemon when its disk hangs, and the history is complete", async () => {
    await withTrace([], async ({ daemon, file }) => {
      const client = await daemon.connect();
      await client.must("WRITE", ["/a", "1"]);
      const holder = await leaseHolder(`${file}.held`);
      onTestFinished(() => void holder.kill("SIGKILL"));
      renameSync(file, `${file}.old`);
      renameSync(`${file}.held`, file);
      process.kill(daemon.pid, "SIGHUP");
      await writeMany(client, 100);
      const started = performance.now();
      expect(await daemon.kill("SIGTERM")).toEqual({ code: null, signal: "SIGTERM" });
      expect(performance.now() - started).toBeLessThan(STOP_MILLISECONDS_MAX);
      expect(daemon.stderr()).toContain("the request trace was not written in time: its last lines are missing");
      expect(daemon.stderr()).toMatch(/ stopped$/m);
      const counted = spawnSync("git", ["-C", daemon.repository, "rev-list", "--count", "main"], { encoding: "utf8" });
      // The first is the daemon's own.
      expect(Number(counted.stdout)).toBe(1 + 1 + 100);
    });
  }, 60_000);

  const why = canUnshare ? "" : " (skipped: no process namespaces are to be had here)";
  it.skipIf(!canUnshare)(
    `ends when its disk hangs also as the first process of a container${why}`,
    async () => {
      await withTemporaryDirectory(async (directory) => {
        const file = join(directory, "trace.json");
        const command = [...UNSHARE, process.execPath, "--import", "tsx", join(project, "daemon/main.ts")];
        const daemon = await startDaemon({ directory, flags: ["--trace", file], command });
        const [first = ""] = readFileSync(
          `/proc/${String(daemon.pid)}/task/${String(daemon.pid)}/children`,
          "latin1",
        ).split(" ");
        const holder = await leaseHolder(`${file}.held`);
        onTestFinished(() => void holder.kill("SIGKILL"));
        renameSync(`${file}.held`, file);
        process.kill(Number(first), "SIGHUP");
        await writeMany(await daemon.connect(), 10);
        process.kill(Number(first), "SIGTERM");
        await daemon.logged("the request trace was not written in time");
        for (let turn = 0; turn < 500 && daemon.isRunning(); turn++) await delay(10);
        expect(daemon.isRunning()).toBe(false);
      });
    },
    60_000,
  );

  it("is refused where it cannot be opened, and for sizes and numbers that make no sense", async () => {
    await withTemporaryDirectory((directory) => {
      const run = (...flags: readonly string[]) =>
        spawnSync(
          process.execPath,
          ["--import", "tsx", join(project, "daemon/main.ts"), "--dir", directory, ...flags],
          {
            cwd: project,
            encoding: "utf8",
            timeout: 20_000,
          },
        );
      const missing = join(directory, "missing", "trace.json");
      expect(run("--trace", missing)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(`the trace file ${missing} cannot be opened: ENOENT`) as string,
      });
      expect(run("--trace", directory)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("it is no regular file") as string,
      });
      const pipe = join(directory, "pipe");
      expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
      for (const special of [pipe, "/dev/null"]) {
        expect(run("--trace", special)).toMatchObject({
          status: 1,
          stderr: expect.stringContaining(
            `${special} cannot be opened: it is no regular file, which a trace must be`,
          ) as string,
        });
      }
    });
  }, 60_000);
});
