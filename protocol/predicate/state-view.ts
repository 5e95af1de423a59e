/**
 * What a predicate sees of a state.
 *
 * Owns the interface alone: roots of the store, trees in Git and maps of a test all serve it in a few lines.
 */
import type { ByteString } from "../bytes.js";
import type { Path } from "../identifiers.js";
import type { Perms } from "../perms.js";

/** A node, as far as a predicate looks at it. What costs something to find can be a getter: only what a test needs is read. */
export interface ViewedNode {
  readonly value: ByteString;
  readonly perms: Perms;
  /** The children's names, each once, in any order. */
  readonly names: readonly ByteString[];
}

/** One state, which does not change while it is looked at. */
export interface StateView {
  /** The node at a path, or undefined. */
  node(path: Path): ViewedNode | undefined;
}
