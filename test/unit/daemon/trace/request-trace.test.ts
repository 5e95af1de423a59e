/**
 * What a core's requests leave in a trace.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Microseconds, Path, Seq } from "../../../../protocol/identifiers.js";
import { parseTraceLine, type TraceLine } from "../../../../protocol/request-trace.js";
import type { Connection } from "../../../../daemon/connection/connection.js";
import type { WaitingRequest } from "../../../../daemon/dispatch/state.js";
import {
  FLUSH_BYTES,
  FLUSH_MILLISECONDS,
  RequestTrace,
  WAITING_BYTES_MAX,
  type TraceSink,
} from "../../../../daemon/trace/request-trace.js";
import { TraceFile } from "../../../../daemon/trace/trace-file.js";
import { SEGMENT_BYTES, type TraceSegment } from "../../../../daemon/trace/trace-record.js";
import { TraceWriter } from "../../../../daemon/trace/trace-writer.js";
import { CoreHarness } from "../../../support/core-harness.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../support/memory-file-system.js";

const PATH = "/trace.json";
const BETWEEN_TICKS = 5 as Microseconds;

let fileSystem: MemoryFileSystem;
let logged: string[];
let sink: SinkInThread;
let trace: RequestTrace;
let harness: CoreHarness;

beforeEach(() => {
  vi.useFakeTimers();
  fileSystem = createMemoryFileSystem();
  logged = [];
  start();
});

afterEach(async () => {
  await trace.close();
  vi.useRealTimers();
});

/** Writes at once, unless it is to be behind. */
class SinkInThread implements TraceSink {
  isBehind = false;
  readonly #writer: TraceWriter;
  readonly #waiting: TraceSegment[] = [];
  #taken: () => void = () => undefined;

  constructor(writer: TraceWriter) {
    this.#writer = writer;
  }

  take(segment: TraceSegment): void {
    this.#waiting.push(segment);
    if (!this.isBehind) this.catchUp();
  }

  catchUp(): void {
    for (const { memory, length } of this.#waiting.splice(0)) {
      this.#writer.take(memory, length);
      this.#taken();
    }
  }

  onTaken(callback: () => void): void {
    this.#taken = callback;
  }

  reopen(): void {
    this.#writer.reopen();
  }

  close(dropped: number): Promise<void> {
    this.catchUp();
    this.#writer.close(dropped);
    return Promise.resolve();
  }
}

function start(options: { isSecret?: (path: Path) => boolean; bytesMax?: number; filesMax?: number } = {}): void {
  const clock = { nowMicroseconds: () => BETWEEN_TICKS, monotonicMilliseconds: () => 0 };
  const log = { log: (_level: string, _key: string, message: string) => logged.push(message), flush: () => undefined };
  const { isSecret, bytesMax = 64 * 1024 * 1024, filesMax = 8 } = options;
  const file = new TraceFile({ fileSystem, clock, log, path: PATH, bytesMax, filesMax, daemon: "1" });
  sink = new SinkInThread(new TraceWriter(file, 0 as Seq));
  trace = new RequestTrace({ sink, clock, log, isSecret });
  harness = new CoreHarness({ ports: { observer: trace } });
}

function bytes(path = PATH): string {
  return Buffer.from(fileSystem.readFile(path)).toString("latin1");
}

function linesOf(path = PATH): TraceLine[] {
  return bytes(path)
    .split("\n")
    .slice(0, -1)
    .map((text) => {
      const parsed = parseTraceLine(text);
      if (!parsed.ok) throw new Error(`${parsed.reason}: ${text}`);
      return parsed.line;
    });
}

function shown(line: TraceLine): string {
  switch (line.kind) {
    case "header":
      return `header ${String(line.seq)}`;
    case "gap":
      return `gap ${String(line.dropped)}`;
    case "event":
      return `${line.connection} event ${line.path} ${line.token}`;
    case "request": {
      const { connection, operation, payload = "-", reply } = line;
      const said = typeof reply === "object" ? reply.error : (reply ?? "-");
      const seq = line.seq === undefined ? "" : ` @${String(line.seq)}`;
      return `${connection} ${String(operation)} ${payload} ${said}${seq}${line.redacted ? " redacted" : ""}`;
    }
    default:
      return `${line.connection} ${line.kind}`;
  }
}

