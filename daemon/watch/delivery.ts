/**
 * From events to deliveries: who is told what when a commit is made.
 *
 * Owns the expansion of removals, the limit to those who may know, and the rule that one commit tells one watch each
 * path once, at its first position. Pure: it returns a list. Source: xenstore.txt, "Watches"; C's rules (rule 9): an event
 * reaches a guest only if it may read the node, its parent, or could read the old node.
 *
 * Worked example. One transaction removes `/a`, which holds `/a/b`, and writes `/a/b` again. A watch on `/a/b` is told
 * `/a/b` once; a watch on `/` is told `/a` and then `/a/b`.
 */
import type { Path } from "../../protocol/identifiers.js";
import { childPath, parentPath } from "../../protocol/path.js";
import { READ } from "../../protocol/perms.js";
import type { StoreEvent } from "../store/event.js";
import { getChild, type Node } from "../store/node.js";
import { accessOf, type Requester } from "../store/permission.js";
import { getNode, type Root } from "../store/root.js";
import { sortByOrder, type Watch, type WatchPlace, type WatchTable } from "./watch-table.js";

/** An event for one watch. */
export interface Delivery<Owner> {
  readonly watch: Watch<Owner>;
  /** The event's path as the watch's owner is told it: relative if the watch was set so. */
  readonly path: string;
  /** Whether it is about a domain; such events are never collapsed. */
  readonly special: boolean;
  /** Whether it is the first event of a watch, which no commit caused. */
  readonly isFirst?: boolean;
}

/** Is told of watches that match and whose owners may not know of the event. */
export type RefusalListener<Owner> = (watch: Watch<Owner>, path: string) => void;

/** The states between which the events happened. */
export interface Transition {
  readonly before: Root;
  readonly after: Root;
}

/** The path that a watch's owner is told. */
export function reportedPath(watch: Watch<unknown>, path: string): string {
  return watch.relativeBase === 0 ? path : path.slice(watch.relativeBase);
}

/** Lists the deliveries that the events of one commit cause, in order. */
export function deliveriesOf<Owner>(
  table: WatchTable<Owner>,
  events: readonly StoreEvent[],
  transition: Transition,
  requesterOf: (owner: Owner) => Requester,
  refused?: RefusalListener<Owner>,
): Delivery<Owner>[] {
  const deliveries: Delivery<Owner>[] = [];
  if (table.count === 0) return deliveries;
  // Also remembers who was refused: one path is judged once, however often a transaction wrote it.
  const told = events.length > 1 ? new Map<Watch<Owner>, Set<string>>() : undefined;
  const tell = (watch: Watch<Owner>, path: Path): void => {
    if (told !== undefined) {
      const paths = told.get(watch);
      if (paths?.has(path) === true) return;
      if (paths === undefined) told.set(watch, new Set([path]));
      else paths.add(path);
    }
    if (!mayKnow(requesterOf(watch.owner), path, transition)) {
      refused?.(watch, reportedPath(watch, path));
      return;
    }
    deliveries.push({ watch, path: reportedPath(watch, path), special: false });
  };
  for (const event of events) {
    if (event.kind === "special") {
      deliverSpecial(table, event, transition, { requesterOf, refused, deliveries });
      continue;
    }
    const { watches, place } = table.matchSubtree(event.path);
    if (event.kind === "removed" && place !== undefined) visitRemoved(event.path, event.node, place, tell);
    for (const watch of watches) tell(watch, event.path);
  }
  return deliveries;
}

/** Tells the watchers below a removed node, on nodes that existed, children before parents. */
function visitRemoved<Owner>(
  top: Path,
  removed: Node,
  topPlace: WatchPlace<Owner>,
  tell: (watch: Watch<Owner>, path: Path) => void,
): void {
  interface Visit {
    readonly path: Path;
    readonly node: Node;
    readonly place: WatchPlace<Owner>;
  }
  const pending: Visit[] = [{ path: top, node: removed, place: topPlace }];
  const parentsFirst: Visit[] = [];
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    parentsFirst.push(visit);
    const { path, node, place } = visit;
    for (const name of [...place.names].sort()) {
      const child = getChild(node, name);
      const below = place.get(name);
      if (child !== undefined && below !== undefined)
        pending.push({ path: childPath(path, name), node: child, place: below });
    }
  }
  for (let index = parentsFirst.length - 1; index > 0; index--) {
    const { path, place } = parentsFirst[index] as Visit;
    for (const watch of sortByOrder([...place.watches])) tell(watch, path);
  }
}

/**
 * A special event is told as `@releaseDomain` to a watch without depth, as `@releaseDomain/<domid>` to a watch with a
 * depth of at least 1 and to a watch on exactly that; only dom0 and domains with read access to the special path are told.
 */
function deliverSpecial<Owner>(
  table: WatchTable<Owner>,
  event: StoreEvent & { readonly kind: "special" },
  transition: Transition,
  {
    requesterOf,
    refused,
    deliveries,
  }: {
    readonly requesterOf: (owner: Owner) => Requester;
    readonly refused: RefusalListener<Owner> | undefined;
    readonly deliveries: Delivery<Owner>[];
  },
): void {
  const perms = transition.after.special.get(event.path);
  const withDomid = `${event.path}/${String(event.domid)}`;
  const candidates = [...table.matchSpecial(event.path), ...table.matchSpecial(withDomid)];
  for (const watch of sortByOrder(candidates)) {
    if (perms === undefined || (accessOf(requesterOf(watch.owner), perms) & READ) === 0) {
      refused?.(watch, watch.path);
      continue;
    }
    if (watch.path === withDomid) deliveries.push({ watch, path: withDomid, special: true });
    else if (watch.depth === undefined) deliveries.push({ watch, path: event.path, special: true });
    else if (watch.depth > 0) deliveries.push({ watch, path: withDomid, special: true });
  }
}

/** Whether the requester may be told that something happened at `path`: rule 9, on the states before and after. */
export function mayKnow(requester: Requester, path: Path, transition: Transition): boolean {
  if (requester.domid === 0) return true;
  const old = getNode(transition.before, path);
  if (old !== undefined && mayRead(requester, old)) return true;
  const now = getNode(transition.after, path);
  if (now !== undefined && mayRead(requester, now)) return true;
  const parent = parentPath(path);
  if (parent === undefined) return false;
  const lastSeenIn = now !== undefined || old === undefined ? transition.after : transition.before;
  const parentNode = getNode(lastSeenIn, parent) ?? getNode(transition.before, parent);
  return parentNode !== undefined && mayRead(requester, parentNode);
}

function mayRead(requester: Requester, node: Node): boolean {
  return (accessOf(requester, node.perms) & READ) !== 0;
}
