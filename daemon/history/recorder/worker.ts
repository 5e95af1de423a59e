/**
 * The recorder's thread: wires the recorder to the real disk and to the main thread.
 *
 * Owns nothing. An error at start ends the thread, and `startRecorder` reports it.
 */
import { performance } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { DirectoryUsers } from "../../platform/directory-users.js";
import { lowerThreadPriority } from "../../platform/thread-priority.js";
import { nodeFileSystem } from "../../platform/node-file-system.js";
import type { RecorderReport, RecorderRequest, RecorderWorkerData } from "./messages.js";
import { openRecorder } from "./open-recorder.js";
import { RecorderLoop } from "./recorder-loop.js";

/**
 * Who waits for a reply comes before the history: on two busy processors the recorder takes a tenth of what it would, and
 * where it falls behind for long, the write gate makes room for it.
 */
const NICE = 10;

if (parentPort === null) throw new Error("this module is a worker thread: see handle.ts");
const port = parentPort;
const options = workerData as RecorderWorkerData;
const { repositoryDirectory, journalDirectory, ref, hostName, sealMilliseconds } = options;
const fileSystem = nodeFileSystem;

const report = (message: RecorderReport): void => {
  port.postMessage(message);
};
const monotonicMilliseconds = (): number => performance.now();
const directoryUsers = new DirectoryUsers({ monotonicMilliseconds });
const { recorder, maintenance } = openRecorder({
  fileSystem,
  repositoryDirectory,
  ref,
  hostName,
  monotonicMilliseconds,
  retirementMillisecondsMin: options.retirementMillisecondsMin,
  retirementMilliseconds: options.retirementMilliseconds,
  isInUse: (directory) => directoryUsers.isInUse(directory),
  onFailure: (reason) => {
    report({ kind: "maintenanceFailure", reason });
  },
  retention: {
    limits: options.retention,
    onDropped: (text) => {
      report({ kind: "dropped", text, progress: loop.progress() });
    },
  },
});
const loop = new RecorderLoop({ fileSystem, journalDirectory, recorder, maintenance, sealMilliseconds, report });
port.on("message", (request: RecorderRequest) => {
  loop.handle(request);
  if (request.kind === "close") port.close();
});
lowerThreadPriority(NICE);
report({ kind: "started", progress: loop.progress() });
