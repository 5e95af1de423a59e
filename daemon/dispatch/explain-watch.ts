/**
 * Why a watch fires for a node, or does not.
 *
 * Owns the answer as of now: which watches of a domain would match, and whether its owner may know; and what is remembered of the
 * last events at that path. Source: the rules in `watch/delivery.ts`.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, Path } from "../../protocol/identifiers.js";
import { isAtOrBelow, parentPath, splitPath } from "../../protocol/path.js";
import { READ } from "../../protocol/perms.js";
import { accessOf, type Requester } from "../store/permission.js";
import { getNode, type Root } from "../store/root.js";
import { mayKnow } from "../watch/delivery.js";
import type { LoggedDelivery } from "./delivery-log.js";
import type { CoreState } from "./state.js";

/** What stands between a watch and an event at a path; undefined for nothing. */
export type WatchObstacle =
  /** The path is too far below the watch's own for its depth. */
  | "depth"
  /** Neither the node nor its parent may be read. */
  | "perms";

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
  /** Whether there is such a node. Where there is none, what is told of the watches is what making it would do. */
  readonly exists: boolean;
  readonly connections: number;
  /** Its watches at or above the path. */
  readonly watches: readonly ExplainedWatch[];
  /** Its watches elsewhere. */
  readonly watchesElsewhere: number;
  /** The last events that were about the path, of this domain's watches and of all others; newest first. */
  readonly deliveries: readonly LoggedDelivery[];
}

/** So many events are told. */
const DELIVERIES_MAX = 100;

/** Explains what a domain is told of a node. */
export function explainWatch(state: CoreState, path: Path, domid: Domid): WatchExplanation {
  const { root } = state.store;
  const exists = getNode(root, path) !== undefined;
  const watches: ExplainedWatch[] = [];
  let connections = 0;
  let watchesElsewhere = 0;
  for (const connection of state.connectionsOf(domid)) {
    connections++;
    const isKnown = wouldKnow(root, path, state.requesterOf(connection));
    for (const watch of connection.watches.values()) {
      if (!isAtOrBelow(path, watch.path)) {
        watchesElsewhere++;
        continue;
      }
      const distance = splitPath(path).length - splitPath(watch.path as Path).length;
      const isTooDeep = watch.depth !== undefined && watch.depth < distance;
      watches.push({
        connection: connection.name,
        watchPath: watch.path,
        token: watch.token,
        depth: watch.depth,
        obstacle: isTooDeep ? "depth" : isKnown ? undefined : "perms",
      });
    }
  }
  return { exists, connections, watches, watchesElsewhere, deliveries: deliveriesAbout(state, path) };
}

/**
 * Whether a change of a node may be known; of one that is missing, that it is made. It then has the perms of the nearest node
 * above that exists, and so have those in between, unless an unprivileged domain other than their owner makes it.
 */
function wouldKnow(root: Root, path: Path, requester: Requester): boolean {
  let nearest = getNode(root, path);
  if (nearest !== undefined) return mayKnow(requester, path, { before: root, after: root });
  for (let above = parentPath(path); nearest === undefined && above !== undefined; above = parentPath(above)) {
    nearest = getNode(root, above);
  }
  return nearest !== undefined && (accessOf(requester, nearest.perms) & READ) !== 0;
}

function deliveriesAbout(state: CoreState, path: Path): LoggedDelivery[] {
  const found: LoggedDelivery[] = [];
  for (const delivery of state.deliveryLog.newestFirst()) {
    if (delivery.absolutePath !== path) continue;
    found.push(delivery);
    if (found.length === DELIVERIES_MAX) break;
  }
  return found;
}
