/**
 * The request trace's thread: wires the writer to the real disk and to the main thread.
 *
 * Owns nothing. Who waits for a reply comes before the trace, which has time as long as its records have room.
 */
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../platform/error-message.js";
import type { RateLimitedLog } from "../platform/log.js";
import { createNodeClock } from "../platform/node-clock.js";
import { nodeFileSystem } from "../platform/node-file-system.js";
import { setThreadPriority } from "../platform/thread-priority.js";
import type { TraceReport, TraceRequest, TraceWorkerData } from "./messages.js";
import { TraceFile } from "./trace-file.js";
import { TraceWriter } from "./trace-writer.js";

const NICE = 5;
const NICE_WHEN_AWAITED = 0;

if (parentPort === null) throw new Error("this module is a worker thread: see handle.ts");
const port = parentPort;

const report = (message: TraceReport): void => {
  port.postMessage(message);
};
/** The main thread limits the rate. */
const log: RateLimitedLog = {
  log: (level, key, message) => {
    report({ kind: "log", level, key, message });
  },
  flush: () => undefined,
};

function serve(file: TraceFile): void {
  let writer: TraceWriter | undefined;
  port.on("message", (request: TraceRequest) => {
    switch (request.kind) {
      case "start":
        writer = new TraceWriter(file, request.seq);
        break;
      case "take":
        writer?.take(request.memory, request.length);
        report({ kind: "taken" });
        break;
      case "reopen":
        writer?.reopen();
        break;
      case "close":
        setThreadPriority(NICE_WHEN_AWAITED);
        writer?.close(request.dropped);
        port.close();
        break;
    }
  });
  setThreadPriority(NICE);
  report({ kind: "opened" });
}

try {
  const options = workerData as TraceWorkerData;
  serve(new TraceFile({ ...options, fileSystem: nodeFileSystem, clock: createNodeClock(), log }));
} catch (error) {
  report({ kind: "refused", reason: messageOf(error) });
}
