/**
 * The recorder's thread: wires the recorder to the real disk and to the main thread.
 *
 * Owns nothing. An error at start ends the thread, and `startRecorder` reports it.
 */
import { performance } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { DirectoryUsers } from "../../platform/directory-users.js";
import { setThreadPriority } from "../../platform/thread-priority.js";
import { nodeFileSystem } from "../../platform/node-file-system.js";
import type { RecorderReport, RecorderRequest, RecorderWorkerData } from "./messages.js";
import { openRecorder } from "./open-recorder.js";
import { RecorderLoop } from "./recorder-loop.js";

/**
 * Who waits for a reply comes before the history: on two busy processors the recorder takes a tenth of what it would. But
 * where somebody waits for the recorder (a flush, a stop, writers that the gate holds), it is as urgent as they are; without
 * the privilege to become so it stays modest.
 */
const NICE = 10;
const NICE_WHEN_URGENT = 0;

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
const setUrgent = (isUrgent: boolean): void => {
  setThreadPriority(isUrgent ? NICE_WHEN_URGENT : NICE);
};
const loop = new RecorderLoop({
  fileSystem,
  journalDirectory,
  recorder,
  maintenance,
  sealMilliseconds,
  report,
  setUrgent,
});
port.on("message", (request: RecorderRequest) => {
  loop.handle(request);
  if (request.kind === "close") port.close();
});
setUrgent(false);
report({ kind: "started", progress: loop.progress() });
