/**
 * What a rollback would change.
 */
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import type { Path } from "../../../protocol/identifiers.js";
import { isAtOrBelow, ROOT_PATH } from "../../../protocol/path.js";
import type { Change } from "../../store/commit.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { readPath } from "../repository/read-path.js";
import type { HistoryView } from "./history.js";
import { changesBetween } from "../repository/recorded-changes.js";

/** Where a rollback goes. */
export interface RollbackGoal {
  /** The state of now. */
  readonly from: FoundCommit;
  /** The state to go back to. */
  readonly to: FoundCommit;
  /** Only what is at or below this. With `/` all there is: perms of special paths, quotas and domains too. */
  readonly path: Path;
}

/**
 * The changes that make the state of now, or what is at and below a path, as it was, as `diffRoots` would tell them. Nodes
 * above the path that are not there any more come back with it.
 *
 * Worked example. Now is `/c=3`, it was `/a=1 /a/b=2 /c=4`: the rollback of `/a/b` makes `/a=1` and `/a/b=2`.
 *
 * @throws QueryError where neither state has the path; what `changesBetween` throws
 */
export function planRollback({ reader }: HistoryView, { from, to, path }: RollbackGoal): readonly Change[] {
  const changes = changesBetween(reader, from.commit.tree, to.commit.tree);
  if (path === ROOT_PATH) return changes;
  const isWanted = readPath(reader, to.commit.tree, path) !== undefined;
  if (!isWanted && readPath(reader, from.commit.tree, path) === undefined) {
    throw new QueryError(`there is no node ${path}, neither now nor in the state to go back to: is the path right?`);
  }
  return changes.flatMap((change): Change[] => {
    if (change.kind !== "node") return [];
    if (isAtOrBelow(change.path, path)) return [change];
    if (!isAtOrBelow(path, change.path)) return [];
    // It is above the path: it comes with what is wanted, or has gone with what is not.
    if (isWanted) return change.before === undefined ? [change] : [];
    return change.after === undefined ? removalOf(reader, from, path) : [];
  });
}

function removalOf(reader: HistoryView["reader"], from: FoundCommit, path: Path): Change[] {
  const node = readPath(reader, from.commit.tree, path);
  if (node === undefined) return [];
  return [{ kind: "node", path, before: { value: node.value, perms: node.perms }, after: undefined }];
}
