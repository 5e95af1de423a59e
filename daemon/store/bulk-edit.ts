/**
 * Many edits at once.
 *
 * Owns the rebuilding of a tree in which each node that changes is built once, from the leaves up: an edit of `edit.ts` copies
 * the list of a node's children for each child that comes, which for a directory of 20,000 takes seconds. Iterates: a path may
 * have over a thousand levels.
 */
import { flattenBytes } from "../../protocol/bytes.js";
import type { Seq } from "../../protocol/identifiers.js";
import { splitPath } from "../../protocol/path.js";
import { samePerms } from "../../protocol/perms.js";
import type { Change, NodeState } from "./commit.js";
import { applyChanges } from "./diff.js";
import { getChild, leaf, type Node } from "./node.js";
import type { Root } from "./root.js";

type NodeChange = Extract<Change, { readonly kind: "node" }>;

/**
 * The same as `applyChanges`, in a time that grows with the changes and the directories that they are in.
 *
 * @throws as `applyChanges`
 */
export function applyManyChanges(root: Root, changes: readonly Change[], seq: Seq): Root {
  const nodes: NodeChange[] = [];
  const others: Change[] = [];
  for (const change of changes) {
    if (change.kind === "node") nodes.push(change);
    else others.push(change);
  }
  return applyChanges({ ...root, node: editMany(root.node, nodes, seq) }, others, seq);
}

/** What is to become of a node and of those below it. */
interface Edit {
  /** Undefined where its own state stays; null where it goes. */
  state: NodeState | null | undefined;
  readonly below: Map<string, Edit>;
}

/** A node that is being rebuilt. */
interface Frame {
  readonly name: string;
  readonly old: Node | undefined;
  readonly edit: Edit;
  readonly left: Iterator<[string, Edit]>;
  /** Children that were rebuilt; undefined for one that goes. */
  readonly children: { readonly name: string; readonly node: Node | undefined }[];
}

function editMany(top: Node, changes: readonly NodeChange[], seq: Seq): Node {
  if (changes.length === 0) return top;
  const stack: Frame[] = [frameOf("/", top, editsOf(changes))];
  for (;;) {
    const frame = stack.at(-1) as Frame;
    const next = frame.left.next();
    if (next.done !== true) {
      const [name, edit] = next.value;
      const old = frame.old === undefined ? undefined : getChild(frame.old, name);
      if (edit.state !== null) stack.push(frameOf(name, old, edit));
      else if (old === undefined) throw new Error(`the removal of ${name} does not fit the state it is applied to`);
      else frame.children.push({ name, node: undefined });
      continue;
    }
    stack.pop();
    const node = rebuilt(frame, seq);
    const parent = stack.at(-1);
    if (parent === undefined) return node;
    parent.children.push({ name: frame.name, node });
  }
}

function editsOf(changes: readonly NodeChange[]): Edit {
  const top: Edit = { state: undefined, below: new Map() };
  for (const { path, after } of changes) {
    let edit = top;
    for (const name of splitPath(path)) {
      let below = edit.below.get(name);
      if (below === undefined) edit.below.set(name, (below = { state: undefined, below: new Map() }));
      edit = below;
    }
    edit.state = after ?? null;
  }
  return top;
}

function frameOf(name: string, old: Node | undefined, edit: Edit): Frame {
  return { name, old, edit, left: edit.below.entries(), children: [] };
}

function rebuilt({ name, old, edit, children }: Frame, seq: Seq): Node {
  const state = edit.state ?? old;
  if (state === undefined) throw new Error(`the change below ${name} does not fit the state it is applied to`);
  const { value, perms } = state;
  const isAnother = old === undefined || old.value !== value || !samePerms(old.perms, perms);
  const base = old ?? leaf(value, perms, seq);
  const { names, nodes, isListAnother } = mergeChildren(base, children);
  const modified = isAnother || isListAnother ? seq : base.modified;
  return { value, perms, names, children: nodes, modified };
}

function mergeChildren(
  { names, children }: Node,
  changed: Frame["children"],
): { readonly names: readonly string[]; readonly nodes: readonly Node[]; readonly isListAnother: boolean } {
  if (changed.length === 0) return { names, nodes: children, isListAnother: false };
  changed.sort((left, right) => (left.name < right.name ? -1 : 1));
  const mergedNames: string[] = [];
  const nodes: Node[] = [];
  let isListAnother = false;
  let at = 0;
  for (const { name, node } of changed) {
    for (; at < names.length && (names[at] as string) < name; at++) {
      mergedNames.push(names[at] as string);
      nodes.push(children[at] as Node);
    }
    const isThere = names[at] === name;
    if (node === undefined || !isThere) isListAnother = true;
    if (node !== undefined) {
      mergedNames.push(isThere ? name : flattenBytes(name));
      nodes.push(node);
    }
    if (isThere) at++;
  }
  for (; at < names.length; at++) {
    mergedNames.push(names[at] as string);
    nodes.push(children[at] as Node);
  }
  return { names: isListAnother ? mergedNames : names, nodes, isListAnother };
}
