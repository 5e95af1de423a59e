/** The request trace's thread: real threads, a real disk. */
import { EventEmitter } from "node:events";
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import type { Domid, Microseconds, Seq } from "../../../../protocol/identifiers.js";
import { startTraceThread, TraceThread } from "../../../../daemon/trace/handle.js";
import { TraceSegment } from "../../../../daemon/trace/trace-record.js";
import { withTemporaryDirectory } from "../../../support/temporary-directory.js";

function dataFor(path: string) {
  return { path, bytesMax: 1024 * 1024, filesMax: 2, daemon: "1" };
}

function newLog() {
  const messages: string[] = [];
  return {
    messages,
    log: (_level: string, _key: string, message: string) => messages.push(message),
    flush: () => undefined,
  };
}

function segmentOf(...names: readonly string[]): TraceSegment {
  const segment = new TraceSegment();
  for (const connection of names) {
    segment.addConnection("opened", { time: 1 as Microseconds, connection, domid: 0 as Domid });
  }
  return segment;
}

/** What each line is about: the seq of a header, the connection else. */
function linesOf(path: string): unknown[] {
  const lines = readFileSync(path, "latin1").split("\n").slice(0, -1);
  return lines.map((line) => {
    const { seq, connection } = JSON.parse(line) as { readonly seq?: number; readonly connection?: string };
    return connection ?? seq;
  });
}

describe("startTraceThread", () => {
  it("writes what it is given, in order, tells when each segment is free, and ends with everything written", async () => {
    await withTemporaryDirectory(async (directory) => {
      const path = join(directory, "trace.json");
      const log = newLog();
      const thread = await startTraceThread(dataFor(path), log);
      let taken = 0;
      thread.onTaken(() => taken++);
      thread.start(7 as Seq);
      thread.take(segmentOf("a", "b"));
      thread.take(segmentOf("c"));
      await thread.close(0);
      expect(linesOf(path)).toEqual([7, "a", "b", "c"]);
      expect(taken).toBe(2);
      expect(log.messages).toEqual([]);
    });
  });

  it("goes on in a new file after a rename, and logs what its file has to say", async () => {
    await withTemporaryDirectory(async (directory) => {
      const path = join(directory, "trace.json");
      const log = newLog();
      const thread = await startTraceThread(dataFor(path), log);
      const free = new Promise<void>((resolve) => {
        thread.onTaken(resolve);
      });
      thread.start(0 as Seq);
      thread.take(segmentOf("a"));
      await free;
      renameSync(path, `${path}.old`);
      thread.reopen();
      thread.take(segmentOf("b"));
      await thread.close(3);
      expect(linesOf(`${path}.old`)).toEqual([0, "a"]);
      expect(linesOf(path)).toEqual([0, "b"]);
      expect(log.messages).toEqual([`the request trace ${path}: 3 lines at its end could not be written`]);
    });
  });

  it("says why a file cannot be opened", async () => {
    await withTemporaryDirectory(async (directory) => {
      const path = join(directory, "directory");
      mkdirSync(path);
      await expect(startTraceThread(dataFor(path), newLog())).rejects.toThrow(
        `the trace file ${path} cannot be opened: it is no regular file`,
      );
    });
  });
});

function fakeWorker() {
  const posted: unknown[] = [];
  const worker = Object.assign(new EventEmitter(), {
    postMessage: (message: unknown) => posted.push(message),
    ref: () => undefined,
    unref: () => undefined,
  });
  return { posted, worker };
}

describe("TraceThread", () => {
  it("takes everything without a word after the thread has died, which the log is told once", async () => {
    const { posted, worker } = fakeWorker();
    const log = newLog();
    const thread = new TraceThread(worker as unknown as Worker, log);
    worker.emit("message", { kind: "opened" });
    await thread.opened;
    let taken = 0;
    thread.onTaken(() => taken++);
    thread.take(segmentOf("a"));
    worker.emit("error", new Error("out of memory"));
    worker.emit("exit", 1);
    thread.take(segmentOf("b"));
    await thread.close(0);
    expect(taken).toBe(2);
    expect(posted).toHaveLength(1);
    expect(log.messages).toEqual(["nothing is traced any more until the next start: its thread died: out of memory"]);
  });

  it("tells the log when the thread dies over its last lines", async () => {
    const { worker } = fakeWorker();
    const log = newLog();
    const thread = new TraceThread(worker as unknown as Worker, log);
    worker.emit("message", { kind: "opened" });
    const closed = thread.close(0);
    worker.emit("error", new Error("out of memory"));
    worker.emit("exit", 1);
    await closed;
    expect(log.messages).toEqual(["the trace's last lines are missing: its thread died: out of memory"]);
  });

  it("really ends a thread that throws, and goes on without it", async () => {
    await withTemporaryDirectory(async (directory) => {
      const log = newLog();
      const thread = await startTraceThread(dataFor(join(directory, "trace.json")), log);
      const free = new Promise<void>((resolve) => {
        thread.onTaken(resolve);
      });
      thread.start(0 as Seq);
      // No memory that could be shared has such a size.
      thread.take({ memory: new SharedArrayBuffer(7), length: 7 } as unknown as TraceSegment);
      await free;
      await thread.close(0);
      expect(log.messages).toEqual([expect.stringMatching(/^nothing is traced any more .* its thread died: /)]);
    });
  });
});
