/**
 * Accounts: what can be derived from a root, kept beside it because counting anew would be slow.
 *
 * Owns, for each unprivileged domain, how many nodes it owns (the quota's figure, XSA-272) and which nodes' perms
 * mention it (what its destruction must visit). Invariants, which `verify` checks against a full walk:
 *
 * 1. `nodesOwned(d)` is the number of nodes whose first perms entry is d, for every d but 0.
 * 2. `mentions(d)` is the set of paths of nodes with any perms entry for d, for every d but 0.
 *
 * Updated from a commit's changes, never by operations, so that every way in which a root changes (requests,
 * transactions, domain destruction, recovery) keeps the books alike (XSA-421, XSA-440, XSA-483).
 */
import type { Domid, Path } from "../../protocol/identifiers.js";
import { childPath, ROOT_PATH } from "../../protocol/path.js";
import type { Perms } from "../../protocol/perms.js";
import type { Change } from "./commit.js";
import type { Node } from "./node.js";
import { getNode, type Root } from "./root.js";

const NO_PATHS: ReadonlySet<Path> = new Set();

/** How many nodes, at and below this one, each domain but dom0 owns. */
export function countOwners(top: Node): Map<Domid, number> {
  const counts = new Map<Domid, number>();
  const pending: Node[] = [top];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const { domid } = node.perms[0];
    if (domid !== 0) counts.set(domid, (counts.get(domid) ?? 0) + 1);
    for (const child of node.children) pending.push(child);
  }
  return counts;
}

/** The books of one store. */
export class Accounts {
  readonly #owned = new Map<Domid, number>();
  readonly #mentions = new Map<Domid, Set<Path>>();
  #nodeCount = 0;

  constructor(root: Root) {
    this.#addSubtree(ROOT_PATH, root.node);
  }

  /** All nodes, `/` among them. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** How many nodes a domain owns; not kept for dom0, whose number is 0 here. */
  nodesOwned(domid: Domid): number {
    return this.#owned.get(domid) ?? 0;
  }

  /** The nodes whose perms mention a domain, unordered; not kept for dom0. */
  mentions(domid: Domid): ReadonlySet<Path> {
    return this.#mentions.get(domid) ?? NO_PATHS;
  }

  /** The domains that own a node or are mentioned by one. */
  domains(): Domid[] {
    return [...this.#mentions.keys()];
  }

  /** Follows a commit: `before` is the root that `changes` were made to. */
  apply(before: Root, changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind !== "node") continue;
      const { path, after } = change;
      if (after === undefined) {
        const removed = getNode(before, path);
        if (removed !== undefined) this.#removeSubtree(path, removed);
      } else if (change.before === undefined) {
        this.#nodeCount++;
        this.#add(path, after.perms);
      } else if (change.before.perms !== after.perms) {
        this.#remove(path, change.before.perms);
        this.#add(path, after.perms);
      }
    }
  }

  /** Takes back what `apply` did with the same arguments. */
  revert(before: Root, changes: readonly Change[]): void {
    for (const change of changes.toReversed()) {
      if (change.kind !== "node") continue;
      const { path, after } = change;
      if (after === undefined) {
        const removed = getNode(before, path);
        if (removed !== undefined) this.#addSubtree(path, removed);
      } else if (change.before === undefined) {
        this.#nodeCount--;
        this.#remove(path, after.perms);
      } else if (change.before.perms !== after.perms) {
        this.#remove(path, after.perms);
        this.#add(path, change.before.perms);
      }
    }
  }

  /** Compares the books with a full walk; returns what is wrong, in words, or an empty list. */
  verify(root: Root): string[] {
    const counted = new Accounts(root);
    const problems: string[] = [];
    if (counted.#nodeCount !== this.#nodeCount) {
      problems.push(`${String(counted.#nodeCount)} nodes counted, ${String(this.#nodeCount)} in the books`);
    }
    for (const domid of new Set([...this.#mentions.keys(), ...counted.#mentions.keys()])) {
      const name = `domain ${String(domid)}`;
      if (counted.nodesOwned(domid) !== this.nodesOwned(domid)) {
        const [walked, booked] = [counted.nodesOwned(domid), this.nodesOwned(domid)];
        problems.push(`${name} owns ${String(walked)} nodes, ${String(booked)} in the books`);
      }
      const walked = counted.mentions(domid);
      const booked = this.mentions(domid);
      for (const path of walked) if (!booked.has(path)) problems.push(`${name} is mentioned at ${path}, unbooked`);
      for (const path of booked) if (!walked.has(path)) problems.push(`${name} is booked at ${path}, unmentioned`);
    }
    return problems;
  }

  #addSubtree(top: Path, node: Node): void {
    this.#visit(top, node, (path, perms) => {
      this.#nodeCount++;
      this.#add(path, perms);
    });
  }

  #removeSubtree(top: Path, node: Node): void {
    this.#visit(top, node, (path, perms) => {
      this.#nodeCount--;
      this.#remove(path, perms);
    });
  }

  #visit(top: Path, topNode: Node, visit: (path: Path, perms: Perms) => void): void {
    const pending: { readonly path: Path; readonly node: Node }[] = [{ path: top, node: topNode }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { path, node } = next;
      visit(path, node.perms);
      for (const [index, child] of node.children.entries()) {
        pending.push({ path: childPath(path, node.names[index] as string), node: child });
      }
    }
  }

  #add(path: Path, perms: Perms): void {
    const owner = perms[0].domid;
    if (owner !== 0) this.#owned.set(owner, (this.#owned.get(owner) ?? 0) + 1);
    for (const { domid } of perms) {
      if (domid === 0) continue;
      const paths = this.#mentions.get(domid);
      if (paths === undefined) this.#mentions.set(domid, new Set([path]));
      else paths.add(path);
    }
  }

  #remove(path: Path, perms: Perms): void {
    const owner = perms[0].domid;
    if (owner !== 0) {
      const left = (this.#owned.get(owner) ?? 0) - 1;
      if (left > 0) this.#owned.set(owner, left);
      else this.#owned.delete(owner);
    }
    for (const { domid } of perms) {
      const paths = this.#mentions.get(domid);
      paths?.delete(path);
      if (paths?.size === 0) this.#mentions.delete(domid);
    }
  }
}
