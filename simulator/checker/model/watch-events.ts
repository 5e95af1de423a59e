/**
 * The naive model: who is told what.
 *
 * Owns the watches' rules, by brute force over all watches.
 */
import { above, canRead, isWithin, levelOf, type ModelState, type Mutation, type Who } from "./state.js";
import type { ModelEvent } from "./tree-request.js";

/** A watch. */
export interface ModelWatch<Owner> {
  readonly owner: Owner;
  /** Absolute, or `@…`. */
  readonly path: string;
  readonly token: string;
  readonly depth: number | undefined;
  /** What is cut from the front of what its owner is told: `/local/domain/5/` of a watch that was set relatively. */
  readonly base: string;
}

/** One event for one watch. */
export interface ModelDelivery<Owner> {
  readonly watch: ModelWatch<Owner>;
  /** The absolute path. */
  readonly path: string;
}

/** What is told in the given order, or, where the order is left open, children before parents. */
export interface ModelDeliveries<Owner> {
  readonly order: "as listed" | "children first";
  readonly deliveries: readonly ModelDelivery<Owner>[];
}

/** What a watch's owner reads. */
export function toldPath(watch: ModelWatch<unknown>, path: string): string {
  return watch.base !== "" && path.startsWith(watch.base) ? path.slice(watch.base.length) : path;
}

/**
 * Lists what the events of one commit tell the watches, which stand in the order of their registration.
 *
 * @param state - after the commit, with a tree that remembers what it was before
 */
export function tell<Owner>(
  events: readonly ModelEvent[],
  watches: readonly ModelWatch<Owner>[],
  state: ModelState,
  options: { readonly whoOf: (owner: Owner) => Who; readonly mutation: Mutation | undefined },
): ModelDeliveries<Owner>[] {
  const { whoOf, mutation } = options;
  const told = new Map<ModelWatch<Owner>, Set<string>>();
  const groups: ModelDeliveries<Owner>[] = [];
  const add = (order: "as listed" | "children first", candidates: readonly ModelDelivery<Owner>[]): void => {
    const deliveries = candidates.filter(({ watch, path }) => {
      const readers = mutation === "events reach those who may not read";
      if (!readers && !mayKnow(path, whoOf(watch.owner), state)) return false;
      const paths = told.get(watch) ?? new Set();
      if (paths.has(path) && mutation !== "one transaction tells a path twice") return false;
      told.set(watch, paths.add(path));
      return true;
    });
    groups.push({ order, deliveries });
  };
  for (const event of events) {
    if (event.kind === "special") {
      groups.push({ order: "as listed", deliveries: tellSpecial(event, watches, state, whoOf) });
      continue;
    }
    const { path } = event;
    if (event.kind === "removed" && mutation !== "RM tells no watcher below the node") {
      const below = watches.filter((watch) => watch.path !== path && event.existed.has(watch.path));
      add(
        "children first",
        below.map((watch) => ({ watch, path: watch.path })),
      );
    }
    const atOrAbove = watches.filter((watch) => {
      if (!isWithin(path, watch.path)) return false;
      if (watch.depth === undefined || mutation === "the depth of a watch is ignored") return true;
      return levelOf(path) - levelOf(watch.path) <= watch.depth;
    });
    add(
      "as listed",
      atOrAbove.map((watch) => ({ watch, path })),
    );
  }
  return groups;
}

/** A depth of 0 reaches nothing, as `@releaseDomain/<domid>` lies one level below. */
function tellSpecial<Owner>(
  event: ModelEvent & { readonly kind: "special" },
  watches: readonly ModelWatch<Owner>[],
  after: ModelState,
  whoOf: (owner: Owner) => Who,
): ModelDelivery<Owner>[] {
  const withDomid = `${event.path}/${String(event.domid)}`;
  const deliveries: ModelDelivery<Owner>[] = [];
  for (const watch of watches) {
    if (!canRead(after.special.get(event.path), whoOf(watch.owner))) continue;
    if (watch.path === withDomid) deliveries.push({ watch, path: withDomid });
    else if (watch.path === event.path && watch.depth !== 0)
      deliveries.push({ watch, path: watch.depth === undefined ? event.path : withDomid });
  }
  return deliveries;
}

/**
 * Rule 9: it may read the node, its parent, or could read the old node. The parent of a node that went is the one that it
 * went from; the parent of a node that is there is the one that is there now.
 */
function mayKnow(path: string, who: Who, { tree }: ModelState): boolean {
  if (who.domid === 0) return true;
  const old = tree.getBefore(path);
  const now = tree.get(path);
  if (canRead(old?.perms, who) || canRead(now?.perms, who)) return true;
  const parent = above(path);
  if (parent === undefined) return false;
  const went = old !== undefined && now === undefined;
  const seen = went ? tree.getBefore(parent) : (tree.get(parent) ?? tree.getBefore(parent));
  return canRead(seen?.perms, who);
}
