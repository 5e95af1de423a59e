/**
 * What undoing one commit would change.
 */
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import { mergeChanges, type Merge } from "../../store/merge/merge-roots.js";
import type { FoundCommit } from "../repository/find-commit.js";
import type { HistoryView } from "./history.js";
import { changesBetween } from "../repository/recorded-changes.js";

/**
 * Merges the undoing of a commit into the state of now: the base is what the commit made, theirs what was before it.
 *
 * Worked example. The commit set `/a` from 1 to 2. Where `/a` is still 2, it becomes 1, whatever else has changed; where it
 * is 3 by now, that is a conflict; where it is 1 already, there is nothing to do.
 *
 * @throws QueryError where what was before the commit is not known, or was nothing; what `changesBetween` throws
 */
export function planRevert(view: HistoryView, now: FoundCommit, undone: FoundCommit): Merge {
  const before = view.previous(undone);
  if (before === undefined) {
    const reason = view.isCut(undone) ? "so what was before is not known" : "and before it there was no store";
    throw new QueryError(`this commit cannot be undone: the history begins with it, ${reason}`);
  }
  const { reader } = view;
  return mergeChanges({
    ours: changesBetween(reader, undone.commit.tree, now.commit.tree),
    theirs: changesBetween(reader, undone.commit.tree, before.commit.tree),
    // Asked for only where theirs is preferred in a conflict.
    creationsOfTheirs: () => [],
  });
}
