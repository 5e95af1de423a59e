/**
 * The naive model: requests on the tree.
 *
 * Owns what each request on the tree does to a state and what it answers. Source: the pages on semantics and design,
 * "Permissions", "Quotas" and "Watches"; where they are silent, a comment says what is taken for right.
 */
import type { Perms } from "../../../protocol/perms.js";
import type { ModelNode, ModelTree } from "./model-tree.js";
import {
  above,
  ACCESS,
  accessTo,
  canRead,
  isOverQuota,
  makePerms,
  nodesOwnedBy,
  ownerOf,
  sizeOf,
  type ModelState,
  type Mutation,
  type Who,
} from "./state.js";

/** A request on the tree; paths are absolute and valid, or special. */
export type ModelRequest =
  | { readonly operation: "READ" | "DIRECTORY" | "MKDIR" | "RM" | "GET_PERMS"; readonly path: string }
  | { readonly operation: "DIRECTORY_PART"; readonly path: string; readonly offset: number }
  | { readonly operation: "WRITE"; readonly path: string; readonly value: string }
  | { readonly operation: "SET_PERMS"; readonly path: string; readonly perms: Perms };

/** What is answered: a payload, or an error. */
export type ModelReply = string | { readonly error: string };

/** What happened, for watches. */
export type ModelEvent =
  | { readonly kind: "touched"; readonly path: string }
  /** `existed` are the paths that went, the node's own among them. */
  | { readonly kind: "removed"; readonly path: string; readonly existed: ReadonlySet<string> }
  | { readonly kind: "special"; readonly path: string; readonly domid: number };

/** Where a request runs. */
export interface Scene {
  readonly state: ModelState;
  readonly events: ModelEvent[];
  readonly who: Who;
  readonly mutation: Mutation | undefined;
}

const OK = "OK\0";
const PAYLOAD_MAX = 4096;
const failed = (error: string): ModelReply => ({ error });

/** The text of a permission list with a NUL behind each entry. */
function permsText(perms: Perms): string {
  return perms.map(({ access, domid }) => `${"nrwb".charAt(access)}${String(domid)}\0`).join("");
}

/** Runs a request on a state. */
export function runRequest(scene: Scene, request: ModelRequest): ModelReply {
  const { state } = scene;
  switch (request.operation) {
    case "READ": {
      const node = lookUp(scene, request.path, ACCESS.READ);
      return "error" in node ? node : node.value;
    }
    case "DIRECTORY": {
      const node = lookUp(scene, request.path, ACCESS.READ);
      if ("error" in node) return node;
      const list = listBelow(state, request.path);
      return list.length > PAYLOAD_MAX ? failed("E2BIG") : list;
    }
    case "DIRECTORY_PART": {
      const node = lookUp(scene, request.path, ACCESS.READ);
      if ("error" in node) return node;
      return part(`${String(state.tree.generationOf(request.path))}\0`, listBelow(state, request.path), request.offset);
    }
    case "GET_PERMS": {
      if (request.path.startsWith("@")) {
        const perms = state.special.get(request.path);
        return perms !== undefined && canRead(perms, scene.who) ? permsText(perms) : failed("EACCES");
      }
      const node = lookUp(scene, request.path, ACCESS.READ);
      return "error" in node ? node : permsText(node.perms);
    }
    case "WRITE":
      return write(scene, request.path, request.value);
    case "MKDIR": {
      const node = lookUp(scene, request.path, ACCESS.WRITE);
      if (!("error" in node)) return OK;
      return node.error === "ENOENT" ? create(scene, request.path, "") : node;
    }
    case "RM":
      return remove(scene, request.path);
    case "SET_PERMS":
      return setPerms(scene, request.path, request.perms);
  }
}

/** The names below a path, each with a NUL behind it. */
function listBelow(state: ModelState, path: string): string {
  return state.tree
    .namesBelow(path)
    .map((name) => `${name}\0`)
    .join("");
}

/** As many whole names from the offset on as leave room for the NUL at the end of the list. */
function part(generation: string, list: string, offset: number): string {
  const rest = list.slice(offset);
  const room = PAYLOAD_MAX - generation.length - 1;
  if (rest.length <= room) return `${generation}${rest}\0`;
  return generation + rest.slice(0, rest.lastIndexOf("\0", room - 1) + 1);
}

/**
 * What must be the same of a reply for a transaction to go through. That is all of it, but of DIRECTORY_PART's: there the
 * generation may differ, and the list must be the same as far as a message goes.
 */
export function comparableReply(state: ModelState, request: ModelRequest, reply: ModelReply): ModelReply {
  if (request.operation !== "DIRECTORY_PART" || typeof reply !== "string") return reply;
  return listBelow(state, request.path).slice(request.offset, request.offset + PAYLOAD_MAX);
}

function nearestExisting(state: ModelState, path: string): ModelNode {
  for (let at: string | undefined = path; at !== undefined; at = above(at)) {
    const node = state.tree.get(at);
    if (node !== undefined) return node;
  }
  throw new Error("the top is gone");
}

/** Rules 3 and 4. */
function lookUp({ state, who, mutation }: Scene, path: string, needed: number): ModelNode | { error: string } {
  const node = state.tree.get(path);
  const granted = accessTo(nearestExisting(state, path).perms, who) & needed;
  if (node !== undefined) return granted === needed ? node : { error: "EACCES" };
  if (mutation === "a missing node is ENOENT for everybody" && needed === ACCESS.READ) return { error: "ENOENT" };
  return { error: granted === 0 ? "EACCES" : "ENOENT" };
}

