/**
 * How often a predicate turns over along a line of commits.
 *
 * Owns the count, which tells whether a bisection can be believed: halving finds the first bad commit only where the predicate
 * turns once. A predicate is evaluated once for each stretch (`stretches.ts`), and only windows, which count commits, for more.
 */
import { evaluate } from "../../../protocol/predicate/evaluate.js";
import { PredicateMonitor } from "../../../protocol/predicate/predicate-monitor.js";
import { commitsNeeded, type Predicate } from "../../../protocol/predicate/predicate.js";
import type { ObjectSource } from "../repository/read-path.js";
import { recordedState } from "./recorded-state.js";
import { stretchesBack, type SeenStretch, type StretchSearch } from "./stretches.js";

/** What was counted. */
export interface Flips {
  /** Commits at which the predicate is not what it is at the one before. */
  readonly count: number;
  /** So many commits, the newest of those in question, were looked at; all of them unless the search was broken off. */
  readonly looked: number;
}

/**
 * Counts the flips after commit `good` up to commit `bad`.
 *
 * @throws what `findPath` and `HistoryView.commit` throw
 */
export function countFlips(
  predicate: Predicate,
  search: StretchSearch,
  { good, bad }: { readonly good: number; readonly bad: number },
): Flips {
  const needed = commitsNeeded(predicate);
  const back = stretchesBack(predicate, search, { from: good - needed + 2, to: bad });
  return needed === 1
    ? countAtOneState(predicate, { stretches: back, source: search.source }, bad)
    : countWithWindows(predicate, { stretches: [...back].reverse(), search, needed }, { good, bad });
}

function countAtOneState(
  predicate: Predicate,
  { stretches, source }: { readonly stretches: Iterable<SeenStretch>; readonly source: ObjectSource },
  bad: number,
): Flips {
  let count = 0;
  let oldest = bad;
  let later: boolean | undefined;
  for (const { from, tree } of stretches) {
    // A window of one commit is none.
    const state = recordedState(source, tree);
    const held = evaluate(predicate, (commitsBack) => (commitsBack === 0 ? state : undefined));
    if (later !== undefined && held !== later) count++;
    later = held;
    oldest = from;
  }
  return { count, looked: bad - oldest };
}

/** A window at the beginning of what was looked at lacks what was before it, so it is known only from some commits later on. */
function countWithWindows(
  predicate: Predicate,
  {
    stretches,
    search: { line, source },
    needed,
  }: { readonly stretches: readonly SeenStretch[]; readonly search: StretchSearch; readonly needed: number },
  { good, bad }: { readonly good: number; readonly bad: number },
): Flips {
  const first = stretches[0]?.from ?? bad;
  const isWholeHistory = line.find(first - 1) === undefined;
  const knownFrom = Math.max(good, isWholeHistory ? first : first + needed - 1);
  const monitor = new PredicateMonitor(predicate);
  let count = 0;
  let before: boolean | undefined;
  for (const { from, to, tree } of stretches) {
    const state = recordedState(source, tree);
    // After so many commits that are the same to it a window changes no more.
    for (let seq = from; seq <= Math.min(to, from + needed - 1); seq++) {
      const held = monitor.next(state);
      if (before !== undefined && held !== before && seq > knownFrom) count++;
      before = held;
    }
  }
  return { count, looked: Math.max(0, bad - knownFrom) };
}