/** Sends more in one tick than may wait, while nothing is written; returns how many requests. */
function sendTooMuch(client: Connection): number {
  sink.isBehind = true;
  const value = "v".repeat(4000);
  const count = Math.ceil(WAITING_BYTES_MAX / value.length) + 1;
  for (let index = 0; index < count; index++) harness.send(client, "WRITE", { path: "/a", value });
  return count;
}

/** What the file has now, NULs as `|`. */
function written(path = PATH): string[] {
  return linesOf(path).map((line) => shown(line).replaceAll("\0", "|"));
}

describe("RequestTrace", () => {
  it("writes requests with their replies, failures too, then what they caused", () => {
    const [client, watcher] = [harness.connect(0), harness.connect(0)];
    harness.ask(watcher, "WATCH", { path: "/a", token: "t" });
    harness.ask(client, "WRITE", { path: "/a", value: "\xffv" });
    harness.ask(client, "READ", { path: "/nothing" });
    harness.askPayload(client, 77, "what");
    harness.ask(client, "READ", { path: "/a" });
    harness.disconnect(client);
    trace.flush();
    expect(written()).toEqual([
      "header 0",
      "socket-1 opened",
      "socket-2 opened",
      "socket-2 WATCH /a|t| OK|",
      "socket-2 event /a t",
      "socket-1 WRITE /a|\xffv OK| @1",
      "socket-2 event /a t",
      "socket-1 READ /nothing| ENOENT",
      "socket-1 77 what ENOSYS",
      "socket-1 READ /a| \xffv",
      "socket-1 closed",
    ]);
  });

  it("puts a reply before the events that its request caused, as the client sees them", () => {
    const client = harness.connect(0);
    harness.ask(client, "WATCH", { path: "/a", token: "t" });
    harness.ask(client, "WRITE", { path: "/a", value: "v" });
    trace.flush();
    expect(written().slice(-2)).toEqual(["socket-1 WRITE /a|v OK| @1", "socket-1 event /a t"]);
  });

  it("tells the transaction of a request, and the time of its tick", () => {
    const client = harness.connect(0);
    harness.now = 1_795_829_904_308_284;
    const txId = harness.startTransaction(client);
    harness.ask(client, "WRITE", { path: "/a", value: "v" }, txId);
    harness.ask(client, "TRANSACTION_END", { commit: true }, txId);
    trace.flush();
    const requests = linesOf().filter((line) => line.kind === "request");
    expect(requests.map(({ operation, txId: of, seq }) => [operation, of, seq])).toEqual([
      ["TRANSACTION_START", 0, undefined],
      ["WRITE", txId, undefined],
      ["TRANSACTION_END", txId, 1],
    ]);
    expect(requests.map(({ time, asked }) => [time, asked])).toEqual(
      requests.map(() => [1_795_829_904_308_284, undefined]),
    );
  });

  it("has no line of a tick before its end (request trace invariant 1)", () => {
    const client = harness.connect(0);
    harness.send(client, "WRITE", { path: "/a", value: "v" });
    trace.flush();
    vi.advanceTimersByTime(10 * FLUSH_MILLISECONDS);
    expect(written()).toEqual(["header 0"]);
    harness.endTick();
    expect(written(), "a write that was due is done then").toEqual([
      "header 0",
      "socket-1 opened",
      "socket-1 WRITE /a|v OK| @1",
    ]);
  });

  it("forgets a tick that is undone, but for who came in it (request trace invariant 1)", () => {
    const client = harness.connect(0);
    harness.ask(client, "WATCH", { path: "/a", token: "t" });
    harness.send(client, "WRITE", { path: "/a", value: "refused" });
    const late = harness.connect(0);
    harness.send(late, "READ", { path: "/a" });
    harness.core.abortTick("ENOSPC");
    harness.send(client, "WRITE", { path: "/a", value: "refused" });
    harness.send(late, "READ", { path: "/a" });
    harness.core.acceptCommits();
    harness.endTick();
    harness.ask(client, "WRITE", { path: "/a", value: "kept" });
    trace.flush();
    expect(written().slice(4)).toEqual([
      "socket-2 opened",
      "socket-1 WRITE /a|refused ENOSPC",
      "socket-2 READ /a| ENOENT",
      "socket-1 WRITE /a|kept OK| @1",
      "socket-1 event /a t",
    ]);
  });

  it("writes a request that waits when it is answered, with the time at which it was asked (request trace invariant 2)", () => {
    const [client, gone] = [harness.connect(0), harness.connect(0)];
    harness.now = 100;
    harness.send(client, "CONTROL", { command: "flush", parameters: [] });
    harness.send(gone, "CONTROL", { command: "compact", parameters: ["@{1}"] });
    const waiting = harness
      .endTick()
      .effects.flatMap((effect): WaitingRequest[] => ("waiting" in effect ? [effect.waiting] : []));
    harness.disconnect(gone);
    harness.now = 250;
    harness.beginTick();
    for (const each of waiting) harness.core.answer(each, "OK\0");
    harness.endTick();
    trace.flush();
    expect(written().slice(3)).toEqual(["socket-2 closed", "socket-1 CONTROL flush| OK|"]);
    expect(linesOf().at(-1)).toMatchObject({ time: 250, asked: 100 });
  });

  it("has no line for an event that was collapsed or dropped (request trace invariant 2)", () => {
    const [client, watcher] = [harness.connect(0), harness.connect(0)];
    harness.ask(watcher, "WATCH", { path: "/a", token: "t" });
    watcher.outbox.socketBytes = 100;
    harness.send(client, "WRITE", { path: "/a", value: "1" });
    harness.send(client, "WRITE", { path: "/a", value: "2" });
    harness.endTick();
    trace.flush();
    expect(watcher.outbox.counters.collapsedEvents).toBe(1);
    expect(written().filter((line) => line === "socket-2 event /a t")).toHaveLength(2);
  });

  it("waits for FLUSH_BYTES or FLUSH_MILLISECONDS (request trace invariant 3)", () => {
    const client = harness.connect(0);
    harness.ask(client, "READ", { path: "/" });
    expect(written()).toEqual(["header 0"]);
    vi.advanceTimersByTime(FLUSH_MILLISECONDS);
    expect(written()).toEqual(["header 0", "socket-1 opened", "socket-1 READ /| "]);
    const value = "x".repeat(3000);
    for (let size = 0; size < FLUSH_BYTES; size += value.length) harness.ask(client, "WRITE", { path: "/a", value });
    expect(bytes().length).toBeGreaterThan(FLUSH_BYTES);
  });

  it("drops what does not fit into WAITING_BYTES_MAX, and says where it is missing (request trace invariant 3)", () => {
    const client = harness.connect(0);
    const sent = sendTooMuch(client);
    harness.endTick();
    harness.ask(client, "READ", { path: "/" });
    sink.catchUp();
    harness.ask(client, "READ", { path: "/behind" });
    trace.flush();
    sink.catchUp();
    const lines = linesOf();
    const gap = lines.findIndex(({ kind }) => kind === "gap");
    expect(lines.slice(gap - 1).map(shown)).toEqual([
      expect.stringContaining("WRITE"),
      expect.stringContaining("gap"),
      "socket-1 READ /behind\0 ENOENT",
    ]);
    const requests = lines.filter(({ kind }) => kind === "request").length;
    expect(lines[gap]).toEqual({ kind: "gap", time: BETWEEN_TICKS, dropped: sent + 2 - requests });
    expect(requests).toBeGreaterThan(sent * 0.9);
    expect(logged).toEqual([
      expect.stringMatching(/^[0-9]+ lines of a tick did not fit into the request trace, whose writing is behind$/),
      "1 lines of a tick did not fit into the request trace, whose writing is behind",
    ]);
  });

  it("counts what is missing at its end (request trace invariant 3)", async () => {
    const client = harness.connect(0);
    const sent = sendTooMuch(client);
    harness.endTick();
    await trace.close();
    const dropped = sent - linesOf().filter(({ kind }) => kind === "request").length;
    expect(dropped).toBeGreaterThan(0);
    expect(logged.at(-1)).toContain(`${String(dropped)} lines at its end could not be written`);
  });

  it("forgets what was dropped of a tick that is undone (request trace invariants 1 and 3)", () => {
    const client = harness.connect(0);
    sendTooMuch(client);
    harness.core.abortTick("EIO");
    harness.send(client, "READ", { path: "/" });
    harness.core.acceptCommits();
    harness.endTick();
    trace.flush();
    sink.catchUp();
    expect(written()).toEqual(["header 0", "socket-1 opened", "socket-1 READ /| "]);
    expect(logged).toEqual([]);
  });

  it("uses its memory again, and changes none that it has handed over", () => {
    const client = harness.connect(0);
    sink.isBehind = true;
    const taken = vi.spyOn(sink, "take");
    const value = "v".repeat(1000);
    let seq = 0;
    for (let round = 0; round < 20; round++) {
      // More than one segment, so that there are several at once.
      for (let index = 0; index < (1.5 * SEGMENT_BYTES) / value.length; index++, seq++) {
        harness.send(client, "WRITE", { path: "/a", value: `${String(seq)} ${value}` });
      }
      harness.endTick();
      sink.catchUp();
    }
    const told = linesOf().flatMap((line) => (line.kind === "request" ? [line.payload?.split(/[\0 ]/)[1]] : []));
    expect(told).toEqual(Array.from({ length: seq }, (_, index) => String(index)));
    expect(taken.mock.calls.length).toBeGreaterThan(20);
    expect(new Set(taken.mock.calls.map(([segment]) => segment.memory)).size).toBeLessThan(6);
  });

  it("begins each file with the seq before its first line, also within a tick (trace writer invariant 1)", () => {
    start({ bytesMax: 64 * 1024, filesMax: 100 });
    const client = harness.connect(0);
    const value = "v".repeat(1000);
    for (let tick = 0; tick < 5; tick++) {
      for (let index = 0; index < 100; index++)
        harness.send(client, "WRITE", { path: "/a", value: value + String(index) });
      harness.endTick();
    }
    trace.flush();
    const files = fileSystem.list("/").sort((a, b) => Number(b.slice(11)) - Number(a.slice(11)));
    expect(files.length).toBeGreaterThan(5);
    let seq = 0;
    for (const name of files) {
      const [header, ...lines] = linesOf(`/${name}`);
      expect(header).toMatchObject({ kind: "header", seq });
      expect(bytes(`/${name}`).length).toBeLessThanOrEqual(64 * 1024);
      for (const line of lines) if (line.kind === "request") expect(line.seq).toBe(++seq);
    }
    expect(seq).toBe(500);
  });

  it("forgets segments of a tick that is undone (request trace invariant 1)", () => {
    const client = harness.connect(0);
    const value = "v".repeat(1000);
    harness.ask(client, "WRITE", { path: "/a", value });
    for (let index = 0; index < (3 * SEGMENT_BYTES) / value.length; index++)
      harness.send(client, "WRITE", { path: "/a", value: value + String(index) });
    harness.core.abortTick("EIO");
    harness.send(client, "READ", { path: "/" });
    harness.core.acceptCommits();
    harness.endTick();
    trace.flush();
    expect(written()).toEqual([
      "header 0",
      "socket-1 opened",
      `socket-1 WRITE /a|${value} OK| @1`,
      "socket-1 READ /| ",
    ]);
  });

  it("goes on in a new file after a rename, within a tick at its end", () => {
    const client = harness.connect(0);
    harness.send(client, "WRITE", { path: "/a", value: "v" });
    fileSystem.rename(PATH, "/old");
    trace.reopen();
    harness.endTick();
    harness.ask(client, "READ", { path: "/a" });
    trace.flush();
    expect(written("/old")).toEqual(["header 0"]);
    expect(written()).toEqual(["header 0", "socket-1 opened", "socket-1 WRITE /a|v OK| @1", "socket-1 READ /a| v"]);
    expect(logged).toEqual([]);
  });

  it("takes calls after its end without a word", async () => {
    const client = harness.connect(0);
    await trace.close();
    harness.ask(client, "READ", { path: "/" });
    harness.disconnect(client);
    trace.flush();
    trace.reopen();
    await trace.close();
    expect(written()).toEqual(["header 0", "socket-1 opened"]);
    expect(logged).toEqual([]);
  });
});

