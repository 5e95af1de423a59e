/**
 * Three-way merge: what two sides made of one state, put together.
 *
 * Owns which changes of theirs come to ours, and what is a conflict. It works on net changes, not on states: what one side
 * left alone is the other's. Worked examples, from `/a=1 /a/b=2`:
 *
 *     ours /a=9           theirs /a/b=8        →  /a=9 /a/b=8
 *     ours /a/b gone      theirs /a gone       →  nothing is left; each removal holds
 *     ours /a gone        theirs /a/b=8        →  conflict at /a: ours removed what theirs changed
 *     ours /a/c=3         theirs /a gone       →  conflict at /a: ours changed what theirs removed
 *     ours /a/c=3         theirs /a/d=4        →  /a=1 /a/b=2 /a/c=3 /a/d=4: children are merged one by one
 *     ours /c=3           theirs /c=3          →  /c=3, made once
 *
 * Where nothing is in conflict, the merge of theirs into ours is the merge of ours into theirs.
 *
 * A domain that one side released must not come back by the other: a node whose perms name it, made there by the other side,
 * is a conflict, or the next domain with that id would inherit rights (XSA-322). It is released also where the side has
 * introduced the next one since, whatever that one's frame and port are (`isSameDomain`):
 *
 *     ours RELEASE 5, INTRODUCE 5    theirs /secret n0 r5    →  conflict at /secret: it is meant for the 5 that is gone
 *     ours RELEASE 5, INTRODUCE 5    theirs SET_TARGET 5 6   →  conflict at domain 5: so is the target
 *     ours INTRODUCE 5               theirs INTRODUCE 5      →  conflict at domain 5: they are two domains, and what each side
 *                                                                means for its own is not for the other's, whichever is kept
 */
import type { Domid, Path } from "../../../protocol/identifiers.js";
import { childPath, parentPath } from "../../../protocol/path.js";
import { samePerms, type Perms } from "../../../protocol/perms.js";
import type { Change, NodeState } from "../commit.js";
import { diffRoots, sameIntroduction, sameRecord, withEntry } from "../diff.js";
import type { Node } from "../node.js";
import { getNode, isSameDomain, NO_RECORD, type DomainRecord, type Root } from "../root.js";
import { mergeNode, type MergeNode, type NodePart } from "./node-merge.js";

/** What is merged. */
export interface MergeSides {
  /** The state that both began with. */
  readonly base: Root;
  /** What the merge is to be applied to. */
  readonly ours: Root;
  readonly theirs: Root;
}

/** The same as net changes, for who has no roots at hand. */
interface ChangedSides {
  /** What leads from the base to ours, as `diffRoots` tells it. */
  readonly ours: readonly Change[];
  readonly theirs: readonly Change[];
  /** The changes that make what theirs has at and below a path, from nothing, parents first. */
  readonly creationsOfTheirs: (top: Path) => readonly Change[];
}

/** How it is merged. */
export interface MergeOptions {
  /** Whose change is taken where the two are in conflict. */
  readonly prefer?: "ours" | "theirs";
  /** Chooses how a node is merged that both sides changed. */
  readonly mergeNodeAt?: (path: Path) => MergeNode;
}

/** Something that both sides changed, otherwise than each other. */
export interface Conflict {
  /** A path, `@releaseDomain`, `quota nodes`, or `domain 5`. */
  readonly subject: string;
  readonly kind:
    NodePart | "quota" | "record" | "ours removed" | "theirs removed" | "ours released" | "theirs released";
  /** The domain that was released. */
  readonly domid?: Domid;
}

/** What a merge comes to. */
export interface Merge {
  /** Changes that make ours the merged state; `applyChanges` applies them. */
  readonly changes: readonly Change[];
  /** To be settled by a person. While there are any, `changes` must not be applied. */
  readonly conflicts: readonly Conflict[];
  /** Conflicts that `prefer` settled. */
  readonly settled: readonly Conflict[];
}

/** Merges two sides. */
export function mergeRoots(sides: MergeSides, options: MergeOptions = {}): Merge {
  const { base, ours, theirs } = sides;
  const changed: ChangedSides = {
    ours: diffRoots(base, ours),
    theirs: diffRoots(base, theirs),
    creationsOfTheirs: (top) => creations(top, getNode(theirs, top)),
  };
  return mergeChanges(changed, options);
}

/** Merges two sides of which the changes are known. */
export function mergeChanges(sides: ChangedSides, options: MergeOptions = {}): Merge {
  return new Merger(sides, options).merge();
}

/** What the two sides are called. */
export interface SideNames {
  readonly ours: string;
  readonly theirs: string;
}

