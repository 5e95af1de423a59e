/**
 * What merging a fork into main would change.
 *
 * Owns what of two states' differences becomes main's; from which state they differ `merge-base.ts` finds out.
 */
import type { Path } from "../../../protocol/identifiers.js";
import { samePerms } from "../../../protocol/perms.js";
import { isRedactionMarker } from "../../../protocol/redaction-marker.js";
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
  /** Its last merge: the commit that was merged, and main's commit that did it. */
  readonly merge?: { readonly tip: string; readonly seq: number } | undefined;
  /** A merge that was begun when main was at `after`, and of which it is not known whether it was made. */
  readonly pending?: { readonly tip: string; readonly after: number } | undefined;
}

/** Commits that are looked at between two pauses. */
const SLICE_COMMITS = 500;

/**
 * Main's last merge of a fork; undefined where there is none. A merge that was begun is looked for among main's commits since,
 * which may be many.
 *
 * @param pause - awaited now and then, so that others get their turn
 * @throws what `HistoryView.commitWithSeq` throws
 */
export async function lastMerge(
  view: HistoryView,
  { merge, pending }: MergedFork,
  pause: () => Promise<unknown>,
): Promise<MergedFork["merge"]> {
  if (pending === undefined) return merge;
  const tip = oidFromHex(pending.tip);
  for (let seq = pending.after + 1; ; seq++) {
    const found = view.commitWithSeq(MAIN_REF, seq);
    if (found === undefined) return merge;
    if (found.commit.parents[1] === tip) return { tip: pending.tip, seq };
    if (seq % SLICE_COMMITS === 0) await pause();
  }
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

/**
 * Merges theirs into ours. A value that was kept out of the history and has become empty there counts as unchanged: a daemon
 * that is started again, or a fork, does not know it, and writes nothing in its place.
 *
 * @throws what `changesBetween` throws
 */
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
      ours: withoutLostSecrets(changesBetween(reader, from, ours.commit.tree)),
      theirs: withoutLostSecrets(changesBetween(reader, from, theirs.commit.tree)),
      creationsOfTheirs,
    },
    prefer === undefined ? {} : { prefer },
  );
}

function withoutLostSecrets(changes: readonly Change[]): readonly Change[] {
  return changes.flatMap((change) => {
    if (change.kind !== "node" || change.before === undefined || change.after?.value !== "") return [change];
    const { before, after } = change;
    if (!isRedactionMarker(before.value)) return [change];
    return samePerms(before.perms, after.perms) ? [] : [{ ...change, after: { ...after, value: before.value } }];
  });
}
