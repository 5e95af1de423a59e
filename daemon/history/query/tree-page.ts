/**
 * The nodes of a recorded state, one or page by page. Everything is readable: that is dom0's view.
 */
import { bytesFromText, textFromBytes } from "../../../protocol/bytes.js";
import type { NodeJson } from "../../../protocol/http-api/commit.js";
import type {
  ChildrenPage,
  ChildrenQuery,
  NodeAnswer,
  NodeQuery,
  TreePage,
  TreeQuery,
} from "../../../protocol/http-api/history-queries.js";
import type { Path } from "../../../protocol/identifiers.js";
import { childPath, ROOT_PATH } from "../../../protocol/path.js";
import type { ObjectReader } from "../repository/object-reader.js";
import { readPath } from "../repository/read-path.js";
import { absence } from "./absent-node.js";
import { stateJson, summaryJson } from "./commit-json.js";
import { summarizeCommit } from "./commit-summary.js";
import { parseNodeCursor, serializeNodeCursor, takePage } from "./node-page.js";
import { queriedPath } from "./queried-path.js";
import type { Question } from "./question.js";
import { childOf, namesOf, nodeAt, readState, type DirectoryNode } from "../repository/recorded-directory.js";
import { walkDifferences, type NodeChange } from "../repository/recorded-walk.js";
import { resolveRevision } from "./resolve-revision.js";
import { searchFor } from "./text-search.js";

/** Answers `tree`. @throws QueryError, RevisionError, and what `walkDifferences` throws */
export function treePage(
  question: Question,
  { at = "HEAD", path = ROOT_PATH, text, limit, cursor }: TreeQuery,
): TreePage {
  const { view, now, branch } = question;
  const top = queriedPath(path);
  const resume = cursor === undefined ? undefined : parseNodeCursor(question, cursor, { count: 1, top });
  const found = resume?.commits[0] ?? resolveRevision(view, at, now, branch);
  const commit = summaryJson(summarizeCommit(found));
  const after = nodeAt(view.reader, found.commit.tree, top);
  if (after === undefined) return { commit, absence: absence(question, found, top) };
  const walk = walkDifferences(view.reader, { path: top, before: undefined, after }, { behind: resume?.behind ?? top });
  const page = takePage(question, walk, { limit, isWanted: text === undefined ? undefined : nodesWith(text) });
  return {
    commit,
    nodes: page.found.flatMap((node): NodeJson[] =>
      node.after === undefined ? [] : [{ path: textFromBytes(node.path), ...stateJson(node.after) }],
    ),
    next: page.last && serializeNodeCursor({ commits: [found], behind: page.last.path }),
  };
}

/** Tells the nodes that have a text in their path or value. */
function nodesWith(text: string): (node: NodeChange) => boolean {
  const hasText = searchFor(bytesFromText(text));
  return ({ path, after }) => hasText(path) || (after !== undefined && hasText(after.value));
}

/** Answers `children`. @throws QueryError, RevisionError, and what `nodeAt` throws */
export function childrenPage(
  question: Question,
  { at = "HEAD", path = ROOT_PATH, limit, cursor }: ChildrenQuery,
): ChildrenPage {
  const { view, now, branch } = question;
  const { reader } = view;
  const top = queriedPath(path);
  const resume = cursor === undefined ? undefined : parseNodeCursor(question, cursor, { count: 1, top });
  const found = resume?.commits[0] ?? resolveRevision(view, at, now, branch);
  const commit = summaryJson(summarizeCommit(found));
  const node = nodeAt(reader, found.commit.tree, top)?.node();
  if (node === undefined) return { commit };
  const page = takePage(question, childrenOf(reader, node, top, resume?.behind ?? top), { limit });
  return {
    commit,
    node: { path: textFromBytes(top), ...stateJson(readState(reader, node)) },
    children: page.found.map((child) => ({
      name: textFromBytes(child.name),
      ...stateJson(readState(reader, child.node)),
      hasChildren: child.node.directory !== undefined,
    })),
    next: page.last && serializeNodeCursor({ commits: [found], behind: page.last.path }),
  };
}

interface FoundChild {
  readonly name: string;
  readonly path: Path;
  readonly node: DirectoryNode;
}

/** By name; those behind a path. */
function* childrenOf(
  reader: ObjectReader,
  { directory }: DirectoryNode,
  top: Path,
  behind: Path,
): Generator<FoundChild> {
  const paths = Array.from(namesOf(directory), (name) => ({ name, path: childPath(top, name) }));
  for (const { name, path } of paths.sort((left, right) => (left.path < right.path ? -1 : 1))) {
    const node = path > behind ? childOf(reader, directory, name)?.node() : undefined;
    if (node !== undefined) yield { name, path, node };
  }
}

/** Answers `node`. @throws QueryError, RevisionError, and what `readPath` throws */
export function nodeAnswer(question: Question, { at = "HEAD", path }: NodeQuery): NodeAnswer {
  const { view, now, branch } = question;
  const asked = queriedPath(path);
  const found = resolveRevision(view, at, now, branch);
  const node = readPath(view.reader, found.commit.tree, asked);
  const commit = summaryJson(summarizeCommit(found));
  if (node === undefined) return { commit, absence: absence(question, found, asked) };
  return { commit, node: { path: textFromBytes(asked), ...stateJson(node) } };
}
