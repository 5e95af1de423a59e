/**
 * Which nodes must have been there before a log begins, since it says that requests for them succeeded.
 *
 * Owns what follows from a log about nodes that it does not tell the making of. It changes nothing: the importer makes the
 * nodes. What the log itself removed is known to be gone, and so is what was below; nothing is made there again.
 *
 * Worked examples, in a store that has `/local/domain` and nothing below it:
 *   SET_PERMS /vm/1 n0           /vm/1 was there
 *   RM /local/domain/5/data      /local/domain/5 was there; whether the node was nobody knows, and the node is taken to have been
 *                                there, so that the history shows who removed it
 *   RM /local/domain/6           says nothing, since RM of a node that is missing succeeds where its parent is; toolstacks ask
 *                                it before they make anything
 *   RM /vm/1, SET_PERMS /vm/1/a  the second one has no node, and none is made
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, Path } from "../../protocol/identifiers.js";
import { isAtOrBelow, parentPath, parsePath } from "../../protocol/path.js";
import type { LogEntry } from "./log-entry.js";

/** Whether the store has a node. */
export type HasNode = (path: Path) => boolean;

/** What requests that succeeded tell of the time before the log. */
export interface EarlierNodes {
  /** Nodes to make, in the order in which they are needed. */
  readonly missing: readonly Path[];
  /** Removals that succeeded whether or not there was a node. */
  readonly emptyRemovals: readonly LogEntry[];
}

/** What a log itself has removed. */
export class RemovedNodes {
  readonly #paths = new Set<ByteString>();

  /** A node was removed with all below it. */
  add(path: ByteString): void {
    this.#paths.add(path);
  }

  /** Whether it was removed, or something above it; it may have been made again since. */
  has(path: Path): boolean {
    for (let at: Path | undefined = path; at !== undefined; at = parentPath(at)) if (this.#paths.has(at)) return true;
    return false;
  }
}

/** The nodes that requests need, which are asked in their order, and alone in the store. */
export function earlierNodesOf(requests: readonly LogEntry[], hasNode: HasNode, removed: RemovedNodes): EarlierNodes {
  const missing: Path[] = [];
  const emptyRemovals: LogEntry[] = [];
  /** What the requests before did. */
  const steps: { readonly path: Path; readonly isRemoval: boolean }[] = [];
  const exists = (path: Path): boolean => {
    const last = steps.findLast(({ path: changed, isRemoval }) =>
      isRemoval ? isAtOrBelow(path, changed) : isAtOrBelow(changed, path),
    );
    if (last !== undefined) return !last.isRemoval;
    return hasNode(path) || missing.some((made) => isAtOrBelow(made, path));
  };
  const isRemoved = (path: Path): boolean =>
    removed.has(path) || steps.some(({ path: changed, isRemoval }) => isRemoval && isAtOrBelow(path, changed));
  for (const request of requests) {
    const { action } = request;
    const path = pathOf(request);
    if (action.kind !== "request" || path === undefined) continue;
    const { operation } = action;
    if ((operation === "RM" || operation === "SET_PERMS") && !exists(path) && !isRemoved(path)) {
      const parent = parentPath(path);
      if (operation === "RM" && parent !== undefined && exists(parent)) emptyRemovals.push(request);
      else missing.push(path);
    }
    if (operation !== "SET_PERMS") steps.push({ path, isRemoval: operation === "RM" });
  }
  return { missing, emptyRemovals };
}

/** The node that a request is about; undefined where it is about none, or has no valid path. */
export function pathOf({ action, domid }: Pick<LogEntry, "action" | "domid">): Path | undefined {
  if (action.kind === "orphan") return parsePath(action.path, domid);
  if (action.kind !== "request" || !PATH_OPERATIONS.has(action.operation)) return undefined;
  return parsePath(action.payload.split("\0")[0] ?? "", domid);
}

const PATH_OPERATIONS: ReadonlySet<string> = new Set(["WRITE", "MKDIR", "RM", "SET_PERMS"]);

/** The domains that a request needs, besides the one whose it is. */
export function domainsOf({ action }: LogEntry): readonly Domid[] {
  if (action.kind !== "request") return [];
  const domids = action.payload.split("\0").filter((text) => /^\d+$/.test(text));
  const needed = { RELEASE: 1, RESUME: 1, SET_TARGET: 2 }[action.operation as string] ?? 0;
  return domids.slice(0, needed).map((text) => Number(text) as Domid);
}
