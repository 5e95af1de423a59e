/**
 * The recorder as the main thread sees it.
 *
 * Owns the worker and the messages to it. Nothing here blocks: publishing is a field and now and then a message.
 *
 *   const recorder = await startRecorder(…);      // loads the tip; the journal has been opened before
 *   recorder.publish(journal.append(commits));    // after every append (after the sync, under `power` durability)
 *   await recorder.flush();                       // before somebody looks at the history
 *   await recorder.close();
 *
 * A fork has its own thread, which speaks with the recorder's directly: `openFork` gives the port that goes there, and
 * `connectRecorder` makes a recorder of it.
 */
import { MessageChannel, type MessagePort, type Transferable } from "node:worker_threads";
import type { Seq } from "../../../protocol/identifiers.js";
import { journalDirectory } from "../../journal/journal-directory.js";
import { refOfBranch } from "../repository/layout.js";
import type { PassedOver } from "../../journal/bad-line.js";
import type { JournalPosition } from "../../journal/journal.js";
import { startWorker } from "../../platform/worker.js";
import type {
  ForkRecorderData,
  RecorderReport,
  RecorderWorkerData,
  ThreadRequest,
  WorkerProgress,
} from "./messages.js";
import type { RetentionLimits } from "./retention-plan.js";
import { messageOf } from "../../platform/error-message.js";

/** How to start a recorder. */
export interface StartRecorderOptions {
  /** Absolute; the journal is in `journal/BRANCH` and the repository, made when it is missing, in `store.git` below it. */
  readonly stateDirectory: string;
  readonly branch: string;
  /** Part of the addresses in commits. */
  readonly hostName: string;
  /** Longest that a recorded commit waits for its pack; 500 unless told. */
  readonly sealMilliseconds?: number;
  /** How long packs that were merged into another stay at least; 10,000 unless told. */
  readonly retirementMillisecondsMin?: number;
  /** How long they stay when another process has packs of the repository open; 300,000 unless told. */
  readonly retirementMilliseconds?: number;
  /** How much history stays; all of it unless told. */
  readonly retention?: RetentionLimits;
}

/** Where the recorder is; but for `publishedSeq` as it last told, some milliseconds ago. */
export interface RecorderStatus extends WorkerProgress {
  /** The last commit that it was told of. */
  readonly publishedSeq: Seq;
  /** What keeps it from sealing, until the next seal; undefined while nothing does. */
  readonly trouble: RecorderTrouble | undefined;
}

/** Why the recorder does not seal. */
export interface RecorderTrouble {
  /** As text for people. */
  readonly reason: string;
  /** Whether nothing is recorded any more until the next start; else it is tried again. */
  readonly isFinal: boolean;
}

/** The recorder has failed, or one attempt to seal has. */
export class RecorderError extends Error {
  override readonly name = "RecorderError";
}

/** How a flush is done. */
export interface FlushOptions {
  /** Whether it comes after those who wait for a reply: then the recorder stays as modest as it is, for a second. */
  readonly isPatient?: boolean;
}

/** A running recorder. */
export interface Recorder {
  /** Tells that the journal may be read up to here. */
  publish(position: JournalPosition): void;
  /**
   * Resolves when everything published before is in the repository and the ref names it.
   *
   * @throws RecorderError when that cannot be done now; the journal keeps it
   */
  flush(options?: FlushOptions): Promise<RecorderStatus>;
  /**
   * Drops the history before a commit, which may be one that was just published; resolves when it begins there and the
   * space is free, or will be in some minutes.
   *
   * @param revision - as CONTROL `compact` takes it
   * @returns why nothing was done, when the revision makes no sense
   * @throws RecorderError when it cannot be done now
   */
  compact(revision: string): Promise<{ readonly refusal: string | undefined }>;
  /** Flushes, then ends the thread (of a fork's recorder: the recording of the fork), also when the flush fails; rejects with what `flush` throws. May be called again. */
  close(): Promise<void>;
  status(): RecorderStatus;
  /** That of `status()`, which puts ten things together: for who asks at every tick. */
  readonly sealedSeq: Seq;
  /** That of `status()`. */
  readonly trouble: RecorderTrouble | undefined;
  /** Calls back after every seal. */
  onSealed(callback: (status: RecorderStatus) => void): void;
  /** Calls back when history was dropped, with words for the log. */
  onDropped(callback: (text: string) => void): void;
  /** Calls back when a seal failed (it is tried again) or the recorder did (for good, which the message says). */
  onFailure(callback: (error: Error) => void): void;
  /** Calls back when the journal is bad where the history has all its commits. */
  onPassedOver(callback: (bad: PassedOver) => void): void;
}

