/**
 * Requests on the tree, and what they answer: the operations that run inside transactions.
 *
 * Owns their meaning: existence, permissions, quotas of nodes, events. They run on a draft, so that a transaction can run
 * them on its snapshot and once more, at its end, on the state of then. Source: xenstore.txt, "Database read, write and
 * permissions operations"; permission rules 1–7 of C xenstored.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import type { Path } from "../../protocol/identifiers.js";
import { XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import { serializeStrings } from "../../protocol/payload.js";
import {
  isSpecialPath,
  joinPath,
  parentPath,
  rememberPath,
  ROOT_PATH,
  splitForLookup,
  type SpecialPath,
  type SplitPath,
} from "../../protocol/path.js";
import { internPerms, READ, samePerms, WRITE, type Access, type Permission, type Perms } from "../../protocol/perms.js";
import type { Draft } from "./draft.js";
import { indexOnPath, type Node } from "./node.js";
import { accessOf, inheritedPerms, isUnprivileged, OWN, type Requester } from "./permission.js";
import { exceedsQuota } from "./quota-limit.js";
import type { Root } from "./root.js";

/** A request that changes nothing. */
export type TreeQuery =
  | { readonly operation: "READ" | "DIRECTORY"; readonly path: Path }
  | { readonly operation: "DIRECTORY_PART"; readonly path: Path; readonly offset: number }
  | { readonly operation: "GET_PERMS"; readonly path: Path | SpecialPath };

/** A request on the tree; paths are absolute and valid. Paths and values are flat (`flattenBytes`): they are kept. */
export type TreeRequest =
  | TreeQuery
  | { readonly operation: "MKDIR" | "RM"; readonly path: Path }
  | { readonly operation: "WRITE"; readonly path: Path; readonly value: ByteString }
  | { readonly operation: "SET_PERMS"; readonly path: Path | SpecialPath; readonly perms: Perms };

/** An answer, holding what it tells by reference, so that a transaction's log costs little. */
export type TreeReply =
  | { readonly kind: "error"; readonly error: ErrorName }
  | { readonly kind: "done" }
  | { readonly kind: "value"; readonly value: ByteString }
  | { readonly kind: "names"; readonly names: readonly string[] }
  | { readonly kind: "part"; readonly names: readonly string[]; readonly offset: number; readonly generation: number }
  | { readonly kind: "perms"; readonly perms: Perms };

/** What the operations must know besides the draft. */
export interface RequestContext {
  readonly requester: Requester;
  /** How many nodes the requester owns in the draft's base; of no account for dom0. */
  readonly nodesOwned: number;
}

const DONE: TreeReply = { kind: "done" };
const errors = new Map<ErrorName, TreeReply>();

function failed(error: ErrorName): TreeReply {
  let reply = errors.get(error);
  if (reply === undefined) errors.set(error, (reply = { kind: "error", error }));
  return reply;
}

/** Runs a request on a draft, which is unchanged when the answer is an error. */
export function executeTreeRequest(draft: Draft, request: TreeRequest, context: RequestContext): TreeReply {
  switch (request.operation) {
    case "READ":
    case "DIRECTORY":
    case "DIRECTORY_PART":
    case "GET_PERMS":
      return answerQuery(draft.root, request, context.requester);
    case "WRITE":
      return write(draft, request.path, request.value, context);
    case "MKDIR":
      return makeDirectory(draft, request.path, context);
    case "RM":
      return remove(draft, request.path, context.requester);
    case "SET_PERMS":
      return setPerms(draft, request.path, request.perms, context);
  }
}

/** Answers a request that changes nothing. */
export function answerQuery(root: Root, query: TreeQuery, requester: Requester): TreeReply {
  if (query.operation === "GET_PERMS") return getPerms(root, query.path, requester);
  const node = findNode(root, query.path, requester, READ);
  if (typeof node === "string") return failed(node);
  switch (query.operation) {
    case "READ":
      return { kind: "value", value: node.value };
    case "DIRECTORY":
      return { kind: "names", names: node.names };
    case "DIRECTORY_PART":
      return { kind: "part", names: node.names, offset: query.offset, generation: node.modified };
  }
}

/** Whether a request of this operation changes the draft when it succeeds. */
export function isMutating(request: TreeRequest): request is Exclude<TreeRequest, TreeQuery> {
  const { operation } = request;
  return operation === "WRITE" || operation === "MKDIR" || operation === "RM" || operation === "SET_PERMS";
}

