/**
 * When history is dropped: because a person asked, because the limits say so, or because a crash cut it short.
 *
 * Owns the waiting requests, the check after each seal, and the note of a compaction until its old packs are gone. What a
 * compaction does is `compaction.ts`'s; when its steps run is `maintenance.ts`'s. It reads no wall clock.
 *
 *   request ──► waiting ──► run(): compaction ──► answered
 *   noteSeal ──► check due ──► run(): is there too much? ──► compaction
 *   start with a note ──► run(): compaction once more
 *   the old packs are to go ──► judgeFiltered(): something needs them ──► run(): compaction once more
 *
 * Invariants
 *  1. Each request is answered once: when the history begins there and the old packs are on their way out, with a refusal,
 *     or with the failure.
 *  2. The note goes only when every pack that the compaction has replaced is gone. Till then the limits are not looked at,
 *     so that one compaction is brought to its end before the next; but no longer than `LIMITS_WAIT_MILLISECONDS`, since
 *     somebody may keep those packs.
 *  3. A failure stops nothing else: it is reported, and tried again after the least of `RETRY`, twice as late each time.
 *  4. A history that cannot be shortened as the limits want (another branch needs it, all is young enough) is looked through
 *     again only when it has grown or aged by a fair part, not at each seal.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import { messageOf } from "../../platform/error-message.js";
import type { Oid } from "../object/oid.js";
import { RefStore } from "../repository/ref-store.js";
import { readCommit } from "../repository/walk.js";
import {
  readCompactionNote,
  readOldestSeq,
  recoverCompaction,
  removeCompactionNote,
  runCompaction,
  type CompactionContext,
  type CompactionOutcome,
  type CompactionTarget,
} from "./compaction.js";
import { BackOff } from "./back-off.js";
import { RemovalGuard } from "./removal-guard.js";
import type { FilteredJudgement } from "./retired-packs.js";
import {
  isLimited,
  isWorthwhile,
  USUAL_THRESHOLD,
  type RetentionLimits,
  type RetentionThreshold,
} from "./retention-plan.js";

/** What retention works with. */
export interface RetentionOptions extends Omit<CompactionContext, "guard"> {
  readonly limits: RetentionLimits;
  /** When dropping is worth the work; `USUAL_THRESHOLD` unless told. */
  readonly threshold?: RetentionThreshold | undefined;
  /** A clock that never steps back. */
  readonly monotonicMilliseconds: () => number;
  /** Calls back with words for the log when history was dropped, and with the commit that it begins with now. */
  readonly onDropped: (text: string, oldest: Seq) => void;
  /** Calls back when something failed; it is tried again. */
  readonly onFailure: (reason: string) => void;
}

/** The answer to a request. */
export type CompactionAnswer = { readonly refusal: string | undefined } | { readonly failure: string };

interface Request {
  readonly revision: string;
  readonly answer: (answer: CompactionAnswer) => void;
}

const RETRY = { leastMilliseconds: 5000, mostMilliseconds: 30 * 60_000 };
/** Twice as long as packs stay that somebody reads. */
const LIMITS_WAIT_MILLISECONDS = 10 * 60_000;
/** How much older, as a part of the age that is kept, a history becomes before its dates are looked at again. */
const AGE_PART = 0.05;
const AGE_SECONDS_MIN = 1;
const AGE_SECONDS_MAX = 3600;

/** The newest commit that is sealed. */
interface NewestCommit {
  readonly oid: Oid;
  readonly seq: Seq;
  readonly seconds: number;
}

