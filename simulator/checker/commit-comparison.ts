/**
 * Commits, and whole states, beside what the model says they must be.
 *
 * Owns the comparison: from whom and on what a commit was made, and that its changes are the model's net changes, told as
 * the journal and the history need them. It says in words what differs, and never throws. Source: the contracts of `Commit`
 * and `Change`.
 */
import type { Commit, StoreState } from "../../daemon/memory-daemon.js";
import type { Perms } from "../../protocol/perms.js";
import { serializePerms } from "../../protocol/perms.js";
import { samePermsLists, type ModelNode } from "./model/model-tree.js";
import type { ModelCommit } from "./model/model.js";
import { above, UNKNOWN_DOMAIN, type ModelDomain, type ModelState } from "./model/state.js";

type Change = Commit["changes"][number];
type DomainRecord = NonNullable<(Change & { readonly kind: "domain" })["after"]>;

/**
 * Compares a commit with what it must be.
 *
 * @returns the first difference, in words, or undefined
 */
export function compareCommit(must: ModelCommit, commit: Commit): string | undefined {
  const { origin, seq, base } = commit;
  const { domid } = must.connection;
  if (seq !== must.seq) return `its seq is ${String(seq)}, and the one before has ${String(must.seq - 1)}`;
  if (origin.domid !== domid) return `it says that dom${String(origin.domid)} made it, and dom${String(domid)} did`;
  if (origin.transaction !== must.transaction) {
    return `it names ${nameTransaction(origin.transaction)}, and was made by ${nameTransaction(must.transaction)}`;
  }
  if (base !== must.base) return `its base is ${String(base)}, and what was read is ${String(must.base)}`;
  return compareNodes(must, commit.changes) ?? compareOthers(must, commit.changes);
}

function nameTransaction(transaction: number | undefined): string {
  return transaction === undefined ? "no transaction" : `transaction ${String(transaction)}`;
}

/**
 * A removed node stands for all below it; a node that came stands behind its parent. Worked example: where the model has
 * `/a` and `/a/b` gone and `/c/d` new with its parent, the changes are those of `/a`, `/c` and `/c/d`, and not of `/a/b`.
 */
function compareNodes(must: ModelCommit, changes: readonly Change[]): string | undefined {
  const told = new Set<string>();
  for (const change of changes) {
    if (change.kind !== "node") continue;
    const { path, before, after } = change;
    const node = must.nodes.get(path);
    if (told.has(path)) return `it changes ${path} twice`;
    if (node === undefined) return `it changes ${path} ${describeChange(change)}, where nothing was to change`;
    if (!sameNodes(before, node.before))
      return `its before of ${path} is ${describe(before)}, and was ${describe(node.before)}`;
    if (!sameNodes(after, node.after))
      return `it makes ${path} ${describe(after)}, and must make it ${describe(node.after)}`;
    if (sameNodes(before, after)) return `it tells of ${path}, which it leaves as it was`;
    const parent = above(path);
    const parentChange = parent === undefined ? undefined : must.nodes.get(parent);
    if (parent !== undefined && isNew(parentChange) && !told.has(parent)) return `${path} stands before its parent`;
    if (isGone(parentChange)) return `it tells of ${path}, which went with ${String(parent)}`;
    told.add(path);
  }
  for (const [path, node] of must.nodes) {
    if (told.has(path) || sameNodes(node.before, node.after)) continue;
    const parent = above(path);
    if (node.after === undefined && parent !== undefined && isGone(must.nodes.get(parent))) continue;
    return `it leaves out ${path}, which was ${describe(node.before)} and must be ${describe(node.after)}`;
  }
  return undefined;
}

interface NodeChange {
  readonly before: ModelNode | undefined;
  readonly after: ModelNode | undefined;
}

function isNew(change: NodeChange | undefined): boolean {
  return change !== undefined && change.before === undefined && change.after !== undefined;
}

function isGone(change: NodeChange | undefined): boolean {
  return change?.before !== undefined && change.after === undefined;
}

