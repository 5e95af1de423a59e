/**
 * Server features, as `docs/misc/xenstore-ring.txt` numbers them.
 *
 * Owns what this daemon supports. The other bits are about the shared ring, which clients on sockets have not got.
 */
import type { Domid } from "../../protocol/identifiers.js";
import type { CoreState } from "./state.js";

/** WATCH takes a depth, and `@releaseDomain/<domid>` can be watched. */
export const FEATURE_WATCHDEPTH = 4;

/** All features that are supported, as a bit set. */
export const FEATURES_SUPPORTED: number = [FEATURE_WATCHDEPTH].reduce((set, feature) => set | feature, 0);

/** The features that a domain is offered. */
export function featuresOf(state: CoreState, domid: Domid): number {
  return state.store.root.domains.get(domid)?.features ?? FEATURES_SUPPORTED;
}
