/**
 * Causes: which changes can have made the answer to a request another one.
 *
 * Owns what each answer depends on (`tree-request.ts` answers), in two strengths: for who has both answers at hand, and for
 * who knows no more than what was asked. It knows commits by what they touched alone.
 *
 * Of several commits with a change that matters, the newest is the cause: it made the answer what it is, where an older one's
 * work may have been undone; and it is the one that is remembered longest. So what matters is told narrowly: the newest commit
 * that changed a value has made the value, and a newer one that wrote below the node, or gave it other perms, has not. A node
 * that is missing is the one exception: what was above it may have been removed later. Where nothing that matters was
 * changed, there is no cause: nobody is to be held up for a guess.
 *
 * Known limits: of several changes of the perms that decide whether a request is answered, the newest is taken, which need not
 * be the one that shut somebody out; so is who made a node that the transaction would have made itself, or that stands below what
 * shut it out.
 *
 * Worked example. A transaction reads /a and writes /z; meanwhile 5 writes /a, 6 writes /a/b, 7 changes the perms of /a. The
 * answer to READ /a depends on the value of /a, and on whether there is an /a: the cause is 5. Had it listed /a, it would be 6
 * if that made /a/b, and nothing else would do. Had 7 made READ answer EACCES, it would be 7.
 */
