/**
 * Events: what operations tell the watches, in the order of the requests.
 *
 * Owns their shape. Events differ from changes: a write of an equal value is an event and no change; implicitly created
 * parents are changes and no events. Source: xenstore.txt, "Watches".
 */
import type { Domid, Path } from "../../protocol/identifiers.js";
import type { SpecialPath } from "../../protocol/path.js";
import type { Node } from "./node.js";

/** Something that happened. */
export type StoreEvent =
  /** A node was written, created or got other perms: for watchers of the node and of its ancestors. */
  | { readonly kind: "touched"; readonly path: Path }
  /**
   * A node went with all below it: first for watchers below it, each with its own path, where a node was; then for
   * watchers of the node and of its ancestors.
   */
  | { readonly kind: "removed"; readonly path: Path; readonly node: Node }
  /** A domain came or went. */
  | { readonly kind: "special"; readonly path: SpecialPath; readonly domid: Domid };
