/**
 * How many commits there were when.
 *
 * Owns the search for the ends of all parts at once. A history of a million commits is not read for that: the commits of a stretch are
 * halved, and with them the ends that may be among them, until a stretch has one commit: that is the answer to all ends that are left there,
 * such as those of a quiet hour. Where no end is among the commits of a half, none of them is read.
 *
 * Worked example: commits 1 to 1,000 within ten seconds, in four parts, whose ends are at 2.5, 5, 7.5 and 10 seconds. Commit 500 was made
 * at 6 seconds: so the first two ends are among the commits 1 to 499, and the third among 500 to 1,000. The fourth is 1,000.
 */
import { DENSITY_PARTS_MAX, type DensityAnswer, type DensityQuery } from "../../../protocol/http-api/density.js";
import { summaryJson } from "./commit-json.js";
import { summarizeCommit } from "./commit-summary.js";
import { madeAt } from "./commit-time.js";
import { commitWithin, resolveRange, type LineRange } from "./line-range.js";
import type { Question } from "./question.js";

/** Answers `density`. @throws QueryError, RevisionError, and what `HistoryView.commit` throws */
export function densityAnswer(
  question: Question,
  { from, to, parts = DENSITY_PARTS_MAX }: DensityQuery,
): DensityAnswer {
  const range = resolveRange(question, { from, to });
  return {
    from: summaryJson(summarizeCommit(range.from.found)),
    to: summaryJson(summarizeCommit(range.to.found)),
    ends: new EndSearch(range, parts).ends(),
  };
}

/** Ends of parts `first` to `last`, of which each is commit `low` or one behind it, and before commit `high`. */
interface Stretch {
  readonly first: number;
  readonly last: number;
  /** It was made by the first end. */
  readonly low: number;
  /** It was made after the last end, or is behind the last commit of all. */
  readonly high: number;
}

/** The search in one range. */
class EndSearch {
  readonly #range: LineRange;
  readonly #parts: number;
  readonly #start: number;
  readonly #partMicroseconds: number;
  readonly #ends: number[];

  constructor(range: LineRange, parts: number) {
    const { from, to } = range;
    this.#range = range;
    this.#parts = parts;
    this.#start = madeAt(from.found);
    // Within a second the clock may have been set back.
    this.#partMicroseconds = Math.max(0, madeAt(to.found) - this.#start) / parts;
    this.#ends = Array.from({ length: parts }, () => to.seq);
  }

  /** For each part, the number of the last commit that was made by its end; the last one is `to`, whatever its time. */
  ends(): readonly number[] {
    const { from, to } = this.#range;
    const pending: Stretch[] = [{ first: 0, last: this.#parts - 2, low: from.seq, high: to.seq + 1 }];
    for (let stretch = pending.pop(); stretch !== undefined; stretch = pending.pop()) {
      const { first, last, low, high } = stretch;
      if (last < first) continue;
      if (high - low === 1) this.#ends.fill(low, first, last + 1);
      else pending.push(...this.#halves(stretch));
    }
    return this.#ends;
  }

  #halves({ first, last, low, high }: Stretch): readonly Stretch[] {
    const middle = low + Math.floor((high - low) / 2);
    const time = this.#timeOf(middle);
    // The first part at whose end the middle commit had been made.
    let split = first;
    while (split <= last && this.#endOf(split) < time) split++;
    return [
      { first, last: split - 1, low, high: middle },
      { first: split, last, low: middle, high },
    ];
  }

  /** When a part ends, in microseconds. */
  #endOf(part: number): number {
    return this.#start + (part + 1) * this.#partMicroseconds;
  }

  #timeOf(seq: number): number {
    return madeAt(commitWithin(this.#range, seq));
  }
}