function write(scene: Scene, path: string, value: string): ModelReply {
  const { state, events, who, mutation } = scene;
  const node = lookUp(scene, path, ACCESS.WRITE);
  if ("error" in node) return node.error === "ENOENT" ? create(scene, path, value) : node;
  if (isOverQuota(state, who.domid, "node-size", sizeOf(value, node.perms, state.tree.namesBelow(path)))) {
    return failed("ENOSPC");
  }
  state.tree.set(path, { value, perms: node.perms });
  if (mutation === "a write of an equal value fires nothing" && node.value === value) return OK;
  events.push({ kind: "touched", path });
  return OK;
}

/** Rule 5. The named node alone fires; missing parents come with it, all with the same list. */
function create(scene: Scene, path: string, value: string): ModelReply {
  const { state, events, who, mutation } = scene;
  const missing: string[] = [];
  let ancestor = path;
  while (!state.tree.has(ancestor)) {
    missing.unshift(ancestor);
    ancestor = above(ancestor) ?? "/";
  }
  const parent = state.tree.get(ancestor);
  if (parent === undefined) throw new Error("no ancestor");
  const [owner, ...others] = parent.perms;
  const owned = who.domid !== 0 && mutation !== "a node's creator does not become its owner";
  const perms = owned
    ? makePerms({ access: owner.access, domid: who.domid as typeof owner.domid }, others)
    : parent.perms;
  const added = new Map(missing.map((each) => [each, { value: each === path ? value : "", perms }]));
  if (who.domid !== 0 && isTooMuch(scene, { ancestor, added, perms })) return failed("ENOSPC");
  for (const [each, node] of added) state.tree.set(each, node);
  events.push({ kind: "touched", path });
  return OK;
}

/** Whether a guest's quotas forbid that these nodes are added below this one. */
function isTooMuch(
  { state, who, mutation }: Scene,
  what: { readonly ancestor: string; readonly added: ReadonlyMap<string, ModelNode>; readonly perms: Perms },
): boolean {
  const { ancestor, added, perms } = what;
  const less = mutation === "nodes: one less than the quota is allowed" ? 1 : 0;
  const nodes = nodesOwnedBy(state, who.domid) + added.size + less;
  if (isOverQuota(state, who.domid, "nodes", nodes)) return true;
  if (isOverQuota(state, who.domid, "permissions", perms.length)) return true;
  // Every node that is new or gets a new child must keep within the size.
  const paths = [ancestor, ...added.keys()];
  return paths.some((each, index) => {
    const node = added.get(each) ?? state.tree.get(each);
    if (node === undefined) throw new Error("not created");
    const below = paths[index + 1];
    const names = state.tree.namesBelow(each);
    if (below !== undefined) names.push(below.slice(below.lastIndexOf("/") + 1));
    return isOverQuota(state, who.domid, "node-size", sizeOf(node.value, node.perms, names));
  });
}

/** The rights on the top node alone count. A refusal precedes the EINVAL for `/`, as in C. */
function remove(scene: Scene, path: string): ModelReply {
  const { state, events } = scene;
  const node = lookUp(scene, path, ACCESS.WRITE);
  if ("error" in node) {
    if (node.error !== "ENOENT") return node;
    return state.tree.has(above(path) ?? "/") ? OK : node;
  }
  if (path === "/") return failed("EINVAL");
  const existed = new Set(deleteWithin(state.tree, path));
  events.push({ kind: "removed", path, existed });
  return OK;
}

/** The quota of entries is looked at before the node, as in C; `@` paths fire nothing. */
function setPerms(scene: Scene, path: string, asked: Perms): ModelReply {
  const { state, events, who, mutation } = scene;
  if (isOverQuota(state, who.domid, "permissions", asked.length)) return failed("ENOSPC");
  const isSpecial = path.startsWith("@");
  const node = isSpecial ? undefined : lookUp(scene, path, ACCESS.WRITE | ACCESS.OWN);
  if (node !== undefined && "error" in node) return node;
  const old = isSpecial ? state.special.get(path) : node?.perms;
  if (old === undefined || (accessTo(old, who) & ACCESS.OWN) === 0) return failed("EACCES");
  if (who.domid !== 0 && ownerOf(asked) !== ownerOf(old)) return failed("EPERM");
  const [owner, ...others] = asked;
  const keepsAll = who.domid === 0 || mutation === "a guest's entries for unknown domains are kept";
  const kept = others.filter(({ domid }) => keepsAll || domid === 0 || state.domains.get(domid)?.introduced === true);
  const perms = makePerms(owner, kept);
  if (node === undefined) {
    state.special.set(path, perms);
    return OK;
  }
  if (isOverQuota(state, who.domid, "node-size", sizeOf(node.value, perms, state.tree.namesBelow(path)))) {
    return failed("ENOSPC");
  }
  state.tree.set(path, { value: node.value, perms });
  events.push({ kind: "touched", path });
  return OK;
}

/** Deletes a path and all below it; returns what went. */
export function deleteWithin(tree: ModelTree, path: string): string[] {
  const paths = tree.pathsWithin(path);
  for (const each of paths.toReversed()) tree.delete(each);
  return paths;
}
