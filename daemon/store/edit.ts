/**
 * Edits by path copying: each returns a new top node that shares all that did not change.
 *
 * Owns how the tree is rebuilt, and knows nothing of permissions, quotas or watches. Iterates over the path.
 */
import { flattenBytes } from "../../protocol/bytes.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import { splitForLookup, type SplitPath } from "../../protocol/path.js";
import { samePerms } from "../../protocol/perms.js";
import type { NodeState } from "./commit.js";
import { indexOnPath, leaf, type Node } from "./node.js";

/** Replaces one child, sharing `names`. */
function withChildAt(node: Node, index: number, child: Node): Node {
  const children = node.children.slice();
  children[index] = child;
  return { value: node.value, perms: node.perms, names: node.names, children, modified: node.modified };
}

/** Inserts a child at an insertion point. */
function withChildInserted(node: Node, index: number, name: string, child: Node, seq: Seq): Node {
  const names = node.names.slice();
  names.splice(index, 0, flattenBytes(name));
  const children = node.children.slice();
  children.splice(index, 0, child);
  return { value: node.value, perms: node.perms, names, children, modified: seq };
}

/** Removes a child. */
function withoutChildAt(node: Node, index: number, seq: Seq): Node {
  if (node.names.length === 1) return leaf(node.value, node.perms, seq);
  const names = node.names.slice();
  names.splice(index, 1);
  const children = node.children.slice();
  children.splice(index, 1);
  return { value: node.value, perms: node.perms, names, children, modified: seq };
}

/** The nodes from `top` down to the parent of the last name, and each step's index among the children. */
interface Descent {
  readonly nodes: Node[];
  readonly indexes: number[];
}

function descend(top: Node, path: SplitPath): Descent | undefined {
  const nodes: Node[] = [top];
  const indexes: number[] = [];
  let node = top;
  for (let depth = 0; depth < path.names.length - 1; depth++) {
    const index = indexOnPath(node.names, path, depth);
    if (index < 0) return undefined;
    indexes.push(index);
    node = node.children[index] as Node;
    nodes.push(node);
  }
  return { nodes, indexes };
}

/** Rebuilds the ancestors of a changed parent. */
function ascend(descent: Descent, changed: Node): Node {
  let node = changed;
  for (let depth = descent.indexes.length - 1; depth >= 0; depth--) {
    node = withChildAt(descent.nodes[depth] as Node, descent.indexes[depth] as number, node);
  }
  return node;
}

/**
 * Gives the node at `path` a value and perms, creating it when it is missing; its children stay.
 *
 * @returns the new top, `top` itself when nothing differs, or undefined when the parent is missing
 */
export function setNode(top: Node, path: Path, state: NodeState, seq: Seq): Node | undefined {
  const split = splitForLookup(path);
  const name = split.names.at(-1);
  if (name === undefined) return changed(top, state, seq);
  const descent = descend(top, split);
  if (descent === undefined) return undefined;
  const parent = descent.nodes.at(-1) as Node;
  const index = indexOnPath(parent.names, split, split.names.length - 1);
  if (index < 0)
    return ascend(descent, withChildInserted(parent, -index - 1, name, leaf(state.value, state.perms, seq), seq));
  const old = parent.children[index] as Node;
  const now = changed(old, state, seq);
  return now === old ? top : ascend(descent, withChildAt(parent, index, now));
}

function changed(node: Node, state: NodeState, seq: Seq): Node {
  if (node.value === state.value && samePerms(node.perms, state.perms)) return node;
  return { value: state.value, perms: state.perms, names: node.names, children: node.children, modified: seq };
}

/** Adds a node, with all below it, at a path whose parent exists and which is free; undefined when that is not so. */
export function insertNode(top: Node, path: Path, node: Node, seq: Seq): Node | undefined {
  const split = splitForLookup(path);
  const name = split.names.at(-1);
  const descent = descend(top, split);
  if (name === undefined || descent === undefined) return undefined;
  const parent = descent.nodes.at(-1) as Node;
  const index = indexOnPath(parent.names, split, split.names.length - 1);
  return index < 0 ? ascend(descent, withChildInserted(parent, -index - 1, name, node, seq)) : undefined;
}

/** Removes the node at `path` and all below it; undefined when it or its parent is missing, or it is `/`. */
export function removeNode(top: Node, path: Path, seq: Seq): Node | undefined {
  const split = splitForLookup(path);
  const name = split.names.at(-1);
  if (name === undefined) return undefined;
  const descent = descend(top, split);
  if (descent === undefined) return undefined;
  const parent = descent.nodes.at(-1) as Node;
  const index = indexOnPath(parent.names, split, split.names.length - 1);
  if (index < 0) return undefined;
  return ascend(descent, withoutChildAt(parent, index, seq));
}
