/**
 * Revisions that may name an old state.
 */
import { ConflictError } from "../../protocol/http-api/history-queries.js";
import type { FoundCommit, HistoryView } from "../history/query/history.js";
import { isTip } from "../history/query/refs.js";

/**
 * Refuses the end of a branch where the history is behind: there may be newer commits, and whoever names the branch means them.
 *
 * @param does - what would be wrong, such as `a tag would name`
 * @param behind - why the history is behind, in words; undefined where it is not
 * @throws ConflictError
 */
export function refuseOldTip(
  view: HistoryView,
  found: FoundCommit,
  { does, behind }: { readonly does: string; readonly behind: string | undefined },
): void {
  if (behind === undefined || !isTip(view, found)) return;
  throw new ConflictError(`${does} an old state, since the history is behind: ${behind}`, []);
}
