/**
 * Blame: which commit made each node what it is.
 *
 * Owns the answer: for each node at or below a path, the last commit that changed the node itself (its value or perms), or made it.
 * A node that was removed and made again is of the commit that made it again.
 *
 * Where the index of paths reaches, a stretch of commits is one look-up for all nodes; elsewhere commits are compared, one after the
 * other, until every node has its own. Both find the same.
 */
import type { Path } from "../../../protocol/identifiers.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { DamagedPathIndexError } from "../repository/path-index-bytes.js";
import type { PathIndexPart } from "../repository/path-index.js";
import { pathsAtOrBelow } from "../repository/read-path.js";
import { touchedNodes } from "../repository/recorded-changes.js";
import { summarizeCommit, type CommitSummary } from "./commit-summary.js";
import type { HistoryView } from "./history.js";
import { PastSearch, type IndexedPast } from "./indexed-past.js";

/** A node and where it comes from. */
export interface BlamedNode {
  readonly path: Path;
  /**
   * Undefined where that is before the history, or the very commit with which a cut history begins: what that one changed
   * is not known any more. Nodes of one commit have one object.
   */
  readonly commit: CommitSummary | undefined;
}

/**
 * The nodes at or below a path as of a commit, in the order of `xs ls`, each with the commit that it comes from; empty when there
 * is no such node. The first commit of an uncut history made all that it has.
 *
 * @throws what `HistoryView.commit` and `readPath` throw
 */
export function blame(view: HistoryView, found: FoundCommit, path: Path): BlamedNode[] {
  // In the order of the index.
  const paths = [...pathsAtOrBelow(view.reader, found.commit.tree, path)].sort();
  const commits = new Map<Path, CommitSummary>();
  const left = new Set(paths);
  const search = new PastSearch(view);
  for (let at: FoundCommit | undefined = found; at !== undefined && left.size > 0;) {
    const past = search.at(at);
    const before: FoundCommit | undefined = past === undefined ? undefined : blameByIndex(past, at, { left, commits });
    at = before ?? blameCommit(view, at, { left, commits });
  }
  return inOrderOfWalk(paths).map((each) => ({ path: each, commit: commits.get(each) }));
}

/** A node before those below it, siblings by name: a slash goes before any character of a name, also before `-`. */
function inOrderOfWalk(paths: readonly Path[]): Path[] {
  const keys = paths.map((path) => ({ path, key: path.replaceAll("/", "\0") }));
  return keys.sort((left, right) => (left.key < right.key ? -1 : 1)).map(({ path }) => path);
}

/** Nodes without a commit yet, and the commits of the others. */
interface Progress {
  readonly left: Set<Path>;
  readonly commits: Map<Path, CommitSummary>;
}

/** Finds what `at` and those before it changed, as far as a part of the index tells; returns where that ends. */
function blameByIndex(past: IndexedPast, at: FoundCommit, { left, commits }: Progress): FoundCommit | undefined {
  const seq = at.commit.trailers.seq ?? 0;
  const part = past.partAt(seq);
  if (part === undefined) return undefined;
  const next = past.commitWithSeq(Math.max(part.first - 1, past.oldest));
  if (next === undefined) return undefined;
  const changes = newestChanges(part, [...left], seq);
  if (changes === undefined) return undefined;
  const summaries = new Map<number, CommitSummary | undefined>();
  for (const [path, changed] of changes) {
    if (changed <= past.oldest) continue;
    if (!summaries.has(changed)) {
      const commit = past.commitWithSeq(changed);
      summaries.set(changed, commit === undefined ? undefined : summarizeCommit(commit));
    }
    const summary = summaries.get(changed);
    // The commits are gone through, then.
    if (summary === undefined) return undefined;
    commits.set(path, summary);
    left.delete(path);
  }
  return next;
}

/** Undefined when the part is damaged. */
function newestChanges(part: PathIndexPart, paths: readonly Path[], seq: number): Map<Path, number> | undefined {
  const changes = new Map<Path, number>();
  try {
    part.newestChanges(paths, seq, (path, changed) => changes.set(path, changed));
    return changes;
  } catch (error) {
    if (error instanceof DamagedPathIndexError) return undefined;
    throw error;
  }
}

/** Finds what one commit changed; returns the one before. */
function blameCommit(view: HistoryView, at: FoundCommit, { left, commits }: Progress): FoundCommit | undefined {
  const previous = view.previous(at);
  const summary = summarizeCommit(at);
  if (previous === undefined) {
    if (!view.isCut(at)) for (const path of left) commits.set(path, summary);
    return undefined;
  }
  for (const { path } of touchedNodes(view.reader, previous.commit.tree, at.commit.tree)) {
    if (left.delete(path)) commits.set(path, summary);
  }
  return previous;
}