/** What is beside the tree: perms of special paths, quotas and domains, each as text, by name. */
function compareOthers(must: ModelCommit, changes: readonly Change[]): string | undefined {
  const [before, after] = [textsOf(must.before), textsOf(must.after)];
  const told = new Set<string>();
  for (const change of changes) {
    if (change.kind === "node") continue;
    const [name, was, becomes] = textsOfChange(change);
    if (told.has(name)) return `it changes ${name} twice`;
    told.add(name);
    if (was !== (before.get(name) ?? "")) return `its before of ${name} is ${was}, and was ${String(before.get(name))}`;
    if (becomes !== (after.get(name) ?? "")) {
      return `it makes ${name} ${becomes}, and must make it ${String(after.get(name))}`;
    }
  }
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    if (told.has(name) || (before.get(name) ?? "") === (after.get(name) ?? "")) continue;
    return `it leaves out ${name}, which must become ${String(after.get(name))}`;
  }
  return undefined;
}

function textsOfChange(
  change: Exclude<Change, { readonly kind: "node" }>,
): [name: string, was: string, becomes: string] {
  switch (change.kind) {
    case "special":
      return [`perms of ${change.path}`, serializePerms(change.before), serializePerms(change.after)];
    case "quota":
      return [`quota ${change.name}`, quotaText(change.before), quotaText(change.after)];
    case "domain":
      return [`domain ${String(change.domid)}`, recordText(change.before), recordText(change.after)];
  }
}

function textsOf({ special, quotas, domains }: Omit<ModelState, "tree">): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [path, perms] of special) texts.set(`perms of ${path}`, serializePerms(perms));
  for (const [name, value] of quotas) texts.set(`quota ${name}`, quotaText(value));
  for (const [domid, domain] of domains) texts.set(`domain ${String(domid)}`, domainText(domain));
  return texts;
}

function quotaText(value: number | undefined): string {
  return value === undefined ? "" : String(value);
}

function domainText(domain: ModelDomain): string {
  const { place, target, features, shutDown, quotas } = domain;
  const text = [place, target, features, shutDown, [...quotas].sort().join()].join(" ");
  return text === UNKNOWN_TEXT ? "" : text;
}

const UNKNOWN_TEXT = (({ place, target, features, shutDown }) => [place, target, features, shutDown, ""].join(" "))(
  UNKNOWN_DOMAIN,
);

function recordText(record: DomainRecord | undefined): string {
  if (record === undefined) return "";
  const { introduction, target, features, shutdown, quotas } = record;
  const place = introduction === undefined ? "" : `${String(introduction.gfn)} ${String(introduction.port)}`;
  return domainText({ introduced: introduction !== undefined, place, target, features, shutDown: shutdown, quotas });
}

function sameNodes(left: ModelNode | undefined, right: ModelNode | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return left.value === right.value && samePerms(left.perms, right.perms);
}

function samePerms(left: Perms, right: Perms): boolean {
  return left === right || samePermsLists(left, right);
}

function describe(node: ModelNode | undefined): string {
  return node === undefined ? "not there" : `${JSON.stringify(node.value)} (${serializePerms(node.perms)})`;
}

function describeChange({ before, after }: NodeChange): string {
  return `from ${describe(before)} to ${describe(after)}`;
}

/**
 * Compares a daemon's whole state with the model's.
 *
 * @returns the first difference, in words, or undefined
 */
export function compareStates(model: ModelState, { root }: StoreState): string | undefined {
  const pending = [{ path: "/", node: root.node }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, node } = next;
    const must = model.tree.get(path);
    if (!sameNodes(must, node)) return `${path} is ${describe(node)}, and must be ${describe(must)}`;
    const names = model.tree.namesBelow(path);
    if (names.join("/") !== node.names.join("/")) {
      return `the children of ${path} are ${node.names.join(" ")}, and must be ${names.join(" ")}`;
    }
    for (const [index, child] of node.children.entries()) {
      pending.push({ path: `${path === "/" ? "" : path}/${String(node.names[index])}`, node: child });
    }
  }
  const texts = new Map<string, string>();
  for (const [path, perms] of root.special) texts.set(`perms of ${path}`, serializePerms(perms));
  for (const [name, value] of root.quotas) texts.set(`quota ${name}`, quotaText(value));
  for (const [domid, record] of root.domains) texts.set(`domain ${String(domid)}`, recordText(record));
  const must = textsOf(model);
  for (const name of new Set([...texts.keys(), ...must.keys()])) {
    const [is, should] = [texts.get(name) ?? "", must.get(name) ?? ""];
    if (is !== should) return `${name} is ${JSON.stringify(is)}, and must be ${JSON.stringify(should)}`;
  }
  return undefined;
}
