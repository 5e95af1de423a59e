/**
 * A fork's thread: serves one branch beside main.
 *
 * Owns nothing but the order of start and stop. A thread of its own, because a replayed storm on a fork must not delay the
 * host's clients, and because loading a state of 100,000 nodes takes some hundred milliseconds. An error at start ends the
 * thread, and `ForkThread` reports it.
 */
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import {
  flushNowAndThen,
  recoverBranch,
  serveBranch,
  type BranchConfig,
  type BranchPorts,
  type Closing,
} from "./branch.js";
import { checkFork } from "./fork-check.js";
import type { ForkOrder, ForkReport, ForkWorkerData } from "./fork-messages.js";
import { connectRecorder } from "./history/recorder/handle.js";
import { refOfBranch } from "./history/repository/layout.js";
import type { CoreQuestions } from "./http/messages.js";
import { parsePathGlob } from "./journal/path-glob.js";
import { messageOf } from "./platform/error-message.js";
import { limitRate, loggerOf } from "./platform/log.js";
import { createNodeClock } from "./platform/node-clock.js";
import { nodeFileSystem } from "./platform/node-file-system.js";
import { nodeTimers } from "./platform/node-timers.js";
import { setThreadPriority } from "./platform/thread-priority.js";
import { createListener } from "./server/choose-listener.js";

/** The clients of main come first. */
const NICE = 5;

if (parentPort === null) throw new Error("this module is a worker thread: see fork-thread.ts");
const port = parentPort;
const { config: cloned, base, baseSeq, isNew, redact, listenerKind } = workerData as ForkWorkerData;
const config: BranchConfig = { ...cloned, redact: redact.map(parsePathGlob) };

setThreadPriority(NICE);

const report = (message: ForkReport): void => {
  port.postMessage(message);
};

const logger = loggerOf(
  (level, message, fields) => {
    report({ kind: "log", level, message, fields });
  },
  { reopen: () => undefined, close: () => undefined },
);
const clock = createNodeClock();
const log = limitRate(logger, clock);
const listener = createListener(listenerKind, (problem) => {
  log.log("error", "accept", problem);
});
const ports: BranchPorts = { fileSystem: nodeFileSystem, clock, timers: nodeTimers, listener, logger };

// From the beginning on: a message that nobody listens to is lost.
let begin: () => void = () => undefined;
const started = new Promise<void>((resolve) => {
  begin = resolve;
});
const recording = new Promise<MessagePort>((resolve) => {
  port.on("message", (order: ForkOrder) => {
    if (order.kind === "record") resolve(order.recorderPort);
    else if (order.kind === "ask") void answer(order.id, order.name, order.asked);
    else void started.then(stop);
  });
});

const { repositoryDirectory, branch: name } = config;
if (!isNew) {
  checkFork({ fileSystem: nodeFileSystem, repositoryDirectory, ref: refOfBranch(name), base, baseSeq });
  report({ kind: "checked" });
}
const recorderPort = await recording;
const connecting = connectRecorder(recorderPort);
// Where the state cannot be loaded, that is what there is to tell.
connecting.catch(() => undefined);
const recovered = recoverBranch(ports, config);
const endLog = flushNowAndThen(log);
// What is left open when this throws ends with the thread.
const opened: Closing[] = [];
const branch = await serveBranch(ports, config, { recovered, recorder: await connecting, log }, opened);

async function answer(id: number, question: keyof CoreQuestions, asked: unknown): Promise<void> {
  try {
    report({ kind: "answer", id, answer: await branch.link.ask(question, asked as never) });
  } catch (error) {
    report({ kind: "refusal", id, reason: messageOf(error) });
  }
}

async function stop(): Promise<void> {
  branch.stop();
  const isComplete = await branch.closeRecorder();
  branch.close();
  endLog();
  report({ kind: "stopped", isComplete });
  port.close();
  recorderPort.close();
}

report({ kind: "started" });
begin();
