/**
 * How far the history is behind the journal: in commits, in bytes, in time.
 *
 * Owns the reckoning alone. Pure: positions, seqs and the time come from outside, and no file is read. It runs on the main
 * thread, once for each append, so it costs a few additions there.
 *
 * The journal's lines since the last seal stand in runs: neighbouring commits that share one entry, so that a million of
 * them need no million entries. A seal that ends within a run leaves the whole run unsealed. What an earlier life left is a
 * run for each segment, since where its lines are is not known. Invariants:
 *
 * 1. Nothing is told smaller than it is: bytes are at most `runBytesMax` and an append too many (a segment, while what an
 *    earlier life left is not sealed), the age is at most `RUN_MILLISECONDS` too great. When `RUNS_MAX` runs wait, neighbours are joined, and the age becomes coarser.
 * 2. When all that was appended is sealed, the lag is 0 in each of its units.
 * 3. There are at most `RUNS_MAX` runs, or twice as many as it takes runs of `runBytesMax` to hold the lag.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { JournalPosition, JournalSegment } from "../../journal/journal.js";

/** How far the history is behind. */
export interface Lag {
  /** Acknowledged commits that the branch's ref does not reach. */
  readonly commits: number;
  /** Bytes of their lines in the journal. */
  readonly bytes: number;
  /** Age of the oldest of them; by the monotonic clock, so that no step of the wall clock shows in it. */
  readonly seconds: number;
}

/** What a meter starts with. */
export interface LagStart {
  /** The last commit that the ref reaches. */
  readonly sealedSeq: Seq;
  /** The end of the journal. */
  readonly position: JournalPosition;
  /** The journal's segments, oldest first: each counts as unsealed until its last commit is sealed. */
  readonly segments: readonly JournalSegment[];
  /** A run that has so many bytes is followed by another. */
  readonly runBytesMax: number;
  readonly nowMilliseconds: number;
}

/** Commits that came within this time share a run. */
const RUN_MILLISECONDS = 50;
/** Most runs that are kept; beyond that each two neighbours become one, where that is small enough. */
export const RUNS_MAX = 4096;

/** Neighbouring commits. Offsets count all bytes that were ever appended. */
interface Run {
  readonly startOffset: number;
  endOffset: number;
  lastSeq: Seq;
  /** When its first commit was appended. */
  readonly since: number;
}

/** Reckons the lag of one branch. */
export class LagMeter {
  readonly #runBytesMax: number;
  /** Oldest first; those of which some commit is not sealed. */
  #runs: Run[] = [];
  #position: JournalPosition;
  /** Bytes ever appended, as far as the meter knows. */
  #appended: number;
  #sealedSeq: Seq;

  constructor(start: LagStart) {
    this.#runBytesMax = start.runBytesMax;
    this.#position = start.position;
    this.#appended = 0;
    this.#sealedSeq = start.sealedSeq;
    for (const [index, { bytes }] of start.segments.entries()) {
      const startOffset = this.#appended;
      this.#appended += bytes;
      const next = start.segments[index + 1];
      const lastSeq = next === undefined ? start.position.seq : ((next.first - 1) as Seq);
      if (lastSeq <= start.sealedSeq) continue;
      this.#runs.push({ startOffset, endOffset: this.#appended, lastSeq, since: start.nowMilliseconds });
    }
  }

  /** Bytes of journal lines that are not sealed. */
  get bytes(): number {
    const [oldest] = this.#runs;
    return oldest === undefined ? 0 : this.#appended - oldest.startOffset;
  }

  /**
   * Takes an append.
   *
   * @param position - what it returned; an append goes into the current segment or into a new one
   * @returns how many bytes it wrote
   */
  appended(position: JournalPosition, nowMilliseconds: number): number {
    const { segment, offset } = this.#position;
    const bytes = position.segment === segment ? position.offset - offset : position.offset;
    const startOffset = this.#appended;
    this.#position = position;
    this.#appended += bytes;
    const last = this.#runs.at(-1);
    if (last !== undefined && this.#hasRoom(last, nowMilliseconds)) {
      last.endOffset = this.#appended;
      last.lastSeq = position.seq;
    } else {
      this.#runs.push({ startOffset, endOffset: this.#appended, lastSeq: position.seq, since: nowMilliseconds });
      if (this.#runs.length > RUNS_MAX) this.#mergeRuns();
    }
    return bytes;
  }

  /** Takes a seal: the ref reaches this commit. */
  sealed(seq: Seq): void {
    this.#sealedSeq = seq;
    const firstKept = this.#runs.findIndex(({ lastSeq }) => lastSeq > seq);
    if (firstKept === -1) this.#runs = [];
    else if (firstKept > 0) this.#runs.splice(0, firstKept);
  }

  /** The lag at this moment. */
  measure(nowMilliseconds: number): Lag {
    const [oldest] = this.#runs;
    const commits = Math.max(0, this.#position.seq - this.#sealedSeq);
    const seconds = oldest === undefined ? 0 : Math.max(0, nowMilliseconds - oldest.since) / 1000;
    return { commits, bytes: this.bytes, seconds };
  }

  #hasRoom(run: Run, nowMilliseconds: number): boolean {
    return nowMilliseconds - run.since < RUN_MILLISECONDS && run.endOffset - run.startOffset < this.#runBytesMax;
  }

  /** Makes each two neighbours one, oldest first, unless that has more than `runBytesMax`. */
  #mergeRuns(): void {
    const merged: Run[] = [];
    let first: Run | undefined;
    for (const run of this.#runs) {
      if (first !== undefined && run.endOffset - first.startOffset <= this.#runBytesMax) {
        first.endOffset = run.endOffset;
        first.lastSeq = run.lastSeq;
        first = undefined;
      } else {
        merged.push(run);
        first = run;
      }
    }
    this.#runs = merged;
  }
}
