/**
 * Pages of nodes.
 *
 * Owns what bounds a page, by nodes and by time, and the cursor that says where the next one begins: the oids of the commits
 * that are asked about, so that all pages belong to the moment of the first, and the node that was looked at last.
 */
import { NODES_PAGE_MAX, QueryError } from "../../../protocol/http-api/history-queries.js";
import type { Domid, Path } from "../../../protocol/identifiers.js";
import { isAtOrBelow, parsePath } from "../../../protocol/path.js";
import { hexFromOid, oidFromHex } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { commitOfCursor, PAGE_MILLISECONDS_MAX, type Question } from "./question.js";

/** Where a page begins. */
export interface NodeCursor {
  readonly commits: readonly FoundCommit[];
  /** The node that was looked at last. */
  readonly behind: Path;
}

const CURSOR = /^([0-9a-f]{40}(?:\.\.[0-9a-f]{40})*):(\/.*)$/;

/** Writes a cursor. */
export function serializeNodeCursor({ commits, behind }: NodeCursor): string {
  return `${commits.map(({ oid }) => hexFromOid(oid)).join("..")}:${behind}`;
}

/**
 * Reads a cursor.
 *
 * @param count - how many commits it names
 * @param top - at or below which its node must be
 * @throws QueryError; what `HistoryView.commit` throws
 */
export function parseNodeCursor(
  question: Question,
  text: string,
  { count, top }: { readonly count: number; readonly top: Path },
): NodeCursor {
  const [, oids = "", path = ""] = CURSOR.exec(text) ?? [];
  const behind = parsePath(path, 0 as Domid);
  const commits = oids.split("..");
  if (behind === undefined || commits.length !== count || !isAtOrBelow(behind, top)) {
    throw new QueryError(`${JSON.stringify(text)} is no cursor of ${top}: give the "next" of a page`);
  }
  return { commits: commits.map((oid) => commitOfCursor(question, oidFromHex(oid))), behind };
}

/** What a page has of a walk. */
interface TakenPage<Node> {
  readonly found: readonly Node[];
  /** The last one that was looked at, where there may be more behind it. */
  readonly last: Node | undefined;
}

/**
 * What one page has of a walk: at least one node where there is one, unless most are unwanted.
 *
 * @param limit - at most so many
 * @param isWanted - all are unless given
 */
export function takePage<Node>(
  { clock }: Question,
  walk: Iterable<Node>,
  {
    limit = NODES_PAGE_MAX,
    isWanted,
  }: { readonly limit?: number | undefined; readonly isWanted?: ((node: Node) => boolean) | undefined },
): TakenPage<Node> {
  const deadline = clock.monotonicMilliseconds() + PAGE_MILLISECONDS_MAX;
  const most = Math.max(1, Math.min(limit, NODES_PAGE_MAX));
  const found: Node[] = [];
  for (const each of walk) {
    if (isWanted?.(each) ?? true) found.push(each);
    if (found.length === most || clock.monotonicMilliseconds() > deadline) return { found, last: each };
  }
  return { found, last: undefined };
}
