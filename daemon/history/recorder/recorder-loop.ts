/**
 * When the recorder records and seals.
 *
 * Owns the timing and what happens when something fails; `recorder.ts` does the work. It runs in batches, so that a flush
 * is heard while a long journal is being recorded.
 *
 *   idle ──publish──► recording ──journal's published end──► waiting for the seal ──sealMilliseconds──► idle
 *                        │ pack full: seals at once                     │ flush: seals at once
 *                        │ burst of commits: resting, until somebody asks (`rest.ts`)
 *                        ▼                                              ▼
 *      disk or lock fails: retrying every RETRY_MILLISECONDS (also at each flush), nothing is recorded meanwhile;
 *      a lock that is held for moments only is waited for, and no flush is refused for it
 *      anything else fails: failed, for good; the journal keeps everything
 *
 * Between two batches, and when there is nothing to record, the repository is maintained, in small steps too. Packs may have
 * been left to be merged or removed, but all begins with the first message: until then the main thread is loading the state,
 * and nobody is served.
 *
 * Invariants
 *  1. A commit is in the history at most `sealMilliseconds` after the recorder read it, unless the disk refuses.
 *  2. A flush is answered when everything published before it is sealed, or with the reason why it is not.
 *  3. Nothing is read beyond the published end.
 *  4. While it lags behind the journal, recording comes first: the repository is then maintained only when it has over
 *     `PACKS_MAX_WHILE_LAGGING` packs, or more history than is wanted; a flood may last for ever, and the disk does not.
 *     Maintenance that fails stops nothing.
 *  5. While the disk refuses, maintenance goes on: removing what was replaced and dropping what is too old is how a full
 *     disk gets room again. After a failure for good nobody is left waiting.
 *  6. It rests only while nobody waits for a flush or a compaction and no seal is owed; meanwhile it counts as lagging.
 *  7. After a failure that was told and has passed, there is a seal as soon as all that is published is recorded: whoever
 *     asked for one was refused, and at the journal's limit nothing is appended that would make anybody ask again.
 */
import type { PassedOver } from "../../journal/bad-line.js";
import type { JournalPosition } from "../../journal/journal.js";
import { JournalFollower } from "../../journal/follower.js";
import type { FileSystem } from "../../platform/file-system.js";
import { RefLockedError } from "../repository/errors.js";
import { messageOf } from "../../platform/error-message.js";
import type { Maintenance } from "./maintenance.js";
import type { RecorderReport, RecorderRequest, WorkerProgress } from "./messages.js";
import type { HistoryRecorder } from "./recorder.js";
import { RATE_MILLISECONDS, Rest } from "./rest.js";

/** Commits recorded before messages are looked at: a few milliseconds. */
const BATCH_COMMITS_MAX = 128;
/** How much is done for incomplete indexes between two batches, and when there is nothing to record (`repairIndex`). */
const INDEXED_BUSY_MAX = 16;
const INDEXED_IDLE_MAX = 256;
const RETRY_MILLISECONDS = 1000;
/** `git gc` holds a ref's lock for moments: so often it is waited for, so long each time, before anybody hears of it. */
const LOCK_TRIES_MAX = 50;
const LOCK_RETRY_MILLISECONDS = 20;
/** How long after a publish the main thread hears of the progress; it sends no other publish before. */
const PROGRESS_MILLISECONDS = 20;
const PACKS_MAX_WHILE_LAGGING = 40;
/**
 * How long who flushes patiently is patient. The recorder may get so little of busy processors that its lag only grows: whoever
 * asks waits for the lag of that moment, and the next for more.
 */
const PATIENCE_MILLISECONDS = 1000;

/** What a loop asks of the maintenance; a fork's loop leaves the work to main's. */
export type LoopMaintenance = Pick<
  Maintenance,
  "close" | "compact" | "isDue" | "isPressing" | "millisecondsUntilDue" | "noteSeal" | "progress" | "step"
>;

/** What the loop works with. */
export interface RecorderLoopOptions {
  readonly fileSystem: FileSystem;
  readonly journalDirectory: string;
  readonly recorder: HistoryRecorder;
  readonly maintenance: LoopMaintenance;
  readonly sealMilliseconds: number;
  readonly report: (report: RecorderReport) => void;
  readonly monotonicMilliseconds: () => number;
  /** Called when somebody begins to wait for what the loop does, and when nobody does any more. */
  readonly setUrgent?: (isUrgent: boolean) => void;
}

interface Flush {
  readonly id: number;
  /** The commit that must be sealed. */
  readonly seq: number;
  /** From when on its asker's wait makes the recorder urgent; by the monotonic clock. */
  readonly urgentFrom: number;
}