/** Whether two answers to one request are the same; the generation of DIRECTORY_PART does not count. */
export function sameReply(left: TreeReply, right: TreeReply): boolean {
  if (left === right) return true;
  switch (left.kind) {
    case "error":
      return right.kind === "error" && left.error === right.error;
    case "done":
      return right.kind === "done";
    case "value":
      return right.kind === "value" && left.value === right.value;
    case "names":
      return right.kind === "names" && sameListing(left.names, right.names);
    case "part":
      return right.kind === "part" && (left.names === right.names || servedPart(left) === servedPart(right));
    case "perms":
      return right.kind === "perms" && samePerms(left.perms, right.perms);
  }
}

/** Two lists that are too long for a message are both answered E2BIG. */
function sameListing(left: readonly string[], right: readonly string[]): boolean {
  if (left === right) return true;
  if (left.length === right.length && left.every((name, index) => name === right[index])) return true;
  return listBytes(left) > XENSTORE_PAYLOAD_MAX && listBytes(right) > XENSTORE_PAYLOAD_MAX;
}

/** What DIRECTORY_PART can have told: the list's bytes from the offset on, as far as a message goes. */
function servedPart(reply: { readonly names: readonly string[]; readonly offset: number }): ByteString {
  return serializeStrings(reply.names).slice(reply.offset, reply.offset + XENSTORE_PAYLOAD_MAX);
}

/** Bytes of a list of names, each followed by a NUL. */
function listBytes(names: readonly string[]): number {
  let bytes = names.length;
  for (const name of names) bytes += name.length;
  return bytes;
}

/** The deepest existing node on the way to a path, and how many of the path's names lead to it. */
interface Ancestor {
  readonly node: Node;
  readonly depth: number;
}

function nearestExisting(root: Root, path: SplitPath): Ancestor {
  let { node } = root;
  let depth = 0;
  for (; depth < path.names.length; depth++) {
    const index = indexOnPath(node.names, path, depth);
    if (index < 0) break;
    node = node.children[index] as Node;
  }
  return { node, depth };
}

/**
 * Finds a node that the requester may use so (rules 2–4).
 *
 * A refused node is EACCES. A missing one is ENOENT only if the nearest existing ancestor grants any of the access that
 * was asked for; else EACCES, so that nothing leaks about a tree that cannot be read (XSA-115).
 */
function findNode(root: Root, path: Path, requester: Requester, needed: Access): Node | ErrorName {
  const split = splitForLookup(path);
  const { node, depth } = nearestExisting(root, split);
  const granted = accessOf(requester, node.perms);
  if (depth === split.names.length) {
    rememberPath(split);
    return (granted & needed) === needed ? node : "EACCES";
  }
  return (granted & needed) !== 0 ? "ENOENT" : "EACCES";
}

/** Bytes of a node as its quota counts them: value, 8 for each perms entry, each child's name and a NUL. */
function nodeBytes(value: ByteString, perms: Perms, names: readonly string[]): number {
  return value.length + 8 * perms.length + listBytes(names);
}

function exceedsNodeSize(draft: Draft, requester: Requester, bytes: number): boolean {
  return isUnprivileged(requester) && exceedsQuota(draft.root, requester.domid, "node-size", bytes);
}

function write(draft: Draft, path: Path, value: ByteString, context: RequestContext): TreeReply {
  const node = findNode(draft.root, path, context.requester, WRITE);
  if (node === "ENOENT") return create(draft, path, value, context);
  if (typeof node === "string") return failed(node);
  if (exceedsNodeSize(draft, context.requester, nodeBytes(value, node.perms, node.names))) return failed("ENOSPC");
  draft.set(path, { value, perms: node.perms }, node);
  draft.touch(path);
  return DONE;
}

/** MKDIR of an existing node is fine, changes nothing and fires nothing. */
function makeDirectory(draft: Draft, path: Path, context: RequestContext): TreeReply {
  const node = findNode(draft.root, path, context.requester, WRITE);
  if (node === "ENOENT") return create(draft, path, "", context);
  return typeof node === "string" ? failed(node) : DONE;
}

/**
 * Creates a node and its missing parents, all with the perms inherited from the nearest existing ancestor, on which
 * WRITE is needed (rules 3 and 5). Everything is checked before anything is created (XSA-414, XSA-415).
 */
