/**
 * Drafts: a root in the making.
 *
 * Owns what one request or one transaction has done so far, on top of an immutable base: the new root, the events, and
 * how many nodes each owner gained. Nobody else sees a draft until it is committed; dropping it undoes it.
 */
import type { Domid, Path, Seq } from "../../protocol/identifiers.js";
import { flattenBytes } from "../../protocol/bytes.js";
import { childPath, type SpecialPath } from "../../protocol/path.js";
import { samePerms, type Perms } from "../../protocol/perms.js";
import { countOwners } from "./accounts.js";
import type { Change, NodeState } from "./commit.js";
import { diffRoots, withEntry } from "./diff.js";
import { insertNode, removeNode, setNode } from "./edit.js";
import type { StoreEvent } from "./event.js";
import type { QuotaName } from "./quota.js";
import { getNode, isEmptyRecord, type DomainRecord, type Root } from "./root.js";
import { leaf, type Node } from "./node.js";

/** What a draft was at some moment; see `Draft.mark`. */
export interface DraftMark {
  readonly root: Root;
  readonly eventCount: number;
  readonly edits: number;
  readonly charges: ReadonlyMap<Domid, number>;
}

type NodeChange = Change & { readonly kind: "node" };

const NO_CHARGES: ReadonlyMap<Domid, number> = new Map();

/** A root in the making. */
export class Draft {
  readonly base: Root;
  /** The seq that the draft's commit would have: the `modified` of what it changes. */
  readonly seq: Seq;
  root: Root;
  readonly events: StoreEvent[] = [];
  /**
   * How often the tree was edited, and what the first edit changed; Infinity when something other than nodes changed,
   * which needs the comparison.
   */
  #edits = 0;
  #firstEdit: readonly Change[] = [];
  /** Paths with a `touched` event; kept from the second event on. */
  #touched: Set<Path> | undefined;
  #charges: ReadonlyMap<Domid, number> = NO_CHARGES;

  constructor(base: Root, seq: Seq) {
    this.base = base;
    this.root = base;
    this.seq = seq;
  }

  /**
   * Whether committing it would change and fire nothing. Perms of a special path, which fire nothing, can have been changed
   * and changed back.
   */
  get isEmpty(): boolean {
    if (this.events.length > 0) return false;
    return this.root === this.base || this.netChanges().length === 0;
  }

  /** How many nodes more (or fewer) than in the base a domain owns. */
  chargeOf(domid: Domid): number {
    return this.#charges.get(domid) ?? 0;
  }

  /** The node at `path`. */
  get(path: Path): Node | undefined {
    return getNode(this.root, path);
  }

  /** Gives an existing node, which the caller may have at hand, a value and perms. */
  set(path: Path, state: NodeState, old: Node | undefined = this.get(path)): void {
    const node = setNode(this.root.node, path, state, this.seq);
    if (old === undefined || node === undefined) throw new Error(`there is no node ${path} to change`);
    if (node === this.root.node) return;
    const before = { value: old.value, perms: old.perms };
    this.#replaceNode(node, [{ kind: "node", path, before, after: state }]);
    const [owner] = state.perms;
    if (old.perms[0].domid === owner.domid) return;
    this.#charge(owner.domid, 1);
    this.#charge(old.perms[0].domid, -1);
  }

  /**
   * Creates a chain of nodes below an existing one, all with the same perms; the last gets the value, those on the way
   * are empty. Built from the end and put in at once, so that a deep path costs its length.
   */
  create(parent: Path, names: readonly string[], state: NodeState): void {
    let node = leaf(state.value, state.perms, this.seq);
    for (let level = names.length - 1; level > 0; level--) {
      node = { ...leaf("", state.perms, this.seq), names: [flattenBytes(names[level] as string)], children: [node] };
    }
    const changes: NodeChange[] = [];
    let path = parent;
    for (const [level, name] of names.entries()) {
      path = childPath(path, name);
      const after = level === names.length - 1 ? state : { value: "", perms: state.perms };
      changes.push({ kind: "node", path, before: undefined, after });
    }
    const top = insertNode(this.root.node, childPath(parent, names[0] as string), node, this.seq);
    if (top === undefined) throw new Error(`${path} cannot be created below ${parent}`);
    this.#replaceNode(top, changes);
    this.#charge(state.perms[0].domid, names.length);
  }

  /** Tells that a node was written, created or got other perms; once, since one commit tells a path once. */
  touch(path: Path): void {
    if (this.events.length > 0) {
      this.#touched ??= new Set(
        this.events.filter(({ kind }) => kind === "touched").map((event) => event.path as Path),
      );
      if (this.#touched.has(path)) return;
      this.#touched.add(path);
    }
    this.events.push({ kind: "touched", path });
  }

  /** The net changes from base to root; what a single edit changed is known without a comparison. */
  netChanges(): readonly Change[] {
    return this.#edits === 1 ? this.#firstEdit : diffRoots(this.base, this.root);
  }

  /** Removes a node, which must exist and not be `/`, and all below it; returns it. */
  remove(path: Path): Node {
    const removed = this.get(path);
    const node = removeNode(this.root.node, path, this.seq);
    if (removed === undefined || node === undefined) throw new Error(`${path} cannot be removed`);
    const before = { value: removed.value, perms: removed.perms };
    this.#replaceNode(node, [{ kind: "node", path, before, after: undefined }]);
    for (const [domid, count] of countOwners(removed)) this.#charge(domid, -count);
    return removed;
  }

  /**
   * Becomes this root, whatever the edits so far were. The events that tell of the difference are the caller's, and so is
   * whether anybody then owns more nodes than his quota: `chargeOf` does not tell.
   */
  become(root: Root): void {
    this.#edits = Infinity;
    this.root = root;
  }

  setSpecial(path: SpecialPath, perms: Perms): void {
    const old = this.root.special.get(path);
    if (old !== undefined && samePerms(old, perms)) return;
    this.#edits = Infinity;
    this.root = { ...this.root, special: withEntry(this.root.special, path, perms) };
  }

  /** Replaces a domain's record; an empty one is dropped. */
  setDomain(domid: Domid, record: DomainRecord): void {
    const kept = isEmptyRecord(record) ? undefined : record;
    this.#edits = Infinity;
    this.root = { ...this.root, domains: withEntry(this.root.domains, domid, kept) };
  }

  /** Changes a default quota. */
  setDefaultQuota(name: QuotaName, value: number): void {
    this.#edits = Infinity;
    this.root = { ...this.root, quotas: withEntry(this.root.quotas, name, value) };
  }

  /** Remembers this moment for `rewind`. */
  mark(): DraftMark {
    return { root: this.root, eventCount: this.events.length, edits: this.#edits, charges: this.#charges };
  }

  /** Undoes all that happened since the mark. */
  rewind(mark: DraftMark): void {
    this.root = mark.root;
    this.events.length = mark.eventCount;
    this.#edits = mark.edits;
    this.#touched = undefined;
    this.#charges = mark.charges;
  }

  #replaceNode(node: Node, changes: readonly NodeChange[]): void {
    if (this.#edits === 0) this.#firstEdit = changes;
    this.#edits++;
    const { special, quotas, domains } = this.root;
    this.root = { node, special, quotas, domains };
  }

  /** Charges are copied on write, so that a mark can hold them by reference; dom0 owns without limit and is not counted. */
  #charge(domid: Domid, count: number): void {
    if (domid === 0) return;
    this.#charges = new Map(this.#charges).set(domid, this.chargeOf(domid) + count);
  }
}