/** Runs one recorder. */
export class RecorderLoop {
  readonly #options: RecorderLoopOptions;
  #follower: JournalFollower;
  #end: JournalPosition | undefined;
  #flushes: Flush[] = [];
  /** Why it has failed for good. */
  #failure: string | undefined;
  #isClosed = false;
  /** Invariant 7. */
  #isSealOwed = false;
  #lockTries = 0;
  #compactionsAsked = 0;
  #isUrgent = false;
  #sealMilliseconds = 0;
  readonly #rest = new Rest();
  #stepPending: NodeJS.Immediate | undefined;
  #sealTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #restTimer: NodeJS.Timeout | undefined;
  #progressTimer: NodeJS.Timeout | undefined;
  #maintenanceTimer: NodeJS.Timeout | undefined;

  constructor(options: RecorderLoopOptions) {
    this.#options = options;
    // What it passes over the journal's recovery has told of already.
    this.#follower = this.#newFollower();
  }

  /** Takes a message of the main thread. */
  handle(request: RecorderRequest): void {
    switch (request.kind) {
      case "publish":
        this.#publish(request.position);
        this.#progressTimer ??= setTimeout(() => {
          this.#progressTimer = undefined;
          this.#report({ kind: "progress", progress: this.progress() });
        }, PROGRESS_MILLISECONDS);
        break;
      case "flush":
        if (request.position !== undefined) this.#publish(request.position);
        this.#flushes.push({
          id: request.id,
          seq: request.position?.seq ?? 0,
          urgentFrom: this.#options.monotonicMilliseconds() + (request.isPatient === true ? PATIENCE_MILLISECONDS : 0),
        });
        clearTimeout(this.#retryTimer);
        this.#retryTimer = undefined;
        this.#wake();
        this.#tellUrgency();
        break;
      case "compact": {
        const { id } = request;
        if (this.#failure !== undefined) {
          this.#report({ kind: "compactFailed", id, reason: this.#failure });
          break;
        }
        this.#compactionsAsked++;
        this.#tellUrgency();
        this.#options.maintenance.compact(request.revision, (answer) => {
          this.#compactionsAsked--;
          this.#tellUrgency();
          if ("failure" in answer) this.#report({ kind: "compactFailed", id, reason: answer.failure });
          else this.#report({ kind: "compacted", id, refusal: answer.refusal, progress: this.progress() });
        });
        this.#wake();
        break;
      }
      case "close":
        this.#close();
        break;
    }
  }

  /** Says that there may be something to maintain, because another branch has sealed a pack. */
  lookAtMaintenance(): void {
    this.#wake();
  }

  /** What has been done so far. */
  progress(): WorkerProgress {
    const { recorder, maintenance } = this.#options;
    return { ...recorder.progress(), ...maintenance.progress(), sealMilliseconds: this.#sealMilliseconds };
  }

  #publish(position: JournalPosition): void {
    if (this.#end === undefined || position.seq >= this.#end.seq) this.#end = position;
    this.#wake();
  }

  #wake(): void {
    if (this.#failure !== undefined) this.#refuseFlushes(this.#failure);
    else if (!this.#isClosed) {
      this.#stepPending ??= setImmediate(() => {
        this.#stepPending = undefined;
        this.#step();
      });
    }
  }

  #step(): void {
    const { recorder } = this.#options;
    if (this.#retryTimer !== undefined) {
      this.#maintain(false);
      return;
    }
    if (this.#rests()) {
      this.#maintain(true);
      this.#sealInTime();
      return;
    }
    try {
      if (recorder.isFull) this.#seal();
      if (this.#end !== undefined) {
        for (const commit of this.#follower.readUpTo(this.#end, BATCH_COMMITS_MAX)) recorder.record(commit);
      }
      this.#answerFlushes();
      this.#tellUrgency();
      if (this.#isSealOwed && recorder.recordedSeq >= (this.#end?.seq ?? 0)) this.#seal();
    } catch (error) {
      this.#fail(error);
      return;
    }
    const isLagging = recorder.recordedSeq < (this.#end?.seq ?? 0);
    if (recorder.isIndexIncomplete) {
      recorder.repairIndex(isLagging ? INDEXED_BUSY_MAX : INDEXED_IDLE_MAX, isLagging);
    }
    if (isLagging || recorder.isIndexIncomplete) this.#wake();
    this.#maintain(isLagging);
    this.#sealInTime();
  }

  #sealInTime(): void {
    const { recorder, sealMilliseconds } = this.#options;
    if (recorder.isSealDue) this.#sealTimer ??= setTimeout(this.#sealOnTime, sealMilliseconds);
  }

  /** Whether it does so now (invariant 6); then it looks again in time. */
  #rests(): boolean {
    if (this.#end === undefined) return false;
    const { recorder, monotonicMilliseconds } = this.#options;
    const isDue = this.#rest.isDue(this.#end.seq, recorder.recordedSeq, monotonicMilliseconds());
    if (!isDue || this.#flushes.length > 0 || this.#compactionsAsked > 0 || this.#isSealOwed) return false;
    this.#restTimer ??= setTimeout(() => {
      this.#restTimer = undefined;
      this.#wake();
    }, RATE_MILLISECONDS);
    return true;
  }

  /** Invariant 4. */
  #maintain(isLagging: boolean): void {
    const { maintenance } = this.#options;
    if (isLagging && !maintenance.isPressing && maintenance.progress().packs <= PACKS_MAX_WHILE_LAGGING) return;
    if (maintenance.isDue) maintenance.step(isLagging);
    clearTimeout(this.#maintenanceTimer);
    this.#maintenanceTimer = undefined;
    if (maintenance.isDue) this.#wake();
    else this.#wakeInTime(maintenance.millisecondsUntilDue());
  }

  #wakeInTime(milliseconds: number | undefined): void {
    if (milliseconds === undefined) return;
    this.#maintenanceTimer = setTimeout(() => {
      this.#maintenanceTimer = undefined;
      this.#wake();
    }, milliseconds);
  }

  readonly #sealOnTime = (): void => {
    this.#sealTimer = undefined;
    if (this.#failure !== undefined || this.#isClosed || this.#retryTimer !== undefined) return;
    try {
      this.#seal();
      this.#wake();
    } catch (error) {
      this.#fail(error);
    }
  };

  #seal(): void {
    const { recorder, monotonicMilliseconds } = this.#options;
    const start = monotonicMilliseconds();
    const pack = recorder.seal();
    if (pack === undefined) return;
    this.#sealMilliseconds += monotonicMilliseconds() - start;
    this.#isSealOwed = false;
    this.#lockTries = 0;
    this.#options.maintenance.noteSeal(pack);
    clearTimeout(this.#sealTimer);
    this.#sealTimer = undefined;
    this.#report({ kind: "sealed", progress: this.progress() });
  }

  #answerFlushes(): void {
    const { recorder } = this.#options;
    if (!this.#flushes.some(({ seq }) => seq <= recorder.recordedSeq)) return;
    this.#seal();
    const progress = this.progress();
    this.#flushes = this.#flushes.filter(({ id, seq }) => {
      if (seq > progress.sealedSeq) return true;
      this.#report({ kind: "flushed", id, progress });
      return false;
    });
  }

  #fail(error: unknown): void {
    const reason = messageOf(error);
    const isFinal = !isPassing(error);
    if (error instanceof RefLockedError && this.#lockTries++ < LOCK_TRIES_MAX) {
      this.#retryAfter(LOCK_RETRY_MILLISECONDS);
      return;
    }
    if (isFinal) this.#failure = reason;
    this.#report({ kind: "failure", reason, isFinal });
    this.#refuseFlushes(reason);
    if (isFinal) {
      // Nobody would answer those who wait for a compaction.
      this.#options.maintenance.close();
      return;
    }
    this.#isSealOwed = true;
    this.#retryAfter(RETRY_MILLISECONDS);
    this.#wake();
  }

  #retryAfter(milliseconds: number): void {
    // What the follower had read and not returned would be missing.
    this.#follower.close();
    this.#follower = this.#newFollower((bad) => {
      this.#report({ kind: "passedOver", bad });
    });
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#wake();
    }, milliseconds);
  }

  #refuseFlushes(reason: string): void {
    for (const { id } of this.#flushes) this.#report({ kind: "flushFailed", id, reason });
    this.#flushes = [];
    this.#tellUrgency();
  }

  #tellUrgency(): void {
    const isUrgent = this.#compactionsAsked > 0 || this.#isFlushUrgent();
    if (isUrgent === this.#isUrgent) return;
    this.#isUrgent = isUrgent;
    this.#options.setUrgent?.(isUrgent);
  }

  #isFlushUrgent(): boolean {
    if (this.#flushes.length === 0) return false;
    const now = this.#options.monotonicMilliseconds();
    return this.#flushes.some(({ urgentFrom }) => urgentFrom <= now);
  }

  #newFollower(passedOver?: (bad: PassedOver) => void): JournalFollower {
    const { fileSystem, journalDirectory, recorder } = this.#options;
    return new JournalFollower(fileSystem, journalDirectory, recorder.recordedSeq, passedOver);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearImmediate(this.#stepPending);
    for (const timer of [
      this.#sealTimer,
      this.#retryTimer,
      this.#restTimer,
      this.#progressTimer,
      this.#maintenanceTimer,
    ]) {
      clearTimeout(timer);
    }
    this.#options.maintenance.close();
    this.#follower.close();
    this.#options.recorder.close();
  }

  #report(report: RecorderReport): void {
    this.#options.report(report);
  }
}

/** Whether an error may pass by itself: the disk's and those of a ref that somebody holds locked. */
function isPassing(error: unknown): boolean {
  if (error instanceof RefLockedError) return true;
  return error instanceof Error && "code" in error && typeof error.code === "string" && !error.code.startsWith("ERR_");
}
