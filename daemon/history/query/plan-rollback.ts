/**
 * What a rollback would change.
 */
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import type { Path } from "../../../protocol/identifiers.js";
import { parentPath, ROOT_PATH } from "../../../protocol/path.js";
import type { Change } from "../../store/commit.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { readPath } from "../repository/read-path.js";
import type { HistoryView } from "./history.js";
import { insteadOf } from "./missing-paths.js";
import { recordedState } from "./recorded-state.js";
import { changesBetween } from "../repository/recorded-changes.js";
import { nodeAt } from "../repository/recorded-directory.js";
import { walkDifferences } from "../repository/recorded-walk.js";

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
  const [now, then] = [from.commit.tree, to.commit.tree];
  if (path === ROOT_PATH) return changesBetween(reader, now, then);
  const top = { path, before: nodeAt(reader, now, path), after: nodeAt(reader, then, path) };
  if (top.before === undefined && top.after === undefined) {
    const instead = insteadOf(path, recordedState(reader, then));
    throw new QueryError(`there is no node ${path}, neither now nor in the state to go back to: ${instead}`);
  }
  const changes: Change[] = [...walkDifferences(reader, top)];
  if (top.after === undefined || top.before !== undefined) return changes;
  // What is above the path comes with it, the highest first.
  for (let above = parentPath(path); above !== undefined; above = parentPath(above)) {
    const node = readPath(reader, now, above) === undefined ? readPath(reader, then, above) : undefined;
    if (node === undefined) break;
    const { value, perms } = node;
    changes.unshift({ kind: "node", path: above, before: undefined, after: { value, perms } });
  }
  return changes;
}
