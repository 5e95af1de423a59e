/**
 * Halving: which commit to look at next, and what the answers come to.
 *
 * Owns the search, and no commit: it proposes a number and takes the verdict, so that a test may be an expression or a
 * program that runs for minutes. It supposes what a bisection supposes: from some commit on all are bad.
 *
 * Invariants:
 * 1. `good` was found good and `bad` bad, and the commit that is looked for is in (good, bad].
 * 2. A commit is proposed at most once.
 * 3. Where a commit cannot be judged, others are proposed at distances that grow, away from the middle on both sides: a
 *    stretch of such commits is left behind in a few steps, as in Git. Only when that has failed are all others tried.
 */

/** What a commit is; `skip` where nobody can tell. */
export type Verdict = "good" | "bad" | "skip";

/** How a search ended. */
export type BisectionEnd =
  | { readonly kind: "found"; readonly seq: number }
  /** Nobody could tell of the others: the first bad commit is one of these, in order. */
  | { readonly kind: "skipped"; readonly candidates: readonly number[] };

/** A search. */
export class Bisection {
  #good: number;
  #bad: number;
  readonly #skipped = new Set<number>();
  #steps = 0;
  /** How far from the middle the next one is, while those nearer to it could not be judged. */
  #distance = 0;

  /**
   * @param good - a commit that is good
   * @param bad - a later one that is bad
   */
  constructor({ good, bad }: { readonly good: number; readonly bad: number }) {
    if (good >= bad) throw new RangeError(`nothing is between ${String(good)} and ${String(bad)}`);
    this.#good = good;
    this.#bad = bad;
  }

  /** Verdicts taken so far. */
  get steps(): number {
    return this.#steps;
  }

  /** About how many more steps there are, if all can be judged. */
  get stepsLeft(): number {
    return Math.ceil(Math.log2(this.#bad - this.#good));
  }

  /** The commit to look at now; undefined when the search has ended. */
  next(): number | undefined {
    const middle = this.#good + Math.floor((this.#bad - this.#good) / 2);
    for (let distance = this.#distance; distance <= this.#bad - this.#good; distance = next(distance)) {
      this.#distance = distance;
      for (const seq of [middle + distance, middle - distance]) if (this.#isOpen(seq)) return seq;
    }
    // What is left stands near the middle, between those that were leapt over.
    for (let distance = 0; distance <= this.#bad - this.#good; distance++) {
      for (const seq of [middle + distance, middle - distance]) if (this.#isOpen(seq)) return seq;
    }
    return undefined;
  }

  /** Takes the verdict on the commit that `next` proposed. */
  take(seq: number, verdict: Verdict): void {
    if (!this.#isOpen(seq)) throw new RangeError(`${String(seq)} is not in question`);
    this.#steps++;
    if (verdict === "skip") {
      this.#skipped.add(seq);
      return;
    }
    if (verdict === "good") this.#good = seq;
    else this.#bad = seq;
    this.#distance = 0;
  }

  /** What was found; only when `next` has nothing more to propose. */
  get end(): BisectionEnd {
    if (this.#bad - this.#good === 1) return { kind: "found", seq: this.#bad };
    const candidates: number[] = [];
    for (let seq = this.#good + 1; seq <= this.#bad; seq++) candidates.push(seq);
    return { kind: "skipped", candidates };
  }

  #isOpen(seq: number): boolean {
    return seq > this.#good && seq < this.#bad && !this.#skipped.has(seq);
  }
}

function next(distance: number): number {
  return distance === 0 ? 1 : distance * 2;
}

/** A commit that was looked at. */
export interface TriedCommit {
  readonly seq: number;
  readonly verdict: Verdict;
}

/** Searches with a test that answers at once. @returns how it ended, and what was looked at, in that order */
export function bisect(
  ends: { readonly good: number; readonly bad: number },
  test: (seq: number) => Verdict,
): { readonly end: BisectionEnd; readonly tried: readonly TriedCommit[] } {
  const bisection = new Bisection(ends);
  const tried: TriedCommit[] = [];
  for (let seq = bisection.next(); seq !== undefined; seq = bisection.next()) {
    const verdict = test(seq);
    bisection.take(seq, verdict);
    tried.push({ seq, verdict });
  }
  return { end: bisection.end, tried };
}
