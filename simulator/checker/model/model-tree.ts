/**
 * The naive model: the nodes.
 *
 * Owns a plain map from paths to nodes and the names below them. A copy costs nothing until one of the two
 * is changed: a campaign checks thousands of transactions, each with a snapshot of its own. Invariants:
 *
 * 1. A map that two trees have in common is never changed; the first to change copies it. What is in it never changes.
 * 2. `changes` holds each path that was set or deleted since `beginChange`, or since the tree was copied, with what was
 *    there then.
 * 3. `generation` is the seq of the last change to a node's value, perms or list of children, which need not be a net one: a
 *    value that one commit changes and changes back counts.
 */
import type { Perms } from "../../../protocol/perms.js";

/** A node: its children are the paths below it. */
export interface ModelNode {
  readonly value: string;
  readonly perms: Perms;
}

const NO_NAMES: ReadonlySet<string> = new Set();

interface Entry {
  readonly node: ModelNode;
  readonly names: ReadonlySet<string>;
  readonly generation: number;
}

/** The nodes of one state. */
export class ModelTree {
  #entries: Map<string, Entry>;
  #isShared = false;
  #changes = new Map<string, ModelNode | undefined>();
  /** The generation of what changes now. */
  #seq = 0;

  /** A tree of `/` alone. */
  constructor(top: ModelNode) {
    this.#entries = new Map([["/", { node: top, names: NO_NAMES, generation: 0 }]]);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What was at each path that has changed since `beginChange`, in the order in which they first changed. */
  get changes(): ReadonlyMap<string, ModelNode | undefined> {
    return this.#changes;
  }

  /** Another tree with the same nodes, and without changes. */
  copy(): ModelTree {
    const copy = new ModelTree(this.#mustGet("/").node);
    copy.#entries = this.#entries;
    this.#isShared = true;
    copy.#isShared = true;
    copy.#seq = this.#seq;
    return copy;
  }

  /** Forgets the changes so far; those that follow belong to the commit with this seq. */
  beginChange(seq: number): void {
    if (this.#changes.size > 0) this.#changes = new Map();
    this.#seq = seq;
  }

  get(path: string): ModelNode | undefined {
    return this.#entries.get(path)?.node;
  }

  /** The seq of the commit that last changed a node, which is there. */
  generationOf(path: string): number {
    return this.#mustGet(path).generation;
  }

  /** What was at a path when the change at hand began. */
  getBefore(path: string): ModelNode | undefined {
    return this.#changes.has(path) ? this.#changes.get(path) : this.get(path);
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** All nodes with their paths. */
  nodes(): [path: string, node: ModelNode][] {
    return Array.from(this.#entries, ([path, { node }]) => [path, node]);
  }

  /** The names below a path, sorted. */
  namesBelow(path: string): string[] {
    return [...(this.#entries.get(path)?.names ?? NO_NAMES)].sort();
  }

  /** A path and all that lie below it and exist, parents first. */
  pathsWithin(path: string): string[] {
    const paths = this.has(path) ? [path] : [];
    // Those that are added behind are visited too.
    for (const parent of paths) {
      const prefix = parent === "/" ? "/" : `${parent}/`;
      for (const name of this.#entries.get(parent)?.names ?? NO_NAMES) paths.push(prefix + name);
    }
    return paths;
  }

  /** Sets a node, whose parent is there. */
  set(path: string, node: ModelNode): void {
    this.#own();
    const old = this.#entries.get(path);
    this.#remember(path, old?.node);
    const isChange = old?.node.value !== node.value || !samePermsLists(old.node.perms, node.perms);
    const generation = isChange ? this.#seq : old.generation;
    this.#entries.set(path, { node, names: old?.names ?? NO_NAMES, generation });
    if (old === undefined) this.#setNames(path, (names, name) => names.add(name));
  }

  /** Deletes a node, below which nothing is left. */
  delete(path: string): void {
    const old = this.#entries.get(path);
    if (old === undefined) return;
    this.#own();
    this.#remember(path, old.node);
    this.#entries.delete(path);
    this.#setNames(path, (names, name) => names.delete(name));
  }

  #remember(path: string, old: ModelNode | undefined): void {
    if (!this.#changes.has(path)) this.#changes.set(path, old);
  }

  #setNames(path: string, change: (names: Set<string>, name: string) => void): void {
    const slash = path.lastIndexOf("/");
    const parent = slash === 0 ? "/" : path.slice(0, slash);
    const entry = this.#entries.get(parent);
    // A parent can go first where the model is wrong on purpose.
    if (entry === undefined) return;
    const names = new Set(entry.names);
    change(names, path.slice(slash + 1));
    this.#entries.set(parent, { node: entry.node, names, generation: this.#seq });
  }

  #mustGet(path: string): Entry {
    const entry = this.#entries.get(path);
    if (entry === undefined) throw new Error(`${path} is not there`);
    return entry;
  }

  #own(): void {
    if (!this.#isShared) return;
    this.#entries = new Map(this.#entries);
    this.#isShared = false;
  }
}

/** Whether two lists say the same. */
export function samePermsLists(left: Perms | undefined, right: Perms | undefined): boolean {
  const text = (perms: Perms | undefined): string =>
    (perms ?? []).map(({ access, domid }) => `${String(access)}:${String(domid)}`).join(" ");
  return text(left) === text(right);
}
