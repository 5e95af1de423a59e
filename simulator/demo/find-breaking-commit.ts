/**
 * Finding the commit from which on a predicate holds, by halving.
 *
 * Owns the search. It supposes what a bisection supposes: that the predicate holds from some commit on.
 */

/** A commit that was looked at. */
export interface SearchStep {
  readonly seq: number;
  readonly isBad: boolean;
}

/** What was found. */
export interface SearchResult {
  /** The first bad commit. */
  readonly seq: number;
  readonly steps: readonly SearchStep[];
}

/**
 * Searches between a good commit and a bad one.
 *
 * @param good - a commit at which the predicate does not hold; 0 for the empty store before the first
 * @param bad - a later one at which it does
 */
export function findBreakingCommit(
  { good, bad }: { readonly good: number; readonly bad: number },
  isBad: (seq: number) => boolean,
): SearchResult {
  const steps: SearchStep[] = [];
  let [lastGood, firstBad] = [good, bad];
  while (firstBad - lastGood > 1) {
    const seq = lastGood + Math.floor((firstBad - lastGood) / 2);
    const step = { seq, isBad: isBad(seq) };
    steps.push(step);
    if (step.isBad) firstBad = seq;
    else lastGood = seq;
  }
  return { seq: firstBad, steps };
}
