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
import type { BrowserReach, ConsolePorts } from "./console-ports.js";
import { explorerDirectoryOf } from "./explorer-files.js";
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
const { socketPath, repositoryDirectory, http, traceFile } = workerData as ConsoleWorkerData;

const NICE = 10;
const UNREACHED = "browsers cannot reach the console, and clients are not concerned";

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
  traceFile,
  explorerDirectory: explorerDirectoryOf(import.meta.url),
  browsers,
  failed: (text) => {
    report({ kind: "failure", text });
  },
};
const app = createConsole(ports);
const tcp: Promise<TcpConsole> | undefined = http && openTcp(ports, http);

/** Undefined where they are not to reach it. */
async function browsers(): Promise<BrowserReach | undefined> {
  try {
    return await tcp;
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

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

// While the socket is opened too: it tells of the other.
const reached = browsers();
// Left by a daemon that was killed: this one holds the directory's lock.
rmSync(socketPath, { force: true });
await app.listen({ path: socketPath });
// The directory is private and so is the umask; this is for who looks.
chmodSync(socketPath, 0o600);
const reach = await reached;
report({
  kind: "started",
  url: reach !== undefined && "url" in reach ? reach.url : undefined,
  problem: reach !== undefined && "problem" in reach ? `${UNREACHED}: ${reach.problem}` : undefined,
});