/** The recorder of main, whose thread records the forks too. */
export interface MainRecorder extends Recorder {
  /**
   * Has a fork recorded as well.
   *
   * @returns what `connectRecorder` makes a recorder of, in whichever thread
   */
  openFork(fork: ForkRecorderData): MessagePort;
}

const SEAL_MILLISECONDS = 500;
/** For who has listed the packs and not yet opened them. */
const RETIREMENT_MILLISECONDS_MIN = 10_000;
/** For who has them open and opens them again; most things that people do with Git take less. */
const RETIREMENT_MILLISECONDS = 300_000;
const ALL_HISTORY: RetentionLimits = { keepCommits: undefined, keepSeconds: undefined };

/**
 * Starts the recorder's thread; resolves when it has loaded the tip.
 *
 * @throws RecorderError when the history cannot be gone on with, in words for people
 */
export async function startRecorder(options: StartRecorderOptions): Promise<MainRecorder> {
  const { stateDirectory, branch, hostName, sealMilliseconds = SEAL_MILLISECONDS } = options;
  const data: RecorderWorkerData = {
    repositoryDirectory: `${stateDirectory}/store.git`,
    journalDirectory: journalDirectory(stateDirectory, branch),
    ref: refOfBranch(branch),
    hostName,
    sealMilliseconds,
    retirementMillisecondsMin: options.retirementMillisecondsMin ?? RETIREMENT_MILLISECONDS_MIN,
    retirementMilliseconds: options.retirementMilliseconds ?? RETIREMENT_MILLISECONDS,
    retention: options.retention ?? ALL_HISTORY,
  };
  const recorder = new WorkerRecorder(startWorker(new URL("./worker.js", import.meta.url), data));
  await recorder.started;
  return recorder;
}

/**
 * The recorder of a fork; resolves when it has loaded the fork's tip.
 *
 * @throws RecorderError when the history cannot be gone on with, in words for people
 */
export async function connectRecorder(port: MessagePort): Promise<Recorder> {
  const recorder = new WorkerRecorder({
    postMessage: (request, transferred) => {
      port.postMessage(request, transferred);
    },
    on: (event: string, listener: (told: never) => void): void => {
      // The other end closes when the thread dies, too.
      if (event !== "error") port.on(event === "exit" ? "close" : event, listener as () => void);
    },
  });
  await recorder.started;
  return recorder;
}

/** A thread, or a channel to one. */
export interface RecorderThread {
  postMessage(request: ThreadRequest, transferred?: readonly Transferable[]): void;
  on(event: "message", listener: (report: RecorderReport) => void): void;
  on(event: "error", listener: (error: unknown) => void): void;
  on(event: "exit", listener: () => void): void;
}

interface PendingCompaction {
  readonly resolve: (answer: { readonly refusal: string | undefined }) => void;
  readonly reject: (error: Error) => void;
}

interface PendingFlush {
  readonly resolve: (status: RecorderStatus) => void;
  readonly reject: (error: Error) => void;
}

const NO_PROGRESS: WorkerProgress = {
  tip: undefined,
  sealedSeq: 0 as Seq,
  recordedSeq: 0 as Seq,
  packsSealed: 0,
  bytesSealed: 0,
  packs: 0,
  packBytes: 0,
  packsRetired: 0,
  oldestSeq: undefined,
  maintenanceMilliseconds: 0,
  sealMilliseconds: 0,
};

