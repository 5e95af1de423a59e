/**
 * From a listing to the changes that make a store what it says.
 *
 * Owns what is made of what a listing does not tell: of a node that is there already, a value or perms that are unknown stay
 * what they are; a new node without perms has those of its parent. The perms and the value of the node whose children are
 * listed are never in a listing, and stay too.
 *
 *     store /a=1 (n5) /a/b=2 (n5) /c=3     listing /a/b="7" /a/d=""     changes: /a/b is another, /a/d came (n5), /c is gone
 */
import { flattenBytes } from "../../protocol/bytes.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import type { ListingNode } from "../../protocol/listing/parse-listing.js";
import { parentPath, ROOT_PATH } from "../../protocol/path.js";
import { internPerms, type Perms } from "../../protocol/perms.js";
import { applyManyChanges } from "./bulk-edit.js";
import type { Change, NodeState } from "./commit.js";
import { diffRoots } from "./diff.js";
import { removeNode, setNode } from "./edit.js";
import { leaf, type Node } from "./node.js";
import { getNode, type Root } from "./root.js";

/** The changes only serve to be applied; which commit they will be is not known here. */
const NO_SEQ = 0 as Seq;

/**
 * The changes that lead from a root to what a listing says, parents before children. Only nodes change.
 *
 * @param nodes - parents before children; at or below top, but for implied ones above it
 * @param top - what is below this node and not listed goes, all else stays; the whole store unless given
 */
export function changesToListing(before: Root, nodes: readonly ListingNode[], top: Path = ROOT_PATH): Change[] {
  const alone = { ...before, node: withoutChildren(before, top) };
  const permsOf = new Map<Path, Perms>();
  const listed = nodes.map((node): Change => {
    const { path } = node;
    const parent = parentPath(path) ?? ROOT_PATH;
    const permsAbove = permsOf.get(parent) ?? getNode(alone, parent)?.perms;
    if (permsAbove === undefined) throw new RangeError(`the parent of ${path} is not among the nodes before it`);
    const after = stateOf(node, getNode(before, path), permsAbove);
    permsOf.set(path, after.perms);
    return { kind: "node", path, before: undefined, after };
  });
  return diffRoots(before, applyManyChanges(alone, listed, NO_SEQ));
}

/** Without all that is below a node; the node itself stays. */
function withoutChildren(root: Root, top: Path): Node {
  const node = getNode(root, top);
  if (node === undefined) return root.node;
  const alone = leaf(node.value, node.perms, NO_SEQ);
  if (top === ROOT_PATH) return alone;
  const without = removeNode(root.node, top, NO_SEQ) ?? root.node;
  return setNode(without, top, alone, NO_SEQ) ?? without;
}

function stateOf(listed: ListingNode, old: Node | undefined, permsAbove: Perms): NodeState {
  const { value, isImplied, isPartial } = listed;
  const isOldValue = old !== undefined && (isImplied || (isPartial && old.value.startsWith(value)));
  const perms = isImplied && old !== undefined ? old.perms : listed.perms;
  return {
    value: isOldValue ? old.value : flattenBytes(value),
    perms: internPerms(perms ?? old?.perms ?? permsAbove),
  };
}
