/**
 * Differences between roots, and their application.
 *
 * Owns the pair `diffRoots` / `applyChanges`: `applyChanges(before, diffRoots(before, after))` equals `after` (leaving
 * `modified` out). Shared nodes are skipped by identity, so the cost is that of what differs. Iterates: a path may have
 * over a thousand levels.
 */
import type { Path, Seq } from "../../protocol/identifiers.js";
import { childPath, ROOT_PATH, SPECIAL_PATHS } from "../../protocol/path.js";
import { samePerms } from "../../protocol/perms.js";
import type { Change, NodeState } from "./commit.js";
import { removeNode, setNode } from "./edit.js";
import type { Node } from "./node.js";
import { isEmptyRecord, isSameDomain, NO_RECORD, type DomainRecord, type Introduction, type Root } from "./root.js";

interface Pair {
  readonly path: Path;
  readonly before: Node | undefined;
  readonly after: Node;
}

function stateOf(node: Node): NodeState {
  return { value: node.value, perms: node.perms };
}

/** Lists the net changes that lead from `before` to `after`, parents before children. */
export function diffRoots(before: Root, after: Root): Change[] {
  const changes: Change[] = [];
  if (before.node !== after.node) diffNodes(before.node, after.node, changes);
  if (before.special !== after.special) {
    for (const path of SPECIAL_PATHS) {
      const from = before.special.get(path);
      const to = after.special.get(path);
      if (from !== undefined && to !== undefined && !samePerms(from, to)) {
        changes.push({ kind: "special", path, before: from, after: to });
      }
    }
  }
  if (before.quotas !== after.quotas) {
    for (const name of unionOfKeys(before.quotas, after.quotas)) {
      const from = before.quotas.get(name);
      const to = after.quotas.get(name);
      if (from !== to) changes.push({ kind: "quota", name, before: from, after: to });
    }
  }
  if (before.domains !== after.domains) {
    for (const domid of unionOfKeys(before.domains, after.domains)) {
      const from = before.domains.get(domid);
      const to = after.domains.get(domid);
      if (!sameRecord(from, to)) changes.push({ kind: "domain", domid, before: from, after: to });
    }
  }
  return changes;
}

/** Whether two nodes, with all below them, have equal contents. */
export function sameNode(left: Node, right: Node): boolean {
  if (left === right) return true;
  const changes: Change[] = [];
  diffNodes(left, right, changes);
  return changes.length === 0;
}

/** Whether two roots have equal contents. */
export function sameRoot(left: Root, right: Root): boolean {
  return left === right || diffRoots(left, right).length === 0;
}

function diffNodes(before: Node, after: Node, changes: Change[]): void {
  const pending: Pair[] = [{ path: ROOT_PATH, before, after }];
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    const { path, before: from, after: to } = pair;
    if (from === undefined) changes.push({ kind: "node", path, before: undefined, after: stateOf(to) });
    else if (from.value !== to.value || !samePerms(from.perms, to.perms)) {
      changes.push({ kind: "node", path, before: stateOf(from), after: stateOf(to) });
    }
    if (from === undefined || from.names !== to.names) diffChildren(path, from, to, changes, pending);
    else {
      for (let index = to.children.length - 1; index >= 0; index--) {
        const old = from.children[index] as Node;
        const now = to.children[index] as Node;
        if (old !== now) pending.push({ path: childPath(path, to.names[index] as string), before: old, after: now });
      }
    }
  }
}

/** Merges two sorted lists of children: removals are listed at once, the rest is pushed for later. */
function diffChildren(path: Path, from: Node | undefined, to: Node, changes: Change[], pending: Pair[]): void {
  let old = (from?.names.length ?? 0) - 1;
  for (let now = to.names.length - 1; now >= 0 || old >= 0;) {
    const oldName = old >= 0 ? from?.names[old] : undefined;
    const newName = now >= 0 ? to.names[now] : undefined;
    if (newName === undefined || (oldName !== undefined && oldName > newName)) {
      const gone = from?.children[old--] as Node;
      changes.push({ kind: "node", path: childPath(path, oldName as string), before: stateOf(gone), after: undefined });
    } else if (oldName === newName) {
      const was = from?.children[old--] as Node;
      const is = to.children[now--] as Node;
      if (was !== is) pending.push({ path: childPath(path, newName), before: was, after: is });
    } else {
      pending.push({ path: childPath(path, newName), before: undefined, after: to.children[now--] as Node });
    }
  }
}

function unionOfKeys<K>(left: ReadonlyMap<K, unknown>, right: ReadonlyMap<K, unknown>): Set<K> {
  return new Set([...left.keys(), ...right.keys()]);
}

/** Whether two records say the same; none says nothing. */
export function sameRecord(left: DomainRecord = NO_RECORD, right: DomainRecord = NO_RECORD): boolean {
  if (left === right) return true;
  if (left.target !== right.target || left.features !== right.features || left.shutdown !== right.shutdown)
    return false;
  if (!sameIntroduction(left.introduction, right.introduction)) return false;
  return sameQuotas(left, right);
}

/** Whether two records give a domain the same quotas; none gives none. */
export function sameQuotas({ quotas: left } = NO_RECORD, { quotas: right } = NO_RECORD): boolean {
  if (left === right) return true;
  for (const name of unionOfKeys(left, right)) if (left.get(name) !== right.get(name)) return false;
  return true;
}

/** Whether two introductions say the same of the same domain. */
export function sameIntroduction(left: Introduction | undefined, right: Introduction | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return left.gfn === right.gfn && left.port === right.port && isSameDomain(left, right);
}

/**
 * Applies the changes of a commit, in order; `seq` becomes the `modified` of what they touch.
 *
 * Throws when a change does not fit the root (a missing parent): the caller has a damaged journal.
 */
export function applyChanges(root: Root, changes: readonly Change[], seq: Seq): Root {
  let { node, special, quotas, domains } = root;
  for (const change of changes) {
    switch (change.kind) {
      case "node": {
        const edited =
          change.after === undefined
            ? removeNode(node, change.path, seq)
            : setNode(node, change.path, change.after, seq);
        if (edited === undefined)
          throw new Error(`the change of ${change.path} does not fit the state it is applied to`);
        node = edited;
        break;
      }
      case "special":
        special = withEntry(special, change.path, change.after);
        break;
      case "quota":
        quotas = withEntry(quotas, change.name, change.after);
        break;
      case "domain": {
        const record = change.after === undefined || isEmptyRecord(change.after) ? undefined : change.after;
        domains = withEntry(domains, change.domid, record);
        break;
      }
    }
  }
  return { node, special, quotas, domains };
}

/** A copy of a map in which `key` has `value`, or no entry when that is undefined. */
export function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V | undefined): ReadonlyMap<K, V> {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
}
