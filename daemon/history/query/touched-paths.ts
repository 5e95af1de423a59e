/**
 * Which nodes a commit changed, as far as somebody wants to know.
 */
import type { Path } from "../../../protocol/identifiers.js";
import { isAtOrBelow } from "../../../protocol/path.js";
import { touchedNodes, type TouchedNode } from "../repository/recorded-changes.js";
import type { FoundCommit, HistoryView } from "./history.js";

/** What a commit changed. */
export interface TouchedPaths {
  /** In the order of `xs ls`; of what went, the top alone. */
  readonly nodes: readonly TouchedNode[];
  /** Whether there may be more. */
  readonly hasMore: boolean;
}

/** Of one commit so many nodes are looked at. */
const NODES_LOOKED_MAX = 10_000;

/**
 * The nodes at or below a path that a commit changed, and the one above it with which they went.
 *
 * @param limit - at most so many
 * @throws what `HistoryView.commit` and `touchedNodes` throw
 */
export function touchedPaths(view: HistoryView, found: FoundCommit, path: Path, limit: number): TouchedPaths {
  const nodes: TouchedNode[] = [];
  let looked = 0;
  const before = view.previous(found)?.commit.tree;
  for (const node of touchedNodes(view.reader, before, found.commit.tree)) {
    if (++looked > NODES_LOOKED_MAX || nodes.length === limit) return { nodes, hasMore: true };
    if (isAtOrBelow(node.path, path) || (node.isRemoval && isAtOrBelow(path, node.path))) nodes.push(node);
  }
  return { nodes, hasMore: false };
}
