/**
 * The console's thread: wires the console to the real disk, its socket, and the main thread.
 *
 * Owns nothing but the wiring. An error at start ends the thread, and `startConsole` reports it.
 */
import { chmodSync, rmSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { openHistory } from "../history/query/history.js";
import { MAIN_BRANCH } from "../history/query/refs.js";
import { messageOf } from "../platform/error-message.js";
import { createNodeClock } from "../platform/node-clock.js";
import { nodeFileSystem } from "../platform/node-file-system.js";
import { PendingAnswers } from "../platform/pending-answers.js";
import { setThreadPriority } from "../platform/thread-priority.js";
import { UnknownForkError } from "./branch-link.js";
import { createConsole } from "./console.js";
import type { ConsolePorts } from "./console-ports.js";
import type {
  Asked,
  ConsoleOrder,
  ConsoleReport,
  ConsoleWorkerData,
  CoreLink,
  ForkQuestions,
  Link,
} from "./messages.js";
import { openTcp, type TcpConsole } from "./tcp-console.js";

if (parentPort === null) throw new Error("this module is a worker thread: see handle.ts");
const port = parentPort;
const { socketPath, repositoryDirectory, http } = workerData as ConsoleWorkerData;

const NICE = 10;

/** Who waits for a reply on the wire comes before who looks for a fault. */
setThreadPriority(NICE);

const pending = new PendingAnswers();

const report = (message: ConsoleReport): void => {
  port.postMessage(message);
};

function ask(of: Asked, name: string, asked: unknown): Promise<never> {
  return pending.ask((id) => {
    report({ kind: "ask", id, of, name, asked });
  });
}

const forks: Link<ForkQuestions> = { ask: (name, asked) => ask({ about: "forks" }, name, asked) };
const branch = (name: string): CoreLink => ({
  ask: (question, asked) => ask({ about: "branch", branch: name }, question, asked),
});

const history = openHistory(nodeFileSystem, repositoryDirectory);
const ports: ConsolePorts = {
  fileSystem: nodeFileSystem,
  repositoryDirectory,
  history,
  daemon: { core: branch(MAIN_BRANCH), forks, branch },
  clock: createNodeClock(),
  failed: (text) => {
    report({ kind: "failure", text });
  },
};
const app = createConsole(ports);
let tcp: Promise<TcpConsole> | undefined;

async function close(): Promise<void> {
  // What cannot be opened need not be closed.
  const closeTcp = async (): Promise<void> => await (await tcp?.catch(() => undefined))?.close();
  await Promise.all([app.close(), closeTcp()]);
  history.close();
  port.close();
}

port.on("message", (order: ConsoleOrder) => {
  if (order.kind === "close") {
    close().catch((error: unknown) => {
      report({ kind: "failure", text: `the admin socket was not closed: ${messageOf(error)}` });
      port.close();
    });
    return;
  }
  const { id } = order;
  if (order.kind === "answer") pending.resolve(id, order.answer);
  else {
    const { reason, unknownFork } = order;
    pending.reject(id, unknownFork === undefined ? new Error(reason) : new UnknownForkError(unknownFork));
  }
});

// Left by a daemon that was killed: this one holds the directory's lock.
rmSync(socketPath, { force: true });
await app.listen({ path: socketPath });
// The directory is private and so is the umask; this is for who looks.
chmodSync(socketPath, 0o600);
let url: string | undefined;
let problem: string | undefined;
try {
  if (http !== undefined) ({ url } = await (tcp = openTcp(ports, http)));
} catch (error) {
  problem = `browsers cannot reach the console, and clients are not concerned: ${messageOf(error)}`;
}
report({ kind: "started", url, problem });