/** A recorder in a thread that has been started, and has told nothing yet. */
export class WorkerRecorder implements MainRecorder {
  /** Resolves when the tip has been loaded; rejects when the thread dies before. */
  readonly started: Promise<void>;
  readonly #worker: RecorderThread;
  #hasStarted: () => void = () => undefined;
  #hasNotStarted: ((error: Error) => void) | undefined;
  #progress = NO_PROGRESS;
  #trouble: RecorderTrouble | undefined;
  #published: JournalPosition | undefined;
  /** The end that the thread knows of; while `isAwaited`, it has not told of its progress since. */
  #told: JournalPosition | undefined;
  #isAwaited = false;
  #nextId = 1;
  readonly #flushes = new Map<number, PendingFlush>();
  readonly #compactions = new Map<number, PendingCompaction>();
  readonly #droppedCallbacks: ((text: string) => void)[] = [];
  readonly #sealedCallbacks: ((status: RecorderStatus) => void)[] = [];
  readonly #failureCallbacks: ((error: Error) => void)[] = [];
  readonly #passedOverCallbacks: ((bad: PassedOver) => void)[] = [];
  #closing: Promise<void> | undefined;
  #isDead = false;
  #hasExited = false;
  #exited: () => void = () => undefined;
  readonly #exit = new Promise<void>((resolve) => {
    this.#exited = resolve;
  });

  constructor(worker: RecorderThread) {
    this.#worker = worker;
    this.started = new Promise((resolve, reject) => {
      this.#hasStarted = resolve;
      this.#hasNotStarted = reject;
    });
    worker.on("message", (report: RecorderReport) => {
      this.#receive(report);
    });
    worker.on("error", (error) => {
      this.#dieOf(messageOf(error), error);
    });
    worker.on("exit", () => {
      this.#hasExited = true;
      if (this.#closing === undefined) this.#dieOf("it ended by itself", undefined);
      for (const id of this.#flushes.keys()) this.#refuse(id, "the recorder's thread has ended");
      for (const id of this.#compactions.keys()) this.#refuseCompaction(id, "the recorder's thread has ended");
      this.#exited();
    });
  }

  publish(position: JournalPosition): void {
    this.#published = position;
    if (!this.#isAwaited) this.#tellPosition(position);
  }

  flush({ isPatient = false }: FlushOptions = {}): Promise<RecorderStatus> {
    return new Promise((resolve, reject) => {
      if (this.#hasExited) {
        reject(new RecorderError("the recorder's thread has ended"));
        return;
      }
      const id = this.#nextId++;
      this.#flushes.set(id, { resolve, reject });
      this.#send({ kind: "flush", id, position: this.#published, isPatient });
    });
  }

  async compact(revision: string): Promise<{ readonly refusal: string | undefined }> {
    // What was acknowledged before may be named. Where the disk is full, dropping history is the way out, not the flush.
    await this.flush().catch(() => undefined);
    return new Promise((resolve, reject) => {
      if (this.#hasExited) {
        reject(new RecorderError("the recorder's thread has ended"));
        return;
      }
      const id = this.#nextId++;
      this.#compactions.set(id, { resolve, reject });
      this.#send({ kind: "compact", id, revision });
    });
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#flushAndEnd());
  }

  openFork(fork: ForkRecorderData): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#send({ kind: "fork", fork, port: port2 }, [port2]);
    return port1;
  }

  status(): RecorderStatus {
    const publishedSeq = this.#published?.seq ?? this.#progress.recordedSeq;
    return { ...this.#progress, publishedSeq, trouble: this.#trouble };
  }

  get sealedSeq(): Seq {
    return this.#progress.sealedSeq;
  }

  get trouble(): RecorderTrouble | undefined {
    return this.#trouble;
  }

  onSealed(callback: (status: RecorderStatus) => void): void {
    this.#sealedCallbacks.push(callback);
  }

  onDropped(callback: (text: string) => void): void {
    this.#droppedCallbacks.push(callback);
  }

  onFailure(callback: (error: Error) => void): void {
    this.#failureCallbacks.push(callback);
  }

  onPassedOver(callback: (bad: PassedOver) => void): void {
    this.#passedOverCallbacks.push(callback);
  }

  async #flushAndEnd(): Promise<void> {
    try {
      await this.flush();
    } finally {
      this.#send({ kind: "close" });
      await this.#exit;
    }
  }

  #tellPosition(position: JournalPosition): void {
    this.#told = position;
    this.#isAwaited = true;
    this.#send({ kind: "publish", position });
  }

  #send(request: ThreadRequest, transferred: readonly Transferable[] = []): void {
    this.#worker.postMessage(request, transferred);
  }

  #receive(report: RecorderReport): void {
    switch (report.kind) {
      case "started":
        this.#progress = report.progress;
        this.#hasNotStarted = undefined;
        this.#hasStarted();
        break;
      case "startFailure":
        this.#dieOf(report.reason, undefined);
        break;
      case "progress": {
        this.#takeProgress(report.progress);
        this.#isAwaited = false;
        const published = this.#published;
        if (published !== undefined && published !== this.#told) this.#tellPosition(published);
        break;
      }
      case "sealed":
        this.#takeProgress(report.progress);
        break;
      case "flushed":
        this.#takeProgress(report.progress);
        this.#flushes.get(report.id)?.resolve(this.status());
        this.#flushes.delete(report.id);
        break;
      case "flushFailed":
        this.#refuse(report.id, report.reason);
        break;
      case "passedOver":
        for (const callback of this.#passedOverCallbacks) callback(report.bad);
        break;
      case "compacted":
        this.#takeProgress(report.progress);
        this.#compactions.get(report.id)?.resolve({ refusal: report.refusal });
        this.#compactions.delete(report.id);
        break;
      case "compactFailed":
        this.#refuseCompaction(report.id, report.reason);
        break;
      case "dropped":
        this.#takeProgress(report.progress);
        for (const callback of this.#droppedCallbacks) callback(report.text);
        break;
      case "failure": {
        const what = report.isFinal ? "the recorder has stopped for good" : "a seal failed and is tried again";
        this.#tellFailure(new RecorderError(`${what}: ${report.reason}`), report.isFinal);
        break;
      }
      case "maintenanceFailure":
        // Nothing keeps it from sealing: this is no trouble for those who wait for the history.
        this.#callBack(new RecorderError(`the history is complete, but ${report.reason}`));
        break;
    }
  }

  /** Whichever report tells first of a seal: from then on nothing keeps the recorder from sealing. */
  #takeProgress(progress: WorkerProgress): void {
    const hasSealed = progress.sealedSeq > this.#progress.sealedSeq;
    this.#progress = progress;
    if (!hasSealed) return;
    this.#trouble = undefined;
    const status = this.status();
    for (const callback of this.#sealedCallbacks) callback(status);
  }

  #refuseCompaction(id: number, reason: string): void {
    this.#compactions.get(id)?.reject(new RecorderError(`the history was not compacted: ${reason}`));
    this.#compactions.delete(id);
  }

  #refuse(id: number, reason: string): void {
    this.#flushes.get(id)?.reject(new RecorderError(`the history is not complete: ${reason}`));
    this.#flushes.delete(id);
  }

  /** The thread has died; an `exit` follows an `error`, and is not told twice. */
  #dieOf(reason: string, cause: unknown): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#hasNotStarted?.(new RecorderError(`the history cannot be written: ${reason}`, { cause }));
    this.#tellFailure(new RecorderError(`the recorder's thread died: ${reason}`, { cause }), true);
  }

  #tellFailure(error: Error, isFinal: boolean): void {
    this.#trouble = { reason: error.message, isFinal };
    this.#callBack(error);
  }

  #callBack(error: Error): void {
    for (const callback of this.#failureCallbacks) callback(error);
  }
}
