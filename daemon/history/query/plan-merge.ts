/**
 * What merging a fork into main would change.
 *
 * Owns the base of the merge: the fork's commit that was merged last, or the one that it began with.
 */
import type { Path } from "../../../protocol/identifiers.js";
import type { Change } from "../../store/commit.js";
import { mergeChanges, type Merge, type MergeOptions } from "../../store/merge/merge-roots.js";
import { oidFromHex } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { changesBetween } from "../repository/recorded-changes.js";
import { nodeAt } from "../repository/recorded-directory.js";
import { walkDifferences } from "../repository/recorded-walk.js";
import type { HistoryView } from "./history.js";
import { MAIN_REF } from "./refs.js";

/** What is known of a fork; commits are 40 hexadecimal digits. */
export interface MergedFork {
  /** The commit that it began with. */
  readonly base: string;
  /** Its last merge: the commit that was merged, and main's commit that did it. */
  readonly merge?: { readonly tip: string; readonly seq: number } | undefined;
  /** A merge that was begun when main was at `after`, and of which it is not known whether it was made. */
  readonly pending?: { readonly tip: string; readonly after: number } | undefined;
}

/**
 * Main's last merge of a fork; undefined where there is none. A merge that was begun is looked for among main's commits since.
 *
 * @throws what `HistoryView.commitWithSeq` throws
 */
export function lastMerge(view: HistoryView, { merge, pending }: MergedFork): MergedFork["merge"] {
  if (pending !== undefined) {
    const tip = oidFromHex(pending.tip);
    for (let seq = pending.after + 1; ; seq++) {
      const found = view.commitWithSeq(MAIN_REF, seq);
      if (found === undefined) break;
      if (found.commit.parents[1] === tip) return { tip: pending.tip, seq };
    }
  }
  return merge;
}

/** What main and a fork have in common: the fork's commit that was merged last, or the one that it began with. */
export function mergeBase(view: HistoryView, fork: MergedFork): FoundCommit {
  return view.commit(oidFromHex(lastMerge(view, fork)?.tip ?? fork.base));
}

/** The sides of a merge. */
export interface ForkMerge {
  /** What both began with. */
  readonly base: FoundCommit;
  /** Main's newest commit. */
  readonly ours: FoundCommit;
  /** The fork's. */
  readonly theirs: FoundCommit;
}

/** Merges theirs into ours. @throws what `changesBetween` throws */
export function planMerge(
  { reader }: HistoryView,
  { base, ours, theirs }: ForkMerge,
  prefer?: MergeOptions["prefer"],
): Merge {
  const from = base.commit.tree;
  const creationsOfTheirs = (path: Path): readonly Change[] => {
    const after = nodeAt(reader, theirs.commit.tree, path);
    return after === undefined ? [] : [...walkDifferences(reader, { path, before: undefined, after })];
  };
  return mergeChanges(
    {
      ours: changesBetween(reader, from, ours.commit.tree),
      theirs: changesBetween(reader, from, theirs.commit.tree),
      creationsOfTheirs,
    },
    prefer === undefined ? {} : { prefer },
  );
}
