/**
 * The console, as the main thread sees it.
 *
 * Owns the thread's life: a console that dies by itself is started again, since clients of the wire protocol do not need it and
 * whoever looks for a fault does.
 */
import type { Worker } from "node:worker_threads";
import { messageOf } from "../platform/error-message.js";
import { startWorker } from "../platform/worker.js";
import { UnknownForkError } from "./branch-link.js";
import type {
  Asked,
  ConsoleOrder,
  ConsoleReport,
  ConsoleWorkerData,
  CoreQuestions,
  DaemonLink,
  ForkQuestions,
} from "./messages.js";

/** What the console needs of the main thread. */
export interface ConsoleHost {
  /** Answers its questions. */
  readonly daemon: DaemonLink;
  /** Told what goes wrong, as text for the operator. */
  readonly log: (level: "warn" | "error", text: string) => void;
}

/** A console that runs. */
export interface Console {
  /** Where browsers reach it; undefined where they do not. */
  readonly url: string | undefined;
  /** Closes the socket; resolves when the thread has ended. */
  close(): Promise<void>;
}

/** How long a console that died is left dead: what kills it at once again must not keep a processor busy. */
const RESTART_MILLISECONDS = 1000;

/** Starts the console; resolves when its socket is there. Throws an error for people when it cannot. */
export async function startConsole(data: ConsoleWorkerData, host: ConsoleHost): Promise<Console> {
  const thread = new ConsoleThread(data, host);
  await thread.start();
  return thread;
}

class ConsoleThread implements Console {
  readonly #data: ConsoleWorkerData;
  readonly #host: ConsoleHost;
  #worker: Worker | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #url: string | undefined;

  constructor(data: ConsoleWorkerData, host: ConsoleHost) {
    this.#data = data;
    this.#host = host;
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = startWorker(new URL("./worker.js", import.meta.url), this.#data);
      this.#worker = worker;
      let hasStarted = false;
      let reason = "it ended by itself";
      worker.on("message", (report: ConsoleReport) => {
        if (report.kind === "started") {
          hasStarted = true;
          this.#url = report.url;
          if (report.problem !== undefined) this.#host.log("warn", report.problem);
          resolve();
        } else this.#receive(worker, report);
      });
      worker.on("error", (error) => {
        reason = messageOf(error);
      });
      worker.on("exit", () => {
        if (this.#worker === worker) this.#worker = undefined;
        if (!hasStarted) reject(new Error(`the admin socket ${this.#data.socketPath} cannot be served: ${reason}`));
        else if (this.#closing === undefined) this.#restartAfter(reason);
      });
    });
  }

  get url(): string | undefined {
    return this.#url;
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#end());
  }

  async #end(): Promise<void> {
    clearTimeout(this.#restartTimer);
    const worker = this.#worker;
    if (worker === undefined) return;
    await new Promise<void>((resolve) => {
      worker.once("exit", () => {
        resolve();
      });
      worker.postMessage({ kind: "close" } satisfies ConsoleOrder);
    });
  }

  #restartAfter(reason: string): void {
    this.#host.log("error", `the console died, and is started again: ${reason}`);
    this.#restartTimer = setTimeout(() => {
      this.start().catch((error: unknown) => {
        if (this.#closing === undefined) this.#restartAfter(messageOf(error));
      });
    }, RESTART_MILLISECONDS);
  }

  #receive(worker: Worker, report: Exclude<ConsoleReport, { readonly kind: "started" }>): void {
    if (report.kind === "failure") {
      this.#host.log("error", report.text);
      return;
    }
    const { id, of, name, asked } = report;
    this.#answer(of, name, asked).then(
      (answer) => {
        worker.postMessage({ kind: "answer", id, answer } satisfies ConsoleOrder);
      },
      (error: unknown) => {
        const unknownFork = error instanceof UnknownForkError ? error.fork : undefined;
        worker.postMessage({ kind: "refusal", id, reason: messageOf(error), unknownFork } satisfies ConsoleOrder);
      },
    );
  }

  async #answer(of: Asked, name: string, asked: unknown): Promise<unknown> {
    const { daemon } = this.#host;
    if (of.about === "forks") return await daemon.forks.ask(name as keyof ForkQuestions, asked as never);
    return await daemon.branch(of.branch).ask(name as keyof CoreQuestions, asked as never);
  }
}