import type { Domid, Path } from "../../protocol/identifiers.js";
import { XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import { childPath, isAtOrBelow, isSpecialPath, parentPath, ROOT_PATH } from "../../protocol/path.js";
import { samePerms } from "../../protocol/perms.js";
import type { Change } from "./commit.js";
import { sameQuotas } from "./diff.js";
import { getNode, type Root } from "./root.js";
import type { TreeReply, TreeRequest } from "./tree-request.js";

/** What a change is about: a node's path or a special one, a domain, or the default quotas. */
export type Subject = string | Domid;

const DEFAULT_QUOTAS: Subject = "";

/** What happened to a subject, as bits. */
const CAME = 1;
/** Of a node, with all below it. */
const WENT = 2;
const VALUE = 4;
const PERMS = 8;
/** A domain has another one's rights, or has them no more. */
const RIGHTS = 16;
const QUOTAS = 32;

/** Whether a change of a subject, with what happened to it, is of a kind. */
type Condition = (subject: Subject, aspects: number) => boolean;

/** Which commit is the cause. */
export interface Cause {
  /** The newest that has such a change. */
  readonly change: Condition;
  /** If given: the oldest with such a change, of those that are newer than every commit with one of this kind. */
  readonly since?: Condition | undefined;
}

/** What a change is about. */
function subjectOf(change: Change): Subject {
  switch (change.kind) {
    case "node":
    case "special":
      return change.path;
    case "domain":
      return change.domid;
    case "quota":
      return DEFAULT_QUOTAS;
  }
}

/** What a change did to its subject; 0 for what no answer depends on. */
function aspectsOf(change: Change): number {
  switch (change.kind) {
    case "node": {
      const { before, after } = change;
      if (before === undefined) return CAME;
      if (after === undefined) return WENT;
      return (before.value === after.value ? 0 : VALUE) | (samePerms(before.perms, after.perms) ? 0 : PERMS);
    }
    case "special":
      return PERMS;
    case "domain": {
      const { before, after } = change;
      return (before?.target === after?.target ? 0 : RIGHTS) | (sameQuotas(before, after) ? 0 : QUOTAS);
    }
    case "quota":
      return QUOTAS;
  }
}

/** What some changes are about, and what they did to each: as little as can be kept of a commit. */
export interface Touched {
  readonly subjects: readonly Subject[];
  readonly aspects: readonly number[];
}

/** Most commits are of one change. */
const ONE_ASPECT: readonly (readonly number[])[] = Array.from({ length: 2 * QUOTAS }, (_, aspects) => [aspects]);

/** What changes touched, without what they hold. */
export function touchedBy(changes: readonly Change[]): Touched {
  const [first] = changes;
  if (first !== undefined && changes.length === 1) {
    return { subjects: [subjectOf(first)], aspects: ONE_ASPECT[aspectsOf(first)] as readonly number[] };
  }
  // Lists that grow would be kept with the room to grow further.
  return { subjects: changes.map(subjectOf), aspects: changes.map(aspectsOf) };
}

function has({ subjects, aspects }: Touched, condition: Condition): boolean {
  for (let index = 0; index < subjects.length; index++) {
    if (condition(subjects[index] as Subject, aspects[index] as number)) return true;
  }
  return false;
}

/** The one of some commits that is the cause; undefined for none. @param newestFirst - is read no further than needed */
export function findCause<C extends { readonly touched: Touched }>(
  newestFirst: Iterable<C>,
  { change, since }: Cause,
): C | undefined {
  let found: C | undefined;
  for (const commit of newestFirst) {
    if (has(commit.touched, change)) {
      found = commit;
      if (since === undefined) break;
    }
    if (since !== undefined && has(commit.touched, since)) break;
  }
  return found;
}

/** A request that was answered twice, and not in the same way. */
export interface DifferingAnswer {
  readonly request: TreeRequest;
  /** Who asked. */
  readonly domid: Domid;
  readonly was: TreeReply;
  readonly is: TreeReply;
  /** The state in which it was asked for the second time, without what that changed. */
  readonly root: Root;
}

/** What the cause can be; the first that is found decides. */
export function causesOf(answer: DifferingAnswer): readonly Cause[] {
  const { request, domid, was, is, root } = answer;
  const { path } = request;
  // Which quota it was is not known; where one was changed meanwhile, it is that.
  if (is.kind === "error" && is.error === "ENOSPC") return [{ change: quotasOf(domid) }];
  if (isSpecialPath(path)) return [{ change: either(at(path, PERMS), rightsOf(domid)) }];
  if (was.kind !== "error" && is.kind !== "error") return toldCauses(path, was, is);
  // RM of a missing node is fine below an existing parent.
  const needed = request.operation === "RM" ? (parentPath(path) ?? ROOT_PATH) : path;
  if (was.kind !== "error" && isMissing(is)) return [{ change: atOrAbove(needed, WENT), since: at(needed, CAME) }];
  if (isMissing(was) && is.kind !== "error") return [{ change: at(needed, CAME) }];
  return [{ change: either(accessTo(root, path), rightsOf(domid)) }];
}

function isMissing(reply: TreeReply): boolean {
  return reply.kind === "error" && reply.error === "ENOENT";
}

/** What changes an answer that tells something to one that tells something else. */
function toldCauses(path: Path, was: TreeReply, is: TreeReply): readonly Cause[] {
  switch (is.kind) {
    case "value":
      return [{ change: valueOf(path) }];
    case "perms":
      // A node that the transaction made itself has those of the one above.
      return [{ change: permsOf(path) }, { change: atOrAbove(path, CAME | WENT | PERMS) }];
    case "names":
    case "part":
      return was.kind === "names" || was.kind === "part" ? listingCauses(path, was, is) : [];
    case "done":
    case "error":
      return [];
  }
}

function valueOf(path: Path): Condition {
  return either(at(path, CAME | VALUE), atOrAbove(path, WENT));
}

function permsOf(path: Path): Condition {
  return either(at(path, CAME | PERMS), atOrAbove(path, WENT));
}

function childrenOf(path: Path): Condition {
  return either(childOf(path, CAME | WENT), either(at(path, CAME), atOrAbove(path, WENT)));
}

/** A list of children, or what `DIRECTORY_PART` told of one. */
type Listing = TreeReply & { readonly kind: "names" | "part" };

/**
 * Of the children that are told in one list and not in the other: who made one, or else who removed one, perhaps with what it was
 * below; what was above it may have been removed later.
 */
function listingCauses(path: Path, was: Listing, is: Listing): readonly Cause[] {
  const came = namesAdded(was, is);
  if (came.size > 0) return [{ change: childrenNamed(path, came, CAME) }];
  const [went] = namesAdded(is, was);
  if (went === undefined) return [];
  const child = childPath(path, went);
  return [{ change: atOrAbove(child, WENT), since: at(child, CAME) }];
}

function childrenNamed(path: Path, names: ReadonlySet<string>, wanted: number): Condition {
  const prefix = path === ROOT_PATH ? path : `${path}/`;
  return (subject, aspects) =>
    (aspects & wanted) !== 0 &&
    typeof subject === "string" &&
    subject.startsWith(prefix) &&
    names.has(subject.slice(prefix.length));
}

/** Which names a list tells that another does not have. */
function namesAdded(from: Listing, to: Listing): ReadonlySet<string> {
  const known = new Set(from.names);
  const end = to.kind === "part" ? to.offset + XENSTORE_PAYLOAD_MAX : Infinity;
  const added = new Set<string>();
  let start = 0;
  for (const name of to.names) {
    if (start >= end) break;
    if (!known.has(name)) added.add(name);
    start += name.length + 1;
  }
  return added;
}

/**
 * What decides whether a request is answered at all: which node on the way to the path is the last that exists, and its perms.
 * Whoever made it the last one did so by making it, or by removing the next.
 */
function accessTo(root: Root, path: Path): Condition {
  let existing = path;
  let next = path;
  while (getNode(root, existing) === undefined) {
    next = existing;
    existing = parentPath(existing) ?? ROOT_PATH;
  }
  return existing === next ? at(existing, CAME | PERMS) : either(at(existing, CAME | PERMS), at(next, WENT));
}

/** What the cause can be of an answer that is not known. */
export interface LikelyCauses {
  /** What the request tells was changed; undefined for one that tells nothing. What matters is at its path, above or below. */
  readonly told: Cause | undefined;
  /** Else: it is not done any more, or it is now. */
  readonly done: Cause;
}

/** The same for a request of which nothing but this is known. @param operation - such as `READ` */
export function likelyCausesOf({
  operation,
  path,
  domid,
}: {
  readonly operation: string;
  readonly path: string;
  readonly domid: Domid;
}): LikelyCauses {
  const rights = rightsOf(domid);
  if (isSpecialPath(path)) return { told: undefined, done: { change: either(at(path, PERMS), rights) } };
  const node = path as Path;
  const access = either(atOrAbove(node, CAME | WENT | PERMS), rights);
  const told = TOLD[operation]?.(node);
  if (told !== undefined) return { told: { change: told }, done: { change: access } };
  return { told: undefined, done: { change: either(access, quotasOf(domid)) } };
}

/** What each query tells of. */
const TOLD: Readonly<Record<string, ((path: Path) => Condition) | undefined>> = {
  READ: valueOf,
  GET_PERMS: permsOf,
  DIRECTORY: childrenOf,
  DIRECTORY_PART: childrenOf,
};

function either(left: Condition, right: Condition): Condition {
  return (subject, aspects) => left(subject, aspects) || right(subject, aspects);
}

function at(path: string, wanted: number): Condition {
  return (subject, aspects) => (aspects & wanted) !== 0 && subject === path;
}

function atOrAbove(path: Path, wanted: number): Condition {
  return (subject, aspects) => (aspects & wanted) !== 0 && typeof subject === "string" && isAtOrBelow(path, subject);
}

function childOf(path: Path, wanted: number): Condition {
  return (subject, aspects) =>
    (aspects & wanted) !== 0 && typeof subject === "string" && parentPath(subject as Path) === path;
}

function rightsOf(domid: Domid): Condition {
  return (subject, aspects) => (aspects & RIGHTS) !== 0 && subject === domid;
}

function quotasOf(domid: Domid): Condition {
  return (subject, aspects) => (aspects & QUOTAS) !== 0 && (subject === domid || subject === DEFAULT_QUOTAS);
}
