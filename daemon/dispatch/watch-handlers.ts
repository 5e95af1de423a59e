/**
 * Handlers of WATCH, UNWATCH and RESET_WATCHES.
 *
 * Source: xenstore.txt, "Watches". Both ignore the tx_id. The first event of a new watch is unconditional and follows the
 * reply.
 */
import { flattenBytes } from "../../protocol/bytes.js";
import { parseWatchPath } from "../../protocol/path.js";
import { REQUEST_CODECS } from "../../protocol/payload.js";
import type { Domid } from "../../protocol/identifiers.js";
import { exceedsQuota } from "../store/quota-limit.js";
import { reportedPath } from "../watch/delivery.js";
import type { Watch } from "../watch/watch-table.js";
import { watchKey, type Connection } from "../connection/connection.js";
import type { Handler } from "./call.js";
import { FEATURE_WATCHDEPTH, featuresOf } from "./feature.js";
import { fail, OK } from "./outcome.js";
import type { CoreState } from "./state.js";

/** WATCH. */
export const handleWatch: Handler = ({ state, connection, payload }) => {
  const request = REQUEST_CODECS.WATCH.parse(payload);
  if (request === undefined) return fail("EINVAL");
  const { depth } = request;
  if (depth !== undefined && (featuresOf(state, connection.domid) & FEATURE_WATCHDEPTH) === 0) return fail("EINVAL");
  const parsed = parseWatchPath(request.path, connection.domid);
  if (parsed === undefined) return fail("EINVAL");
  if (connection.watches.has(watchKey({ path: parsed.path, token: request.token }))) return fail("EEXIST");
  if (exceedsQuota(state.store.root, connection.domid, "watches", watchesHeld(state, connection.domid) + 1)) {
    return fail("ENOSPC");
  }
  const watch: Watch<Connection> = {
    owner: connection,
    path: flattenBytes(parsed.path),
    token: flattenBytes(request.token),
    depth,
    relativeBase: parsed.relativeBase,
    order: state.nextWatchOrder(),
  };
  state.addWatch(connection, watch);
  state.deliveries.push({ watch, path: reportedPath(watch, watch.path), special: true, isFirst: true });
  return OK;
};

/** UNWATCH. */
export const handleUnwatch: Handler = ({ state, connection, payload }) => {
  const request = REQUEST_CODECS.UNWATCH.parse(payload);
  const parsed = request === undefined ? undefined : parseWatchPath(request.path, connection.domid);
  if (request === undefined || parsed === undefined) return fail("EINVAL");
  const watch = connection.watches.get(watchKey({ path: parsed.path, token: request.token }));
  if (watch === undefined) return fail("ENOENT");
  state.removeWatch(connection, watch);
  return OK;
};

/** RESET_WATCHES: removes the watches and ends the transactions of the caller, also inside one (XSA-484). */
export const handleResetWatches: Handler = ({ state, connection }) => {
  state.resetConnection(connection);
  return OK;
};

/** How many watches a domain has, on all of its connections. */
export function watchesHeld(state: CoreState, domid: Domid): number {
  if (domid === 0) return 0;
  let count = 0;
  for (const connection of state.connectionsOf(domid)) count += connection.watches.size;
  return count;
}