describe("RequestTrace and redaction", () => {
  const isSecret = (path: string): boolean => path.endsWith("/secret");
  const SECRET = "Hq7RkzP\xff\x01-and-more";

  it("leaves out the value at a secret path, however it is written, read or refused", () => {
    start({ isSecret });
    const dom0 = harness.connect(0);
    harness.ask(dom0, "INTRODUCE", { domid: 5 as never, gfn: 1, port: 1 });
    const guest = harness.connect(5);
    harness.ask(dom0, "WRITE", { path: "/a/secret", value: SECRET });
    harness.ask(dom0, "READ", { path: "/a/secret" });
    const txId = harness.startTransaction(dom0);
    harness.ask(dom0, "WRITE", { path: "secret", value: SECRET }, txId);
    harness.ask(dom0, "READ", { path: "secret" }, txId);
    harness.ask(dom0, "TRANSACTION_END", { commit: true }, txId);
    harness.ask(guest, "WRITE", { path: "secret", value: SECRET });
    harness.ask(guest, "WRITE", { path: "/a/secret", value: SECRET });
    harness.ask(dom0, "WRITE", { path: "/a/secret", value: "" });
    harness.ask(dom0, "READ", { path: "/a/secret" });
    harness.ask(dom0, "WRITE", { path: "/a/open", value: "told" });
    trace.flush();
    expect(bytes()).not.toMatch(/Hq7R|and-more/);
    expect(written().slice(5)).toEqual([
      "socket-1 WRITE /a/secret| OK| @2 redacted",
      "socket-1 READ /a/secret| - redacted",
      "socket-1 TRANSACTION_START | 1|",
      "socket-1 WRITE secret| OK| redacted",
      "socket-1 READ secret| - redacted",
      "socket-1 TRANSACTION_END T| OK| @3",
      "domain-5-2 WRITE secret| EACCES redacted",
      "domain-5-2 WRITE /a/secret| EACCES redacted",
      "socket-1 WRITE /a/secret| OK| @4",
      "socket-1 READ /a/secret| ",
      "socket-1 WRITE /a/open|told OK| @5",
    ]);
  });

  it("leaves out a payload of which nobody can say what it holds", () => {
    start({ isSecret });
    const client = harness.connect(0);
    const types = [2, 11, 1, 4, 6, 7, 13, 21, 99, 0xffff_ffff];
    for (const type of types) {
      harness.askPayload(client, type, `/a/secret/\0\0${SECRET}`);
      harness.askPayload(client, type, SECRET);
    }
    trace.flush();
    expect(bytes()).not.toMatch(/Hq7R|and-more/);
    const requests = linesOf().filter((line) => line.kind === "request");
    expect(requests).toHaveLength(2 * types.length);
    for (const line of requests) expect(line).toMatchObject({ payload: undefined, redacted: true });
  });

  it("leaves out nothing else: paths, names, perms and tokens are told", () => {
    start({ isSecret });
    const client = harness.connect(0);
    harness.ask(client, "MKDIR", { path: "/a/secret" });
    harness.ask(client, "DIRECTORY", { path: "/a" });
    harness.ask(client, "GET_PERMS", { path: "/a/secret" });
    harness.ask(client, "WATCH", { path: "/a/secret", token: "t" });
    harness.ask(client, "READ", { path: "/b/secret" });
    trace.flush();
    expect(written().slice(3)).toEqual([
      "socket-1 MKDIR /a/secret| OK| @1",
      "socket-1 DIRECTORY /a| secret|",
      "socket-1 GET_PERMS /a/secret| n0|",
      "socket-1 WATCH /a/secret|t| OK|",
      "socket-1 event /a/secret t",
      "socket-1 READ /b/secret| ENOENT",
    ]);
  });
});
