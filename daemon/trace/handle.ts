/**
 * The request trace's thread as the main thread sees it.
 *
 * Owns the worker and the messages to it. Nothing here blocks, and a thread that dies takes nothing with it but the trace.
 *
 *   const thread = await startTraceThread(…);   // FILE is open
 *   thread.start(seq);                          // the state is loaded
 *   const trace = new RequestTrace({ sink: thread, … });
 *   await trace.close();
 */
import type { Worker } from "node:worker_threads";
import type { Seq } from "../../protocol/identifiers.js";
import { messageOf } from "../platform/error-message.js";
import type { RateLimitedLog } from "../platform/log.js";
import { startWorker } from "../platform/worker.js";
import type { TraceReport, TraceRequest, TraceWorkerData } from "./messages.js";
import type { TraceSink } from "./request-trace.js";
import type { TraceSegment } from "./trace-record.js";

/**
 * Starts the thread; resolves when it has opened the trace's file.
 *
 * @throws an error for people when the file cannot be opened
 */
export async function startTraceThread(data: TraceWorkerData, log: RateLimitedLog): Promise<TraceThread> {
  const thread = new TraceThread(startWorker(new URL("./worker.js", import.meta.url), data), log);
  await thread.opened;
  return thread;
}

/** A thread that has been started, and has told nothing yet. */
export class TraceThread implements TraceSink {
  /** Resolves when the file is open; rejects when it cannot be opened. */
  readonly opened: Promise<void>;
  readonly #worker: Worker;
  readonly #log: RateLimitedLog;
  #hasOpened: () => void = () => undefined;
  #refuse: (error: Error) => void = () => undefined;
  #taken: () => void = () => undefined;
  #waiting = 0;
  /** It is to end, or has said that it will. */
  #isEnding = false;
  #isDead = false;
  #hasExited = false;
  #exited: () => void = () => undefined;
  readonly #exit = new Promise<void>((resolve) => {
    this.#exited = resolve;
  });

  constructor(worker: Worker, log: RateLimitedLog) {
    this.#worker = worker;
    this.#log = log;
    this.opened = new Promise((resolve, reject) => {
      this.#hasOpened = resolve;
      this.#refuse = reject;
    });
    worker.on("message", (report: TraceReport) => {
      this.#receive(report);
    });
    worker.on("error", (error) => {
      this.#die(messageOf(error));
    });
    worker.on("exit", (code) => {
      if (code !== 0 || !this.#isEnding) this.#die("it ended by itself");
      this.#hasExited = true;
      this.#exited();
      // Whoever hands something over is not to wait for it.
      while (this.#waiting > 0) this.#takeNext();
    });
  }

  /** Begins with a header. @param seq - of the last commit */
  start(seq: Seq): void {
    this.#send({ kind: "start", seq });
  }

  take({ memory, length }: TraceSegment): void {
    this.#waiting++;
    this.#send({ kind: "take", memory, length });
    if (this.#hasExited) this.#takeNext();
  }

  onTaken(callback: () => void): void {
    this.#taken = callback;
  }

  reopen(): void {
    this.#send({ kind: "reopen" });
  }

  async close(dropped: number): Promise<void> {
    this.#isEnding = true;
    this.#worker.ref();
    this.#send({ kind: "close", dropped });
    await this.#exit;
  }

  #send(request: TraceRequest): void {
    if (!this.#hasExited) this.#worker.postMessage(request);
  }

  #takeNext(): void {
    this.#waiting--;
    this.#taken();
  }

  #receive(report: TraceReport): void {
    switch (report.kind) {
      case "opened":
        // From here on it keeps no process alive that fails to start, or that has nothing else to do.
        this.#worker.unref();
        this.#hasOpened();
        break;
      case "refused":
        this.#isEnding = true;
        this.#refuse(new Error(report.reason));
        break;
      case "taken":
        this.#takeNext();
        break;
      case "log":
        this.#log.log(report.level, report.key, report.message);
        break;
    }
  }

  #die(reason: string): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#refuse(new Error(`the request trace cannot be written: its thread died: ${reason}`));
    const loss = this.#isEnding
      ? "the trace's last lines are missing"
      : "nothing is traced any more until the next start";
    this.#log.log("error", "trace thread", `${loss}: its thread died: ${reason}`);
  }
}
