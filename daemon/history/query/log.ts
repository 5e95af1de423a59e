/**
 * The log: the commits of a branch that somebody asks for, newest first.
 *
 * Owns which commits those are. It follows first parents, one commit after the other, so its cost is that of the commits
 * that it passes over; whoever wants a few takes a few and leaves the rest, and whoever has other things to do pauses it. Where
 * the index of paths says that commits did not touch the path, it does not pass over them at all. It looks at each that is
 * left itself, so that what the index says too much is no matter.
 */
import type { Domid, Path, TxId } from "../../../protocol/identifiers.js";
import { ROOT_PATH } from "../../../protocol/path.js";
import { samePerms } from "../../../protocol/perms.js";
import type { Expression } from "../../../protocol/predicate/regular-expression.js";
import type { Oid } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import type { ObjectReader } from "../repository/object-reader.js";
import { readPath, type RecordedNode } from "../repository/read-path.js";
import type { HistoryView } from "./history.js";
import { PathTouches } from "./indexed-past.js";
import { touchedNodes } from "../repository/recorded-changes.js";

/** Which commits are wanted: those that are all of what is given. */
export interface LogFilter {
  /** Changed this node or one below it. */
  readonly path?: Path | undefined;
  /** Made by this domain. */
  readonly domain?: Domid | undefined;
  /** Made by a transaction with this id. */
  readonly transaction?: TxId | undefined;
  /** Has a message that passes this test. */
  readonly grep?: Pick<Expression, "test"> | undefined;
}

/** From where to where. */
export interface LogRange {
  /** The newest that may be wanted. */
  readonly to: FoundCommit;
  /** The oldest that may be wanted; the first of the branch unless given. */
  readonly from?: FoundCommit | undefined;
}

/**
 * The wanted commits from `to` back to `from`, both included; none where `from` is the newer one. Where it is on another
 * branch, it ends at the commits that are older by their seqs.
 *
 * @param isPaused - asked at every commit that is passed over: true ends the walk
 * @returns the commit at which it was paused, for a walk `to` it; undefined at the end
 * @throws what `HistoryView.commit` and `readPath` throw
 */
export function* walkLog(
  view: HistoryView,
  { to, from }: LogRange,
  filter: LogFilter = {},
  isPaused: () => boolean = () => false,
): Generator<FoundCommit, FoundCommit | undefined> {
  const oldest = from?.commit.trailers.seq ?? 0;
  const touches = filter.path === undefined ? undefined : new PathTouches(view, filter.path);
  for (let at: FoundCommit | undefined = touches?.newestAtMost(to) ?? to; at !== undefined;) {
    if ((at.commit.trailers.seq ?? oldest) < oldest) return undefined;
    const previous: FoundCommit | undefined = view.previous(at);
    if (isWanted(view.reader, at, previous, filter)) yield at;
    else if (previous !== undefined && at.oid !== from?.oid && isPaused()) return previous;
    if (at.oid === from?.oid) return undefined;
    at = previous === undefined ? undefined : (touches?.newestAtMost(previous) ?? previous);
  }
  return undefined;
}

function isWanted(
  reader: ObjectReader,
  { commit }: FoundCommit,
  previous: FoundCommit | undefined,
  { path, domain, transaction, grep }: LogFilter,
): boolean {
  const { trailers, message } = commit;
  if (domain !== undefined && trailers.domain !== domain) return false;
  if (transaction !== undefined && trailers.transaction !== transaction) return false;
  if (grep !== undefined && !grep.test(message)) return false;
  return path === undefined || isTouched(reader, { before: previous?.commit.tree, after: commit.tree }, path);
}

/**
 * Whether a node, or one below it, is not the same in two roots; `before` is undefined for none. As in Git, the commit that a
 * history begins with made all that it has, also where what was before it has been given up.
 */
function isTouched(
  reader: ObjectReader,
  { before, after }: { readonly before: Oid | undefined; readonly after: Oid },
  path: Path,
): boolean {
  if (before === after) return false;
  // The tree object of `/` has more than nodes: domains, quotas, and the perms of special paths.
  if (path === ROOT_PATH) return touchedNodes(reader, before, after).next().done !== true;
  const was = before === undefined ? undefined : readPath(reader, before, path);
  return !isSameNode(was, readPath(reader, after, path));
}

function isSameNode(left: RecordedNode | undefined, right: RecordedNode | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return left.oid === right.oid && (left.hasChildren || samePerms(left.perms, right.perms));
}
