/**
 * The commits that led to one, by their numbers.
 *
 * Owns the way back from a commit: a line of first parents. Where a branch has the commit, the branch's index finds each of the
 * line at once; else the line is walked as far as somebody asks, and kept.
 */
import type { FoundCommit } from "../repository/find-commit.js";
import type { HistoryView } from "./history.js";

/** A commit, its first parent, and so on to the beginning of the history. All throw what `HistoryView.commit` throws. */
export interface CommitLine {
  /** The commit with this seq; undefined before the beginning of the history and after the newest commit. */
  find(seq: number): FoundCommit | undefined;
  /** The commit that the history begins with. */
  oldest(): FoundCommit;
}

const BRANCH = /^refs\/(?:heads|remotes)\//;

/** The line that ends at a commit with a seq. @throws what `HistoryView.commit` throws */
export function lineTo(view: HistoryView, newest: FoundCommit): CommitLine {
  const last = newest.commit.trailers.seq ?? 0;
  const name = view.branchWith(newest, BRANCH);
  if (name === undefined) return walkedLine(view, newest);
  return {
    find: (seq) => (seq > last ? undefined : view.commitWithSeq(name, seq)),
    oldest: () => view.oldest(name) ?? newest,
  };
}

/** Of a commit that is on no branch, as one on the other side of a merge whose branch was removed. */
function walkedLine(view: HistoryView, newest: FoundCommit): CommitLine {
  const known = new Map<number, FoundCommit>();
  let oldest = newest;
  let at: FoundCommit | undefined = newest;
  const walkTo = (least: number): void => {
    while (at !== undefined && (at.commit.trailers.seq ?? 0) >= least) {
      known.set(at.commit.trailers.seq ?? 0, at);
      oldest = at;
      at = view.previous(at);
    }
  };
  return {
    find(seq) {
      walkTo(seq);
      return known.get(seq);
    },
    oldest() {
      walkTo(1);
      return oldest;
    },
  };
}

/**
 * The last commit that two lines have in common, by halving: they are the same up to it and differ from there on; undefined where there
 * is none.
 *
 * @param last - at or after which one of them ends
 */
export function partingOf(left: CommitLine, right: CommitLine, last: number): number | undefined {
  // Before both begin neither has a commit, which is no difference.
  let common = 0;
  let parted = last + 1;
  while (parted - common > 1) {
    const middle = common + Math.floor((parted - common) / 2);
    if (left.find(middle)?.oid === right.find(middle)?.oid) common = middle;
    else parted = middle;
  }
  return left.find(common) === undefined ? undefined : common;
}
