/**
 * Drafts: a root in the making.
 *
 * Owns what one request or one transaction has done so far, on top of an immutable base: the new root, the events, and
 * how many nodes each owner gained. Nobody else sees a draft until it is committed; dropping it undoes it.
 */
import type { Domid, Path, Seq } from "../../protocol/identifiers.js";
import type { SpecialPath } from "../../protocol/path.js";
import { samePerms, type Perms } from "../../protocol/perms.js";
import { countOwners } from "./accounts.js";
import type { NodeState } from "./commit.js";
import { withEntry } from "./diff.js";
import { removeNode, setNode } from "./edit.js";
import type { StoreEvent } from "./event.js";
import type { QuotaName } from "./quota.js";
import { getNode, isEmptyRecord, type DomainRecord, type Root } from "./root.js";
import type { Node } from "./node.js";

/** What a draft was at some moment; see `Draft.mark`. */
export interface DraftMark {
  readonly root: Root;
  readonly eventCount: number;
  readonly charges: ReadonlyMap<Domid, number>;
}

const NO_CHARGES: ReadonlyMap<Domid, number> = new Map();

/** A root in the making. */
export class Draft {
  readonly base: Root;
  /** The seq that the draft's commit would have: the `modified` of what it changes. */
  readonly seq: Seq;
  root: Root;
  readonly events: StoreEvent[] = [];
  #charges: ReadonlyMap<Domid, number> = NO_CHARGES;

  constructor(base: Root, seq: Seq) {
    this.base = base;
    this.root = base;
    this.seq = seq;
  }

  /** Whether committing it would change or fire anything. */
  get isEmpty(): boolean {
    return this.root === this.base && this.events.length === 0;
  }

  /** How many nodes more (or fewer) than in the base a domain owns. */
  chargeOf(domid: Domid): number {
    return this.#charges.get(domid) ?? 0;
  }

  /** The node at `path`. */
  get(path: Path): Node | undefined {
    return getNode(this.root, path);
  }

  /** Gives a node, whose parent exists, a value and perms; creates it when it is missing. */
  set(path: Path, state: NodeState): void {
    const old = this.get(path);
    const node = setNode(this.root.node, path, state, this.seq);
    if (node === undefined) throw new Error(`the parent of ${path} is missing`);
    if (node === this.root.node) return;
    this.root = { ...this.root, node };
    const [owner] = state.perms;
    if (old !== undefined && old.perms[0].domid === owner.domid) return;
    this.#charge(owner.domid, 1);
    if (old !== undefined) this.#charge(old.perms[0].domid, -1);
  }

  /** Removes a node, which must exist and not be `/`, and all below it; returns it. */
  remove(path: Path): Node {
    const removed = this.get(path);
    const node = removeNode(this.root.node, path, this.seq);
    if (removed === undefined || node === undefined) throw new Error(`${path} cannot be removed`);
    this.root = { ...this.root, node };
    for (const [domid, count] of countOwners(removed)) this.#charge(domid, -count);
    return removed;
  }

  setSpecial(path: SpecialPath, perms: Perms): void {
    const old = this.root.special.get(path);
    if (old !== undefined && samePerms(old, perms)) return;
    this.root = { ...this.root, special: withEntry(this.root.special, path, perms) };
  }

  /** Replaces a domain's record; an empty one is dropped. */
  setDomain(domid: Domid, record: DomainRecord): void {
    const kept = isEmptyRecord(record) ? undefined : record;
    this.root = { ...this.root, domains: withEntry(this.root.domains, domid, kept) };
  }

  /** Changes a default quota. */
  setDefaultQuota(name: QuotaName, value: number): void {
    this.root = { ...this.root, quotas: withEntry(this.root.quotas, name, value) };
  }

  /** Remembers this moment for `rewind`. */
  mark(): DraftMark {
    return { root: this.root, eventCount: this.events.length, charges: this.#charges };
  }

  /** Undoes all that happened since the mark. */
  rewind(mark: DraftMark): void {
    this.root = mark.root;
    this.events.length = mark.eventCount;
    this.#charges = mark.charges;
  }

  /** Charges are copied on write, so that a mark can hold them by reference; dom0 owns without limit and is not counted. */
  #charge(domid: Domid, count: number): void {
    if (domid === 0) return;
    this.#charges = new Map(this.#charges).set(domid, this.chargeOf(domid) + count);
  }
}
