/**
 * The recorder's thread: wires the recorders of all branches to the real disk and to the threads that serve them.
 *
 * Owns which forks are recorded. All share the maintenance of the repository, which main's loop drives: what seals a pack and
 * what removes one never run at the same time. An error at start ends the thread, and `startRecorder` reports it; a fork that
 * cannot be recorded hinders nobody else.
 */
import { performance } from "node:perf_hooks";
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { DirectoryUsers } from "../../platform/directory-users.js";
import { setThreadPriority } from "../../platform/thread-priority.js";
import { nodeFileSystem } from "../../platform/node-file-system.js";
import { messageOf } from "../../platform/error-message.js";
import type {
  ForkRecorderData,
  RecorderReport,
  RecorderRequest,
  RecorderWorkerData,
  ThreadRequest,
} from "./messages.js";
import { hexFromOid, oidFromHex } from "../object/oid.js";
import { openRecorder } from "./open-recorder.js";
import { OwnForks } from "./own-forks.js";
import { HistoryRecorder } from "./recorder.js";
import { RecorderLoop, type LoopMaintenance } from "./recorder-loop.js";

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
const forks = new OwnForks();
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
  forks,
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
const urgent = new Set<RecorderLoop>();
const setUrgent = (asking: RecorderLoop, isUrgent: boolean): void => {
  const wasUrgent = urgent.size > 0;
  if (isUrgent) urgent.add(asking);
  else urgent.delete(asking);
  if (wasUrgent !== urgent.size > 0) setThreadPriority(wasUrgent ? NICE : NICE_WHEN_URGENT);
};
const loop = new RecorderLoop({
  fileSystem,
  journalDirectory,
  recorder,
  maintenance,
  sealMilliseconds,
  report,
  monotonicMilliseconds,
  setUrgent: (isUrgent) => {
    setUrgent(loop, isUrgent);
  },
});

/** A fork's packs are merged with the others, and its history is dropped with main's. */
const maintenanceOf = (ref: string, forkRecorder: HistoryRecorder): LoopMaintenance => ({
  isDue: false,
  isPressing: false,
  millisecondsUntilDue: () => undefined,
  progress: () => maintenance.progress(),
  noteSeal: (pack) => {
    const { tip } = forkRecorder.progress();
    if (tip !== undefined) forks.moved(ref, oidFromHex(tip));
    maintenance.noteSeal(pack);
    loop.lookAtMaintenance();
  },
  compact: (_revision, answer) => {
    answer({ refusal: "a fork's history is dropped with main's: ask on the daemon's main socket" });
  },
  step: () => undefined,
  close: () => undefined,
});

function recordFork(fork: ForkRecorderData, forkPort: MessagePort): void {
  const reportFork = (message: RecorderReport): void => {
    forkPort.postMessage(message);
  };
  const { ref, journalDirectory: directory, forkedFrom } = fork;
  let forkLoop: RecorderLoop;
  try {
    const forkRecorder = new HistoryRecorder({ fileSystem, repositoryDirectory, hostName, ref, forkedFrom });
    forks.open(ref, oidFromHex(forkRecorder.progress().tip ?? hexFromOid(forkedFrom.oid)));
    forkLoop = new RecorderLoop({
      fileSystem,
      journalDirectory: directory,
      recorder: forkRecorder,
      maintenance: maintenanceOf(ref, forkRecorder),
      sealMilliseconds,
      report: reportFork,
      monotonicMilliseconds,
      setUrgent: (isUrgent) => {
        setUrgent(forkLoop, isUrgent);
      },
    });
  } catch (error) {
    reportFork({ kind: "startFailure", reason: messageOf(error) });
    forkPort.close();
    return;
  }
  let isClosed = false;
  const close = (): void => {
    // Once: by then another fork may have its name.
    if (isClosed) return;
    isClosed = true;
    forkLoop.handle({ kind: "close" });
    forks.closed(ref);
    setUrgent(forkLoop, false);
  };
  forkPort.on("message", (request: RecorderRequest) => {
    if (request.kind === "close") {
      close();
      forkPort.close();
    } else forkLoop.handle(request);
  });
  // The fork's thread has died: what it had acknowledged is in its journal.
  forkPort.on("close", close);
  reportFork({ kind: "started", progress: forkLoop.progress() });
}

port.on("message", (request: ThreadRequest) => {
  if (request.kind === "fork") {
    recordFork(request.fork, request.port);
    return;
  }
  loop.handle(request);
  if (request.kind === "close") port.close();
});
setThreadPriority(NICE);
report({ kind: "started", progress: loop.progress() });
