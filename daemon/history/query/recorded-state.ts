/**
 * A recorded state, as predicates look at it.
 *
 * Owns the view over a tree object. Nothing is decoded beforehand: a node costs the tree objects on the way to it that no
 * other one has cost, and its value, its perms and its children are read when a test asks for them.
 */
import type { ByteString } from "../../../protocol/bytes.js";
import type { Path } from "../../../protocol/identifiers.js";
import { ROOT_PATH, splitPath } from "../../../protocol/path.js";
import type { Perms } from "../../../protocol/perms.js";
import type { StateView, ViewedNode } from "../../../protocol/predicate/state-view.js";
import type { Oid } from "../object/oid.js";
import {
  findChild,
  readChildren,
  readPerms,
  readValue,
  type NodePlace,
  type ObjectSource,
} from "../repository/read-path.js";

/**
 * The state that a root's tree object is. Looking at it throws what `findPath` throws.
 *
 * @param tree - a root's tree object
 */
export function recordedState(reader: ObjectSource, tree: Oid): StateView {
  const top = new RecordedNode(reader, { oid: tree, parent: undefined });
  const known = new Map<string, RecordedNode | undefined>([[ROOT_PATH, top]]);
  return {
    node(path: Path) {
      // Down from the nearest node above it that is known: its siblings have mostly been here.
      const names = splitPath(path);
      let depth = names.length;
      let end = path.length;
      while (depth > 0 && !known.has(path.slice(0, end))) {
        depth--;
        end = path.lastIndexOf("/", end - 1);
      }
      let node = depth === 0 ? top : known.get(path.slice(0, end));
      for (const name of names.slice(depth)) {
        end += name.length + 1;
        node = node?.child(name);
        known.set(path.slice(0, end), node);
      }
      return node;
    },
  };
}

class RecordedNode implements ViewedNode {
  readonly #reader: ObjectSource;
  readonly #place: NodePlace;
  #value: ByteString | undefined;
  #perms: Perms | undefined;
  #children: ReadonlyMap<ByteString, NodePlace> | undefined;

  constructor(reader: ObjectSource, place: NodePlace) {
    this.#reader = reader;
    this.#place = place;
  }

  get value(): ByteString {
    return (this.#value ??= readValue(this.#reader, this.#place));
  }

  get perms(): Perms {
    return (this.#perms ??= readPerms(this.#reader, this.#place));
  }

  get names(): readonly ByteString[] {
    this.#children ??= readChildren(this.#reader, this.#place);
    return [...this.#children.keys()];
  }

  /** Where the children were listed, one of them; else it is looked for alone. */
  child(name: ByteString): RecordedNode | undefined {
    const { oid, parent } = this.#place;
    if (parent !== undefined) return undefined;
    const place = this.#children === undefined ? findChild(this.#reader, oid, name) : this.#children.get(name);
    return place === undefined ? undefined : new RecordedNode(this.#reader, place);
  }
}
