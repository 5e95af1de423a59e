/**
 * Why a watch fires for a node or a special path, or does not.
 *
 * Owns the answer as of now: which watches of a domain would match, and whether its owner may know; and what is remembered of the
 * last events at that path. Source: the rules in `watch/delivery.ts`.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, Path, Seq } from "../../protocol/identifiers.js";
import { XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import { isAtOrBelow, parentPath, parseSpecialDomid, splitPath } from "../../protocol/path.js";
import { READ, type Perms } from "../../protocol/perms.js";
import type { Connection } from "../connection/connection.js";
import { accessOf, type Requester } from "../store/permission.js";
import { getNode, type Root } from "../store/root.js";
import { mayKnow, reportedPath } from "../watch/delivery.js";
import type { Watch } from "../watch/watch-table.js";
import type { LoggedDelivery } from "./delivery-log.js";
import type { CoreState } from "./state.js";

/** What stands between a watch and an event at a path; undefined for nothing. */
export type WatchObstacle =
  /** The path is too far below the watch's own for its depth. */
  | "depth"
  /** Neither the node nor its parent may be read; the special path may not. */
  | "perms"
  /** The path and the watch's token do not fit a message. */
  | "length";

/** What is asked. */
export interface WatchQuestion {
  /** Of a node, or `@releaseDomain`, `@introduceDomain` or one of these with a domid. */
  readonly path: ByteString;
  readonly domid: Domid;
  /** Commits whose events are wanted too where these were told with a path above or below: of a parent that went, a child that came. */
  readonly seqs?: readonly Seq[] | undefined;
}

/** A watch at or above a path. */
export interface ExplainedWatch {
  readonly connection: string;
  readonly watchPath: ByteString;
  readonly token: ByteString;
  readonly depth: number | undefined;
  readonly obstacle: WatchObstacle | undefined;
}

/** Why a domain is told of a node, or is not. */
export interface WatchExplanation {
  /** Whether there is such a node, or it is a special path. Where there is none, what is told of the watches is what making it would do. */
  readonly exists: boolean;
  readonly connections: number;
  /** Its watches at or above the path. */
  readonly watches: readonly ExplainedWatch[];
  /** Its watches elsewhere. */
  readonly watchesElsewhere: number;
  /** The last events that were about the question, of this domain's watches and of all others; newest first. */
  readonly deliveries: readonly LoggedDelivery[];
}

/** So many events are told. */
const DELIVERIES_MAX = 100;

/** Explains what a domain is told of a node, or of domains that come and go. */
export function explainWatch(state: CoreState, { path, domid, seqs = [] }: WatchQuestion): WatchExplanation {
  const { root } = state.store;
  const subject = parseSpecialDomid(path) ?? (path as Path);
  const watches: ExplainedWatch[] = [];
  let connections = 0;
  let watchesElsewhere = 0;
  for (const connection of state.connectionsOf(domid)) {
    connections++;
    const isKnown = wouldKnow(root, subject, state.requesterOf(connection));
    for (const watch of connection.watches.values()) {
      const { path: watchPath, token, depth } = watch;
      if (!isWatching(watchPath, path, subject)) {
        watchesElsewhere++;
        continue;
      }
      const isTooLong = reportedPath(watch, path).length + token.length + 2 > XENSTORE_PAYLOAD_MAX;
      const obstacle = isTooDeep(watch, subject) ? "depth" : !isKnown ? "perms" : isTooLong ? "length" : undefined;
      watches.push({ connection: connection.name, watchPath, token, depth, obstacle });
    }
  }
  const exists = typeof subject !== "string" || getNode(root, subject) !== undefined;
  const deliveries = deliveriesAbout(state, path, subject, new Set(seqs));
  return { exists, connections, watches, watchesElsewhere, deliveries };
}

/** A node's path, or what a special path names. */
type Subject = Path | SpecialSubject;
type SpecialSubject = NonNullable<ReturnType<typeof parseSpecialDomid>>;

function isWatching(watchPath: ByteString, path: ByteString, subject: Subject): boolean {
  if (typeof subject === "string") return isAtOrBelow(subject, watchPath);
  return watchPath === subject.special || watchPath === path;
}

/** Of special paths, a watch of no depth is told nothing. */
function isTooDeep({ path, depth }: Watch<Connection>, subject: Subject): boolean {
  if (depth === undefined) return false;
  if (typeof subject !== "string") return path === subject.special && depth === 0;
  return depth < splitPath(subject).length - splitPath(path as Path).length;
}

/**
 * Whether a change of a node may be known; of one that is missing, that it is made. It then has the perms of the nearest node
 * above that exists, and so have those in between, unless an unprivileged domain other than their owner makes it.
 */
function wouldKnow(root: Root, path: Subject, requester: Requester): boolean {
  if (typeof path !== "string") return isReadable(requester, root.special.get(path.special));
  let nearest = getNode(root, path);
  if (nearest !== undefined) return mayKnow(requester, path, { before: root, after: root });
  for (let above = parentPath(path); nearest === undefined && above !== undefined; above = parentPath(above)) {
    nearest = getNode(root, above);
  }
  return isReadable(requester, nearest?.perms);
}

function isReadable(requester: Requester, perms: Perms | undefined): boolean {
  return perms !== undefined && (accessOf(requester, perms) & READ) !== 0;
}

function deliveriesAbout(
  state: CoreState,
  path: ByteString,
  subject: Subject,
  seqs: ReadonlySet<Seq>,
): LoggedDelivery[] {
  const isAbout = ({ absolutePath: told, seq }: LoggedDelivery): boolean => {
    if (told === path) return true;
    if (typeof subject === "string") return seqs.has(seq) && (isAtOrBelow(told, path) || isAtOrBelow(path, told));
    return subject.domid === undefined ? isAtOrBelow(told, path) : told === subject.special;
  };
  const found: LoggedDelivery[] = [];
  for (const delivery of state.deliveryLog.newestFirst()) {
    if (!isAbout(delivery)) continue;
    found.push(delivery);
    if (found.length === DELIVERIES_MAX) break;
  }
  return found;
}
