/**
 * A fork's thread, as the main thread sees it.
 *
 * Owns the thread and the questions that wait for its answers.
 */
import type { MessagePort, Worker } from "node:worker_threads";
import type { ForkOrder, ForkReport, ForkWorkerData } from "./fork-messages.js";
import type { CoreLink, CoreQuestions } from "./http/messages.js";
import { messageOf } from "./platform/error-message.js";
import type { LogFields, LogLevel } from "./platform/log.js";
import { PendingAnswers } from "./platform/pending-answers.js";
import { startWorker } from "./platform/worker.js";

/** Who hears of a fork. */
export interface ForkHost {
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** It has died by itself after it had been served; the reason is for people. */
  died(reason: string): void;
  /** Has the recorder's thread record it; gives the way there. */
  record(): MessagePort;
}

/** A thread that serves one fork. */
export class ForkThread implements CoreLink {
  /** Resolves when the fork is served. @throws an error for people when it cannot be */
  readonly started: Promise<void>;
  readonly #worker: Worker;
  readonly #pending = new PendingAnswers();
  #isStopping = false;
  #isComplete = false;
  #hasEnded = false;
  readonly #ended: Promise<void>;

  constructor(data: ForkWorkerData, host: ForkHost) {
    const worker = startWorker(new URL("./fork-worker.js", import.meta.url), data);
    this.#worker = worker;
    if (data.isNew) this.#record(host.record());
    let reason = "its thread ended by itself";
    let hasStarted = false;
    this.started = new Promise((resolve, reject) => {
      worker.on("message", (report: ForkReport) => {
        if (report.kind === "log") host.log(report.level, report.message, report.fields);
        else if (report.kind === "stopped") this.#isComplete = report.isComplete;
        else if (report.kind === "checked") this.#record(host.record());
        else if (report.kind === "started") {
          hasStarted = true;
          resolve();
        } else this.#receive(report);
      });
      worker.on("error", (error) => {
        reason = messageOf(error);
      });
      worker.on("exit", () => {
        reject(new Error(reason));
      });
    });
    this.#ended = new Promise((resolve) => {
      worker.on("exit", () => {
        this.#hasEnded = true;
        this.#pending.rejectAll(new Error(`the fork is not served any more: ${reason}`));
        if (hasStarted && !this.#isStopping) host.died(reason);
        resolve();
      });
    });
  }

  async ask<Name extends keyof CoreQuestions>(
    name: Name,
    asked: CoreQuestions[Name]["asked"],
  ): Promise<CoreQuestions[Name]["answer"]> {
    if (this.#hasEnded) throw new Error("the fork is not served any more");
    return await this.#pending.ask((id) => {
      this.#send({ kind: "ask", id, name, asked });
    });
  }

  /** Has it close its sockets and seal what it acknowledged; resolves to whether all has ended well. */
  async stop(): Promise<boolean> {
    this.#isStopping = true;
    this.#send({ kind: "stop" });
    await this.#ended;
    return this.#isComplete;
  }

  #record(recorderPort: MessagePort): void {
    this.#worker.postMessage({ kind: "record", recorderPort } satisfies ForkOrder, [recorderPort]);
  }

  #send(order: ForkOrder): void {
    this.#worker.postMessage(order);
  }

  #receive(report: Extract<ForkReport, { readonly id: number }>): void {
    if (report.kind === "answer") this.#pending.resolve(report.id, report.answer);
    else this.#pending.reject(report.id, new Error(report.reason));
  }
}
