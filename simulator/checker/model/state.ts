/**
 * The naive model: what there is.
 *
 * Owns the model's state: plain maps that are copied as a whole, and the rules of permissions and quotas, told as the
 * page on semantics tells them. The model must share no code with the daemon's store, watches and dispatch, and be too
 * simple to be wrong; the property tests compare it with the core over random traffic.
 */
import type { Perms, Permission } from "../../../protocol/perms.js";
import { ModelTree } from "./model-tree.js";

/** A domain other than dom0. */
export interface ModelDomain {
  readonly introduced: boolean;
  /** Frame and port of the last INTRODUCE, as text. */
  readonly place: string;
  readonly target: number | undefined;
  readonly features: number | undefined;
  readonly shutDown: boolean;
  readonly quotas: ReadonlyMap<string, number>;
}

/** Everything that commits change. Values in the maps are never modified. */
export interface ModelState {
  tree: ModelTree;
  special: Map<string, Perms>;
  quotas: Map<string, number>;
  domains: Map<number, ModelDomain>;
}

/** What a change began with, as far as watches and commits must know it; the tree remembers that of itself. */
export type ModelBefore = Readonly<Omit<ModelState, "tree">>;

/** On whose behalf a request runs. */
export interface Who {
  readonly domid: number;
  readonly target: number | undefined;
}

/** What is in force unless SET_QUOTA changes it. */
export const MODEL_QUOTAS: ReadonlyMap<string, number> = new Map([
  ["nodes", 1000],
  ["watches", 128],
  ["transactions", 10],
  ["outstanding", 20],
  ["transaction-nodes", 1024],
  ["node-size", 2048],
  ["permissions", 5],
  ["memory", 2_621_440],
]);

export const UNKNOWN_DOMAIN: ModelDomain = {
  introduced: false,
  place: "",
  target: undefined,
  features: undefined,
  shutDown: false,
  quotas: new Map(),
};

/** Ways in which a model can be wrong, to prove that a comparison with it can fail. */
export const MUTATIONS = [
  "no transaction ever conflicts",
  "an aborted transaction fires its events",
  "a read-only transaction can conflict",
  "a node's creator does not become its owner",
  "nodes: one less than the quota is allowed",
  "watches: one more than the quota is allowed",
  "RM tells no watcher below the node",
  "events precede the reply that caused them",
  "a write of an equal value fires nothing",
  "the depth of a watch is ignored",
  "one transaction tells a path twice",
  "events reach those who may not read",
  "a domain's target gives it no rights",
  "entries for a released domain stay",
  "a release forgets the domain's subtrees",
  "a missing node is ENOENT for everybody",
  "a guest's entries for unknown domains are kept",
] as const;

/** A way in which a model can be wrong. */
export type Mutation = (typeof MUTATIONS)[number];

const NONE = 0;
const READ = 1;
const WRITE = 2;
const OWN = 4;
const ALL = READ | WRITE | OWN;

/** Access bits of the model. */
export const ACCESS = { NONE, READ, WRITE, OWN, ALL } as const;

/** The first list entry: who owns the node, and what everybody else may do. */
export function ownerOf(perms: Perms): number {
  return perms[0].domid;
}

/** A list with another owner, or fewer entries. */
export function makePerms(owner: Permission, others: readonly Permission[]): Perms {
  return [owner, ...others];
}

/** The state of a new store. */
export function initialState(): ModelState {
  const domain0 = (access: number): Perms => [{ access, domid: 0 as Permission["domid"] }];
  return {
    tree: new ModelTree({ value: "", perms: domain0(NONE) }),
    special: new Map([
      ["@introduceDomain", domain0(NONE)],
      ["@releaseDomain", domain0(READ)],
    ]),
    quotas: new Map(),
    domains: new Map(),
  };
}

/** A full copy, whose tree has no changes. */
export function copyState(state: ModelState): ModelState {
  return {
    tree: state.tree.copy(),
    special: new Map(state.special),
    quotas: new Map(state.quotas),
    domains: new Map(state.domains),
  };
}

/** Puts `source`, which nobody uses any more, in the place of `target`'s contents; the changes of its tree stay known. */
export function replaceState(target: ModelState, source: ModelState): void {
  target.tree = source.tree;
  target.special = source.special;
  target.quotas = source.quotas;
  target.domains = source.domains;
}

/** Forgets the changes of the tree so far, before those of a commit; returns what else there is now. */
export function beginChange(state: ModelState, seq: number): ModelBefore {
  state.tree.beginChange(seq);
  return { special: new Map(state.special), quotas: new Map(state.quotas), domains: new Map(state.domains) };
}

/** Everything in a state but the tree, as text: two states are alike in that if the texts are equal. */
export function textWithoutTree(state: ModelBefore): string {
  const domains = [...state.domains].map(([domid, domain]) => [
    domid,
    { ...domain, quotas: [...domain.quotas].sort() },
  ]);
  return JSON.stringify([[...state.special], [...state.quotas].sort(), domains.sort()]);
}

/** Rule 2: dom0, the owner, and whose target is the owner may do all; else the first entry that matches; else the default. */
export function accessTo(perms: Perms, who: Who): number {
  const owner = ownerOf(perms);
  if (who.domid === 0 || who.domid === owner || who.target === owner) return ALL;
  const entry = perms.slice(1).find(({ domid }) => domid === who.domid || domid === who.target);
  return (entry ?? perms[0]).access;
}

/** Whether it can read. */
export function canRead(perms: Perms | undefined, who: Who): boolean {
  return perms !== undefined && (accessTo(perms, who) & READ) !== 0;
}

/** The value of a quota for a domain. */
export function quotaFor(state: ModelState, domid: number, name: string): number {
  return state.domains.get(domid)?.quotas.get(name) ?? state.quotas.get(name) ?? MODEL_QUOTAS.get(name) ?? 0;
}

/** N means N are allowed, 0 is unlimited, dom0 is exempt. */
export function isOverQuota(state: ModelState, domid: number, name: string, used: number): boolean {
  if (domid === 0) return false;
  const quota = quotaFor(state, domid, name);
  return quota !== 0 && used > quota;
}

/** Whether `path` is `top` or lies below it. */
export function isWithin(path: string, top: string): boolean {
  return top === "/" ? path.startsWith("/") : path === top || path.startsWith(`${top}/`);
}

/** The path above, or undefined for `/`. */
export function above(path: string): string | undefined {
  if (path === "/") return undefined;
  const slash = path.lastIndexOf("/");
  return slash === 0 ? "/" : path.slice(0, slash);
}

/** How many names lead from the top to a path. */
export function levelOf(path: string): number {
  return path === "/" ? 0 : path.split("/").length - 1;
}

/** Bytes of a node: value, 8 for each entry, each child's name and a NUL. */
export function sizeOf(value: string, perms: Perms, names: readonly string[]): number {
  return value.length + 8 * perms.length + names.reduce((sum, name) => sum + name.length + 1, 0);
}

/** How many nodes a domain owns. */
export function nodesOwnedBy(state: ModelState, domid: number): number {
  let count = 0;
  for (const [, { perms }] of state.tree.nodes()) if (ownerOf(perms) === domid) count++;
  return count;
}