/** A conflict in words, for the one who merges theirs into ours. */
export function describeConflict(
  { subject, kind, domid }: Conflict,
  { ours, theirs }: SideNames = { ours: "ours", theirs: "theirs" },
): string {
  switch (kind) {
    case "value":
    case "perms":
      return `${subject}: both changed its ${kind}`;
    case "quota":
    case "record":
      return `${subject}: both changed it`;
    case "ours removed":
      return `${subject}: ${ours} removed what ${theirs} changed`;
    case "theirs removed":
      return `${subject}: ${ours} changed what ${theirs} removed`;
    case "ours released":
      return `${subject}: ${theirs} names domain ${String(domid)}, which ${ours} released`;
    case "theirs released":
      return `${subject}: ${ours} names domain ${String(domid)}, which ${theirs} released`;
  }
}

type NodeChange = Change & { readonly kind: "node" };
type DomainChange = Change & { readonly kind: "domain" };

class Merger {
  readonly #sides: ChangedSides;
  readonly #options: MergeOptions;
  readonly #ours: Side;
  readonly #theirs: Side;
  readonly #changes: Change[] = [];
  readonly #conflicts: Conflict[] = [];
  readonly #settled: Conflict[] = [];
  /** Subtrees that ours removed, and that were decided as a whole. */
  readonly #decided = new Set<Path>();

  constructor(sides: ChangedSides, options: MergeOptions) {
    this.#sides = sides;
    this.#options = options;
    this.#ours = new Side(sides.ours);
    this.#theirs = new Side(sides.theirs);
  }