/** Keeps one branch's history within its limits. */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #threshold: RetentionThreshold;
  readonly #guard: RemovalGuard;
  readonly #requests: Request[] = [];
  /** The request whose compaction is under way. */
  #current: Request | undefined;
  #isRunning = false;
  /** Whether it is known what an earlier process left. */
  #isStarted = false;
  #isCheckDue = true;
  #isResumeDue = false;
  #hasNote = false;
  #oldestSeq: Seq | undefined;
  /** What the newest commit tells; undefined when nobody has looked since the last seal. */
  #isTooMuch: boolean | undefined;
  readonly #backOff = new BackOff(RETRY);
  /** On the monotonic clock: after a compaction whose old packs are still there (invariant 2). */
  #limitsNotBefore = 0;
  /** Before the branch has grown to here, or aged to there, the limits are not looked at again (invariant 4). */
  #notBeforeSeq = 0;
  #notBeforeSeconds = 0;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#threshold = options.threshold ?? USUAL_THRESHOLD;
    this.#guard = new RemovalGuard(options);
  }

  /**
   * Cleans up what a crash left of a compaction, and finds out where the history begins. `run` does it where nobody has.
   *
   * @throws what the disk throws, DamagedShallowError, DamagedObjectError; calling again later is right
   */
  start(): void {
    if (this.#isStarted) return;
    try {
      this.#oldestSeq = readOldestSeq(this.#options, this.#readRef());
      this.#hasNote = recoverCompaction(this.#options);
      this.#isResumeDue = this.#hasNote;
      this.#isStarted = true;
    } finally {
      this.#options.reader.close();
    }
  }

  /** The commit that the history begins with; undefined before the first seal was looked at. */
  get oldestSeq(): Seq | undefined {
    return this.#oldestSeq;
  }

  /** Whether a compaction is under way. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Whether there is something to do, and it is due. */
  isDueAt(now: number): boolean {
    const due = this.dueMilliseconds();
    return due !== undefined && due <= now;
  }

  /**
   * Whether history must be dropped, or is being dropped: then it gets time even while the recorder lags. Looks at the newest
   * commit, once after each seal, and only where there are limits.
   */
  isPressingAt(now: number): boolean {
    if (this.#isRunning) return true;
    if (!this.isDueAt(now)) return false;
    if (this.#requests.length > 0 || this.#isResumeDue) return true;
    this.#isTooMuch ??= this.#looksLikeTooMuch();
    return this.#isTooMuch;
  }

  #looksLikeTooMuch(): boolean {
    if (!isLimited(this.#options.limits)) return false;
    try {
      const newest = this.#readNewest();
      return newest !== undefined && this.#mayBeTooMuch(newest);
    } catch {
      // The check will say so, when there is time for it.
      return false;
    } finally {
      this.#options.reader.close();
    }
  }

  /** Says that the branch has grown by this pack. */
  noteSeal(pack: string): void {
    this.#isCheckDue = true;
    this.#isTooMuch = undefined;
    this.#guard.noteAdded(pack);
  }

  /** Says that packs were merged into one. */
  noteMerge(sources: readonly string[], pack: string): void {
    this.#guard.noteMerged(sources, pack);
  }

  /** Whether the note of a compaction is still there that has come to its end. */
  get isNoteSuperfluous(): boolean {
    return this.#hasNote && !this.#isRunning && !this.#isResumeDue && !this.#options.retired.hasFiltered;
  }

  /** Says that superseded packs were removed. */
  noteRemovals(): void {
    if (!this.isNoteSuperfluous) return;
    removeCompactionNote(this.#options);
    this.#hasNote = false;
    this.#backOff.worked();
  }

  /**
   * Says what is to become of packs that a compaction has filtered, in the moment in which they would be removed. Where
   * something may need them, they are in use again, and the compaction is made once more.
   *
   * @throws what the disk throws, DamagedRefError
   */
  judgeFiltered(): FilteredJudgement {
    if (this.#isRunning || this.#isResumeDue) return "wait";
    const objection = this.#guard.objection();
    if (objection === undefined) return "remove";
    this.#isResumeDue = true;
    this.#options.onFailure(
      `packs whose old history was dropped cannot be removed yet: ${objection}; ` +
        `what to keep is looked through again in ${String(this.#waitToRetry() / 1000)} s`,
    );
    return "give back";
  }

  /** Waits for its turn, then drops the history before `revision`. */
  request(revision: string, answer: (answer: CompactionAnswer) => void): void {
    this.#requests.push({ revision, answer });
  }

  /** When `run` has something to do next, on the monotonic clock; undefined when it has not. */
  dueMilliseconds(): number | undefined {
    if (this.#requests.length > 0) return 0;
    if (!this.#isStarted || this.#isResumeDue) return this.#backOff.notBefore;
    if (!this.#isCheckDue) return undefined;
    return this.#hasNote ? Math.max(this.#backOff.notBefore, this.#limitsNotBefore) : this.#backOff.notBefore;
  }

  /** Does what is due. Never throws, but for what its caller throws into it. */
  *run(): Generator<void, void> {
    this.#isRunning = true;
    try {
      this.#current = this.#requests.shift();
      this.start();
      if (this.#current !== undefined) yield* this.#answerRequest(this.#current);
      else if (this.#isResumeDue) yield* this.#resume();
      else yield* this.#check();
    } catch (error) {
      this.#fail(messageOf(error));
    } finally {
      this.#isRunning = false;
      this.#giveUp("it was interrupted");
      this.#options.reader.close();
    }
    this.#removeNoteIfDone();
  }

  /** Answers whatever waits: it will not be done. */
  close(reason = "the daemon stops"): void {
    this.#giveUp(reason);
    for (const { answer } of this.#requests.splice(0)) answer({ failure: reason });
  }

  *#answerRequest(request: Request): Generator<void, void> {
    const outcome = yield* this.#compact({ kind: "revision", revision: request.revision });
    this.#current = undefined;
    request.answer({ refusal: outcome.kind === "refused" ? outcome.reason : undefined });
  }

  *#resume(): Generator<void, void> {
    if (readCompactionNote(this.#options) !== undefined)
      yield* this.#compact({ kind: "resume", limits: this.#options.limits });
    this.#isResumeDue = false;
  }

  *#check(): Generator<void, void> {
    this.#isCheckDue = false;
    const newest = this.#readNewest();
    if (newest === undefined) return;
    this.#oldestSeq ??= readOldestSeq(this.#options, newest.oid);
    if (!this.#mayBeTooMuch(newest)) return;
    const { limits } = this.#options;
    const outcome = yield* this.#compact({ kind: "limits", limits, threshold: this.#threshold });
    if (outcome.kind === "done") return;
    if (limits.keepSeconds === undefined) this.#notBeforeSeq = newest.seq + Math.max(1, this.#threshold.commitsMin);
    else {
      const part = Math.ceil(limits.keepSeconds * AGE_PART);
      this.#notBeforeSeconds = newest.seconds + Math.min(AGE_SECONDS_MAX, Math.max(AGE_SECONDS_MIN, part));
    }
  }

  /** Without looking at any commit but the newest. */
  #mayBeTooMuch(newest: NewestCommit): boolean {
    const { limits } = this.#options;
    const oldest = this.#oldestSeq;
    if (oldest === undefined || !isLimited(limits)) return false;
    if (newest.seq < this.#notBeforeSeq || newest.seconds < this.#notBeforeSeconds) return false;
    const { keepCommits } = limits;
    const boundary = keepCommits === undefined ? newest.seq : Math.max(oldest, newest.seq - keepCommits + 1);
    return isWorthwhile(boundary as Seq, { oldest, tip: newest.seq }, this.#threshold);
  }

  *#compact(target: CompactionTarget): Generator<void, CompactionOutcome> {
    // Until the outcome is known there may be one.
    this.#hasNote = true;
    const outcome = yield* runCompaction({ ...this.#options, guard: this.#guard }, target);
    if (outcome.kind === "done") this.#tell(outcome);
    else if (outcome.kind === "unnecessary") this.#oldestSeq = outcome.oldest ?? this.#oldestSeq;
    return outcome;
  }

  #tell(outcome: Extract<CompactionOutcome, { kind: "done" }>): void {
    this.#oldestSeq = outcome.oldest;
    this.#limitsNotBefore = this.#options.monotonicMilliseconds() + LIMITS_WAIT_MILLISECONDS;
    // Whoever asked, what a resumed one would do is done.
    this.#isResumeDue = false;
    if (!this.#options.retired.hasFiltered) this.#backOff.worked();
    for (const complaint of outcome.complaints) this.#options.onFailure(`while old history was dropped: ${complaint}`);
    if (outcome.commitsDropped === 0 && outcome.packsRetired === 0) return;
    this.#options.onDropped(
      `${String(outcome.commitsDropped)} commits dropped, the history begins with @{${String(outcome.oldest)}}; its packs ` +
        `take ${String(outcome.bytesAfter)} bytes instead of ${String(outcome.bytesBefore)} when the old ones are removed`,
      outcome.oldest,
    );
  }

  /** Returns how long, in milliseconds. */
  #waitToRetry(): number {
    return this.#backOff.failed(this.#options.monotonicMilliseconds());
  }

  #fail(reason: string): void {
    this.#waitToRetry();
    this.#isCheckDue = true;
    this.#hasNote = this.#mayHaveNote();
    // What was begun is brought to its end, whoever asked for it; if nothing was, there is no note.
    this.#isResumeDue = this.#hasNote;
    const isAnswered = this.#giveUp(reason);
    if (!isAnswered) this.#options.onFailure(`old history could not be dropped: ${reason}`);
  }

  #mayHaveNote(): boolean {
    try {
      return readCompactionNote(this.#options) !== undefined;
    } catch {
      return true;
    }
  }

  /** Answers the request whose compaction does not go on; says whether there was one. */
  #giveUp(reason: string): boolean {
    const request = this.#current;
    this.#current = undefined;
    request?.answer({ failure: reason });
    return request !== undefined;
  }

  #removeNoteIfDone(): void {
    try {
      this.noteRemovals();
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  #readRef(): Oid | undefined {
    const { fileSystem, repositoryDirectory, branch } = this.#options;
    return new RefStore(fileSystem, repositoryDirectory).read(branch);
  }

  #readNewest(): NewestCommit | undefined {
    const oid = this.#readRef();
    if (oid === undefined) return undefined;
    const { trailers, committer } = readCommit(this.#options.reader, oid);
    return trailers.seq === undefined ? undefined : { oid, seq: trailers.seq, seconds: committer.seconds };
  }
}
