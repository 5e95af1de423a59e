/**
 * How often a predicate turns over along a line of commits.
 *
 * Owns the count, which tells whether a bisection can be believed: halving finds the first bad commit only where the predicate
 * turns once. The line falls into stretches, at the commits that touch what the predicate reads; within one the states are the
 * same to it, so it is evaluated once for each, and only windows, which count commits, for more.
 */
import { evaluate } from "../../../protocol/predicate/evaluate.js";
import type { Path } from "../../../protocol/identifiers.js";
import { pathsRead } from "../../../protocol/predicate/paths-read.js";
import { PredicateMonitor } from "../../../protocol/predicate/predicate-monitor.js";
import { commitsNeeded, type Predicate } from "../../../protocol/predicate/predicate.js";
import type { Oid } from "../object/oid.js";
import type { ObjectSource } from "../repository/read-path.js";
import type { CommitLine } from "./commit-line.js";
import { recordedState } from "./recorded-state.js";
import type { CommitsTouching } from "./touching-commits.js";

/** What was counted. */
export interface Flips {
  /** Commits at which the predicate is not what it is at the one before. */
  readonly count: number;
  /** So many commits, the newest of those in question, were looked at; all of them unless the search was broken off. */
  readonly looked: number;
}

/** Where to count. */
export interface FlipSearch {
  readonly line: CommitLine;
  readonly source: ObjectSource;
  readonly commitsTouching: CommitsTouching;
}

/** Commits whose states are the same to a predicate. */
interface Stretch {
  readonly from: number;
  readonly to: number;
}

/**
 * Counts the flips after commit `good` up to commit `bad`.
 *
 * @throws what `findPath` and `HistoryView.commit` throw
 */
export function countFlips(
  predicate: Predicate,
  search: FlipSearch,
  { good, bad }: { readonly good: number; readonly bad: number },
): Flips {
  const needed = commitsNeeded(predicate);
  const back = stretchesBack(predicate, search, { from: good - needed + 2, to: bad });
  return needed === 1
    ? countAtOneState(predicate, { stretches: back, source: search.source }, bad)
    : countWithWindows(predicate, { stretches: [...back].reverse(), search, needed }, { good, bad });
}

/** A stretch and the root that one of its commits has. */
interface SeenStretch extends Stretch {
  readonly tree: Oid;
}

/**
 * The stretches of a line, newest first, as far as the search comes. The last is the one commit before all that were looked at,
 * where there is one: what it touches itself is not known.
 */
function* stretchesBack(
  predicate: Predicate,
  { line, source, commitsTouching }: FlipSearch,
  { from, to }: Stretch,
): Generator<SeenStretch> {
  let end = to;
  let at = line.find(end);
  let paths: ReadonlySet<Path> | undefined;
  let touching: ReturnType<CommitsTouching> | undefined;
  while (at !== undefined) {
    const { tree } = at.commit;
    const pathsNow = pathsRead(predicate, recordedState(source, tree));
    if (touching === undefined || !isSameSet(paths, pathsNow)) {
      paths = pathsNow;
      touching = commitsTouching(paths, { from, to: end });
    }
    const { done = false, value: begin } = touching.next();
    if (begin <= end) yield { from: begin, to: end, tree };
    end = begin - 1;
    at = line.find(end);
    if (!done && end >= from) continue;
    if (at !== undefined) yield { from: end, to: end, tree: at.commit.tree };
    return;
  }
}

function isSameSet(left: ReadonlySet<Path> | undefined, right: ReadonlySet<Path>): boolean {
  return left?.size === right.size && [...right].every((path) => left.has(path));
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
  }: { readonly stretches: readonly SeenStretch[]; readonly search: FlipSearch; readonly needed: number },
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
