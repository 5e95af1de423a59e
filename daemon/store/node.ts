/**
 * Nodes of the store: immutable, shared between roots.
 *
 * Owns the shape of a node and the search among its children. A node is never changed after it was built; an edit
 * copies the nodes on the path to what it changes (`edit.ts`) and shares all others. `names` is sorted by code unit and
 * `children` runs parallel to it, so replacing one child copies one array and leaves `names` shared.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Seq } from "../../protocol/identifiers.js";
import type { SplitPath } from "../../protocol/path.js";
import type { Perms } from "../../protocol/perms.js";

/** A node. Node names such as `__proto__` are legal, which is why this is not an object keyed by name. */
export interface Node {
  readonly value: ByteString;
  readonly perms: Perms;
  /** The children's names, sorted by code unit. */
  readonly names: readonly string[];
  /** The children, parallel to `names`. */
  readonly children: readonly Node[];
  /** The seq of the last change of value, perms or child list; not part of a root's identity. */
  readonly modified: Seq;
}

const NO_NAMES: readonly string[] = [];
const NO_CHILDREN: readonly Node[] = [];

/** A node without children. */
export function leaf(value: ByteString, perms: Perms, modified: Seq): Node {
  return { value, perms, names: NO_NAMES, children: NO_CHILDREN, modified };
}

/** The index of `name` among sorted names, or `-(insertion point) - 1` when it is not there. */
export function indexOfName(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const candidate = names[middle] as string;
    if (candidate === name) return middle;
    if (candidate < name) low = middle + 1;
    else high = middle - 1;
  }
  return -low - 1;
}

/** The same for the name of a path at some level, which is looked for first where it was found last. */
export function indexOnPath(names: readonly string[], path: SplitPath, level: number): number {
  const name = path.names[level] as string;
  const hint = path.hints[level] as number;
  if (hint >= 0 && hint < names.length && names[hint] === name) return hint;
  const index = indexOfName(names, name);
  if (index >= 0) {
    path.hints[level] = index;
    path.names[level] = names[index] as string;
  }
  return index;
}

/** The child called `name`, or undefined. */
export function getChild(node: Node, name: string): Node | undefined {
  const index = indexOfName(node.names, name);
  return index < 0 ? undefined : node.children[index];
}