function create(draft: Draft, path: Path, value: ByteString, context: RequestContext): TreeReply {
  const { requester } = context;
  const split = splitForLookup(path);
  const { names } = split;
  const { node: ancestor, depth } = nearestExisting(draft.root, split);
  const perms = inheritedPerms(requester, ancestor.perms);
  if (isUnprivileged(requester)) {
    const owned = context.nodesOwned + draft.chargeOf(requester.domid) + names.length - depth;
    if (exceedsQuota(draft.root, requester.domid, "nodes", owned)) return failed("ENOSPC");
    if (exceedsQuota(draft.root, requester.domid, "permissions", perms.length)) return failed("ENOSPC");
    const newName = (names[depth] ?? "").length + 1;
    const ancestorBytes = nodeBytes(ancestor.value, ancestor.perms, ancestor.names) + newName;
    if (exceedsNodeSize(draft, requester, ancestorBytes)) return failed("ENOSPC");
    for (let level = depth; level < names.length; level++) {
      const below = names.slice(level + 1, level + 2);
      const bytes = nodeBytes(below.length === 0 ? value : "", perms, below);
      if (exceedsNodeSize(draft, requester, bytes)) return failed("ENOSPC");
    }
  }
  const existing = names.slice(0, depth);
  draft.create(joinPath(existing), names.slice(depth), { value, perms });
  draft.touch(path);
  return DONE;
}

/** Only the top node's perms count; a missing child of an existing parent is fine, and `/` cannot be removed. */
function remove(draft: Draft, path: Path, requester: Requester): TreeReply {
  const node = findNode(draft.root, path, requester, WRITE);
  if (node === "ENOENT") {
    const parent = parentPath(path);
    return parent !== undefined && draft.get(parent) !== undefined ? DONE : failed("ENOENT");
  }
  if (typeof node === "string") return failed(node);
  if (path === ROOT_PATH) return failed("EINVAL");
  draft.events.push({ kind: "removed", path, node: draft.remove(path) });
  return DONE;
}

function getPerms(root: Root, path: Path | SpecialPath, requester: Requester): TreeReply {
  if (isSpecialPath(path)) {
    const perms = root.special.get(path);
    if (perms === undefined || (accessOf(requester, perms) & READ) === 0) return failed("EACCES");
    return { kind: "perms", perms };
  }
  const node = findNode(root, path, requester, READ);
  return typeof node === "string" ? failed(node) : { kind: "perms", perms: node.perms };
}

function setPerms(draft: Draft, path: Path | SpecialPath, asked: Perms, context: RequestContext): TreeReply {
  const { requester } = context;
  if (isUnprivileged(requester) && exceedsQuota(draft.root, requester.domid, "permissions", asked.length)) {
    return failed("ENOSPC");
  }
  const special = isSpecialPath(path);
  const node = special ? undefined : findNode(draft.root, path, requester, WRITE | OWN);
  if (typeof node === "string") return failed(node);
  const old = special ? draft.root.special.get(path) : node?.perms;
  if (old === undefined || (accessOf(requester, old) & OWN) === 0) return failed("EACCES");
  if (isUnprivileged(requester) && asked[0].domid !== old[0].domid) return failed("EPERM");
  const perms = internPerms(withoutUnknownDomains(draft, asked, requester));
  if (special) {
    draft.setSpecial(path, perms);
    return DONE;
  }
  if (node === undefined) return failed("ENOENT");
  if (exceedsNodeSize(draft, requester, nodeBytes(node.value, perms, node.names))) return failed("ENOSPC");
  draft.set(path, { value: node.value, perms }, node);
  draft.touch(path);
  return DONE;
}

/**
 * A guest's entries for a domid that is not introduced are dropped, so that the next domain with that id inherits
 * nothing (XSA-322); dom0's are kept, because the toolstack sets perms before INTRODUCE (rule 7).
 */
function withoutUnknownDomains(draft: Draft, perms: Perms, requester: Requester): Perms {
  if (!isUnprivileged(requester)) return perms;
  const [owner, ...others] = perms;
  const known = (entry: Permission): boolean =>
    entry.domid === 0 || draft.root.domains.get(entry.domid)?.introduction !== undefined;
  const kept = others.filter(known);
  return kept.length === others.length ? perms : [owner, ...kept];
}
