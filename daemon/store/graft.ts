/**
 * Subtrees taken from another root.
 */
import type { Path, Seq } from "../../protocol/identifiers.js";
import { parentPath, ROOT_PATH } from "../../protocol/path.js";
import { sameNode } from "./diff.js";
import { insertNode, removeNode, setNode } from "./edit.js";
import type { Node } from "./node.js";
import { getNode, type Root } from "./root.js";

/**
 * A root whose nodes at and below `path` are those of `source`; all else is that of `target`. A node above `path` that the
 * target lacks comes as the source has it, without its other children.
 *
 * Worked example: from `/a=1 /a/b=2 /c=3` to `/c=4`, the graft of `/a/b` makes `/a=1 /a/b=2 /c=4`.
 *
 * @param seq - becomes the `modified` of the nodes whose lists of children change
 */
export function graft(target: Root, source: Root, path: Path, seq: Seq): Root {
  if (path === ROOT_PATH) return { ...target, node: source.node };
  const node = getNode(source, path);
  const old = getNode(target, path);
  if (node === undefined) {
    return old === undefined ? target : { ...target, node: must(removeNode(target.node, path, seq), path) };
  }
  if (old !== undefined && sameNode(old, node)) return target;
  let top = old === undefined ? target.node : must(removeNode(target.node, path, seq), path);
  for (const above of missingAbove(target, path)) {
    const { value, perms } = must(getNode(source, above), above);
    top = must(setNode(top, above, { value, perms }, seq), above);
  }
  return { ...target, node: must(insertNode(top, path, node, seq), path) };
}

/** The paths above this one at which a root has no node, the highest first. */
function missingAbove(root: Root, path: Path): Path[] {
  const missing: Path[] = [];
  let above = parentPath(path);
  while (above !== undefined && getNode(root, above) === undefined) {
    missing.push(above);
    above = parentPath(above);
  }
  return missing.reverse();
}

function must(node: Node | undefined, path: Path): Node {
  if (node === undefined) throw new Error(`${path} cannot be grafted`);
  return node;
}