  merge(): Merge {
    for (const change of this.#theirs.changes) {
      switch (change.kind) {
        case "node":
          this.#mergeNode(change);
          break;
        case "special":
          this.#mergeSpecial(change);
          break;
        case "quota":
          this.#mergeQuota(change);
          break;
        case "domain":
          this.#mergeDomain(change);
          break;
      }
    }
    this.#checkReleased();
    return { changes: this.#changes, conflicts: this.#conflicts, settled: this.#settled };
  }

  #mergeNode(theirs: NodeChange): void {
    const { path } = theirs;
    const ours = this.#ours.nodes.get(path);
    const removed = this.#ours.removedAtOrAbove(path);
    if (theirs.after === undefined) this.#mergeRemoval(theirs, removed !== undefined);
    else if (removed !== undefined) this.#mergeIntoRemoved(removed);
    else if (ours?.after === undefined) this.#changes.push(theirs);
    else {
      const merge = this.#options.mergeNodeAt?.(path) ?? mergeNode;
      const { node, conflicts } = merge({ base: theirs.before, ours: ours.after, theirs: theirs.after });
      let after = node;
      for (const kind of conflicts) {
        if (this.#isTheirsPreferred({ subject: path, kind })) after = { ...after, [kind]: theirs.after[kind] };
      }
      if (!sameState(after, ours.after)) this.#changes.push({ kind: "node", path, before: ours.after, after });
    }
  }

  #mergeRemoval(theirs: NodeChange, isRemoved: boolean): void {
    if (isRemoved) return;
    const { path } = theirs;
    const isChanged = this.#ours.nodes.has(path) || this.#ours.changedBelow.has(path);
    if (isChanged && !this.#isTheirsPreferred({ subject: path, kind: "theirs removed" })) return;
    const before = this.#ours.nodes.get(path)?.after ?? theirs.before;
    this.#changes.push({ kind: "node", path, before, after: undefined });
  }

  /** Theirs has changed something at or below what ours removed: decided once, for the whole. */
  #mergeIntoRemoved(top: Path): void {
    if (this.#decided.has(top)) return;
    this.#decided.add(top);
    if (!this.#isTheirsPreferred({ subject: top, kind: "ours removed" })) return;
    for (const creation of this.#sides.creationsOfTheirs(top)) this.#changes.push(creation);
  }

  #mergeSpecial(theirs: Change & { readonly kind: "special" }): void {
    const { path } = theirs;
    const ours = this.#ours.special.get(path);
    if (ours !== undefined) {
      if (samePerms(ours, theirs.after)) return;
      if (!this.#isTheirsPreferred({ subject: path, kind: "perms" })) return;
    }
    this.#changes.push({ ...theirs, before: ours ?? theirs.before });
  }

  #mergeQuota(theirs: Change & { readonly kind: "quota" }): void {
    const { name } = theirs;
    const ours = this.#ours.quotas.get(name);
    if (ours !== undefined) {
      if (ours.after === theirs.after) return;
      if (!this.#isTheirsPreferred({ subject: `quota ${name}`, kind: "quota" })) return;
    }
    this.#changes.push({ ...theirs, before: ours === undefined ? theirs.before : ours.after });
  }

  #mergeDomain(theirs: DomainChange): void {
    const { domid } = theirs;
    const ours = this.#ours.domains.get(domid);
    if (ours === undefined) {
      this.#changes.push(theirs);
      return;
    }
    if (sameRecord(ours.after, theirs.after)) return;
    const merged = mergeRecords(theirs.before, ours.after, theirs.after);
    const isClean = merged !== undefined;
    if (!isClean && !this.#isTheirsPreferred({ subject: `domain ${String(domid)}`, kind: "record" })) return;
    const after = isClean ? merged : theirs.after;
    if (!sameRecord(ours.after, after)) this.#changes.push({ kind: "domain", domid, before: ours.after, after });
  }

  /** Notes a conflict; whether theirs is to be taken. */
  #isTheirsPreferred(conflict: Conflict): boolean {
    const { prefer } = this.#options;
    if (prefer === undefined) this.#conflicts.push(conflict);
    else this.#settled.push(conflict);
    return prefer === "theirs";
  }

  /**
   * Nobody can be preferred here: what names a released domain must go or get other perms. What both sides made is neither's
   * mistake, and what is in conflict already is not told twice, nor
   * what lies below it: whoever decides about a removal decides about all that it takes.
   */
  #checkReleased(): void {
    const { prefer } = this.#options;
    const rivals = this.#ours.rivalsOf(this.#theirs);
    const byOurs = this.#ours.releasedBeside(this.#theirs, prefer === "theirs" ? [] : rivals);
    const byTheirs = this.#theirs.releasedBeside(this.#ours, prefer === "ours" ? [] : rivals);
    const told = new Set(this.#conflicts.map(({ subject }) => subject));
    if (byOurs.size > 0) {
      for (const change of this.#changes) {
        const domid = named(change, byOurs, told);
        if (domid !== undefined) this.#conflicts.push({ subject: subjectOf(change), kind: "ours released", domid });
      }
    }
    if (byTheirs.size === 0) return;
    const merged = new Side(this.#changes);
    const disputed = new Set(
      this.#conflicts.filter(({ kind }) => kind === "theirs removed").map(({ subject }) => subject),
    );
    const isGone = (path: Path): boolean =>
      merged.removedAtOrAbove(path) !== undefined || nearestOf(disputed, path) !== undefined;
    for (const change of this.#ours.changes) {
      const subject = subjectOf(change);
      if (change.kind === "node" && isGone(change.path)) continue;
      const isTheirs = hasSameEnd(change, this.#theirs.bySubject.get(subject));
      if (isTheirs) continue;
      const domid = named(merged.bySubject.get(subject) ?? change, byTheirs, told);
      if (domid !== undefined) this.#conflicts.push({ subject, kind: "theirs released", domid });
    }
  }
}

/** What one side changed. */
class Side {
  readonly changes: readonly Change[];
  readonly bySubject = new Map<string, Change>();
  readonly nodes = new Map<Path, NodeChange>();
  readonly special = new Map<string, Perms>();
  readonly quotas = new Map<string, Change & { readonly kind: "quota" }>();
  readonly domains = new Map<Domid, DomainChange>();
  /** Domains that were introduced and are not any more, whether their number was given anew or not. */
  readonly #released = new Set<Domid>();
  /** Paths below which a node came or changed. */
  readonly changedBelow = new Set<Path>();
  readonly #removed = new Set<Path>();

  constructor(changes: readonly Change[]) {
    this.changes = changes;
    for (const change of changes) {
      this.bySubject.set(subjectOf(change), change);
      if (change.kind === "special") this.special.set(change.path, change.after);
      else if (change.kind === "quota") this.quotas.set(change.name, change);
      else if (change.kind === "domain") this.#addDomain(change);
      else this.#addNode(change);
    }
  }

  /** Domains that this side released and the other did not; and others, of which it has another one. */
  releasedBeside(other: Side, others: readonly Domid[]): ReadonlySet<Domid> {
    return new Set([...[...this.#released].filter((domid) => !other.#released.has(domid)), ...others]);
  }

  /** Numbers that each side has given to a domain of its own. */
  rivalsOf(other: Side): readonly Domid[] {
    return [...this.domains].flatMap(([domid, { after }]) => {
      const [ours, theirs] = [after?.introduction, other.domains.get(domid)?.after?.introduction];
      return ours === undefined || theirs === undefined || isSameDomain(ours, theirs) ? [] : [domid];
    });
  }

  /** The path at or above this one that was removed; there is at most one. */
  removedAtOrAbove(path: Path): Path | undefined {
    return nearestOf(this.#removed, path);
  }

  #addDomain(change: DomainChange): void {
    this.domains.set(change.domid, change);
    if (isOver(change.before, change.after)) this.#released.add(change.domid);
  }

  #addNode(change: NodeChange): void {
    const { path, after } = change;
    this.nodes.set(path, change);
    if (after === undefined) {
      this.#removed.add(path);
      return;
    }
    for (let at = parentPath(path); at !== undefined && !this.changedBelow.has(at); at = parentPath(at)) {
      this.changedBelow.add(at);
    }
  }
}

/** The nearest path at or above this one that is in the set. */
function nearestOf(paths: ReadonlySet<string>, path: Path): Path | undefined {
  if (paths.size === 0) return undefined;
  let at: Path | undefined = path;
  while (at !== undefined && !paths.has(at)) at = parentPath(at);
  return at;
}

/** The changes that make a node with all below it, parents first; none for none. */
function creations(top: Path, node: Node | undefined): Change[] {
  const changes: Change[] = [];
  const pending = node === undefined ? [] : [{ path: top, node }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, perms, names, children } = next.node;
    changes.push({ kind: "node", path: next.path, before: undefined, after: { value, perms } });
    for (const [index, child] of children.entries()) {
      pending.push({ path: childPath(next.path, names[index] as string), node: child });
    }
  }
  return changes;
}

/** Whether the domain that was introduced is not any more: it was released, and its number perhaps given to another. */
function isOver(before: DomainRecord | undefined, after: DomainRecord | undefined): boolean {
  const [was, is] = [before?.introduction, after?.introduction];
  return was !== undefined && (is === undefined || !isSameDomain(was, is));
}

/**
 * A record of which each side changed other fields; undefined where they changed the same, where one removed it, or where one
 * is of the next domain: what was changed of the last one is not for that. The quotas of a domain are fields of their own.
 */
function mergeRecords(
  base: DomainRecord | undefined,
  ours: DomainRecord | undefined,
  theirs: DomainRecord | undefined,
): DomainRecord | undefined {
  if (ours === undefined || theirs === undefined) return undefined;
  const isOfTwo = !sameIntroduction(ours.introduction, theirs.introduction);
  if (isOfTwo && (isOver(base, ours) || isOver(base, theirs))) return undefined;
  const from = base ?? NO_RECORD;
  let merged = ours;
  for (const field of ["introduction", "target", "features", "shutdown"] as const) {
    const withTheirs = { ...from, [field]: theirs[field] };
    const isTheirs = !sameRecord(withTheirs, from);
    const isOurs = !sameRecord({ ...from, [field]: ours[field] }, from);
    if (!isTheirs) continue;
    if (isOurs && !sameRecord(withTheirs, { ...from, [field]: ours[field] })) return undefined;
    merged = { ...merged, [field]: theirs[field] };
  }
  for (const name of new Set([...from.quotas.keys(), ...theirs.quotas.keys()])) {
    const [was, isOurs, isTheirs] = [from, ours, theirs].map(({ quotas }) => quotas.get(name));
    if (isTheirs === was || isTheirs === isOurs) continue;
    if (isOurs !== was) return undefined;
    merged = { ...merged, quotas: withEntry(merged.quotas, name, isTheirs) };
  }
  return merged;
}

function sameState(left: NodeState, right: NodeState): boolean {
  return left.value === right.value && samePerms(left.perms, right.perms);
}

/** Whether two changes of one thing lead to the same. */
function hasSameEnd(left: Change, right: Change | undefined): boolean {
  if (left.kind === "node" && right?.kind === "node") {
    if (left.after === undefined || right.after === undefined) return left.after === right.after;
    return sameState(left.after, right.after);
  }
  if (left.kind === "special" && right?.kind === "special") return samePerms(left.after, right.after);
  if (left.kind === "quota" && right?.kind === "quota") return left.after === right.after;
  return left.kind === "domain" && right?.kind === "domain" && sameRecord(left.after, right.after);
}

/** What a change is of, as conflicts say it. */
function subjectOf(change: Change): string {
  switch (change.kind) {
    case "node":
    case "special":
      return change.path;
    case "quota":
      return `quota ${change.name}`;
    case "domain":
      return `domain ${String(change.domid)}`;
  }
}

/** The first of these domains that the state after a change names; undefined where there is none, or the change was told already. */
function named(change: Change, released: ReadonlySet<Domid>, told: Set<string>): Domid | undefined {
  const subject = subjectOf(change);
  const domid = told.has(subject) ? undefined : domidsNamedBy(change).find((each) => released.has(each));
  if (domid !== undefined) told.add(subject);
  return domid;
}

/** Whether nobody can be preferred in a conflict: a domain that one side released must not get its rights back. */
export function isUndecidable({ kind }: Conflict): boolean {
  return kind === "ours released" || kind === "theirs released";
}

/** The domains whose rights the state after a change mentions. */
function domidsNamedBy(change: Change): Domid[] {
  switch (change.kind) {
    case "node":
      return (change.after?.perms ?? []).map(({ domid }) => domid);
    case "special":
      return change.after.map(({ domid }) => domid);
    case "domain":
      return change.after?.target === undefined ? [] : [change.after.target];
    case "quota":
      return [];
  }
}
