/**
 * At which commits a predicate holds.
 *
 * Owns the look at one commit, and the search for the newest at which it holds, or does not: what broke has often been cleaned
 * away when somebody asks, and then a bisection needs to be told until when it was there.
 */
import { evaluate } from "../../../protocol/predicate/evaluate.js";
import { commitsNeeded, type Predicate } from "../../../protocol/predicate/predicate.js";
import type { ObjectSource } from "../repository/read-path.js";
import type { CommitLine } from "./commit-line.js";
import { recordedState } from "./recorded-state.js";
import { stretchesBack, type StretchSearch } from "./stretches.js";

/** Whether a predicate holds at a commit of a line. @throws what `findPath` and `HistoryView.commit` throw */
export function holdsAtCommit(
  predicate: Predicate,
  { line, source }: { readonly line: CommitLine; readonly source: ObjectSource },
  seq: number,
): boolean {
  return evaluate(predicate, (commitsBack) => {
    const found = line.find(seq - commitsBack);
    return found === undefined ? undefined : recordedState(source, found.commit.tree);
  });
}

/** What a search came to. */
export interface NewestHeld {
  /** Undefined where there is none among those that were looked at. */
  readonly seq: number | undefined;
  /** The oldest commit that was looked at. */
  readonly lookedFrom: number;
}

/**
 * Finds the newest commit after `good`, up to `bad`, at which the predicate holds, or with `isHeld` false does not.
 *
 * @throws what `holdsAtCommit` throws
 */
export function newestHeld(
  predicate: Predicate,
  search: StretchSearch,
  { good, bad, isHeld }: { readonly good: number; readonly bad: number; readonly isHeld: boolean },
): NewestHeld {
  const needed = commitsNeeded(predicate);
  let lookedFrom = bad + 1;
  for (const { from, to } of stretchesBack(predicate, search, { from: good + 1, to: bad })) {
    // After so many commits that are the same to it a window changes no more.
    const settled = from + needed - 1;
    for (let seq = to; seq >= from && seq > good; seq = Math.min(seq, settled) - 1) {
      if (holdsAtCommit(predicate, search, seq) === isHeld) return { seq, lookedFrom: seq };
    }
    lookedFrom = Math.max(from, good + 1);
  }
  return { seq: undefined, lookedFrom };
}
