/**
 * The nodes of a recorded state, one or page by page. Everything is readable: that is dom0's view.
 */
import { textFromBytes } from "../../../protocol/bytes.js";
import type { NodeJson } from "../../../protocol/http-api/commit.js";
import type { NodeAnswer, NodeQuery, TreePage, TreeQuery } from "../../../protocol/http-api/history-queries.js";
import { ROOT_PATH } from "../../../protocol/path.js";
import { readPath } from "../repository/read-path.js";
import { stateJson, summaryJson } from "./commit-json.js";
import { summarizeCommit } from "./commit-summary.js";
import { parseNodeCursor, serializeNodeCursor, takePage } from "./node-page.js";
import { queriedPath } from "./queried-path.js";
import type { Question } from "./question.js";
import { nodeAt } from "../repository/recorded-directory.js";
import { walkDifferences } from "../repository/recorded-walk.js";
import { resolveRevision } from "./resolve-revision.js";

/** Answers `tree`. @throws QueryError, RevisionError, and what `walkDifferences` throws */
export function treePage(question: Question, { at = "HEAD", path = ROOT_PATH, limit, cursor }: TreeQuery): TreePage {
  const { view, now } = question;
  const top = queriedPath(path);
  const resume = cursor === undefined ? undefined : parseNodeCursor(question, cursor, { count: 1, top });
  const found = resume?.commits[0] ?? resolveRevision(view, at, now);
  const commit = summaryJson(summarizeCommit(found));
  const after = nodeAt(view.reader, found.commit.tree, top);
  if (after === undefined) return { commit };
  const walk = walkDifferences(view.reader, { path: top, before: undefined, after }, { behind: resume?.behind ?? top });
  const page = takePage(question, walk, limit);
  const last = page.found.at(-1);
  return {
    commit,
    nodes: page.found.flatMap((node): NodeJson[] =>
      node.after === undefined ? [] : [{ path: textFromBytes(node.path), ...stateJson(node.after) }],
    ),
    next: page.isLast || last === undefined ? undefined : serializeNodeCursor({ commits: [found], behind: last.path }),
  };
}

/** Answers `node`. @throws QueryError, RevisionError, and what `readPath` throws */
export function nodeAnswer({ view, now }: Question, { at = "HEAD", path }: NodeQuery): NodeAnswer {
  const asked = queriedPath(path);
  const found = resolveRevision(view, at, now);
  const node = readPath(view.reader, found.commit.tree, asked);
  return {
    commit: summaryJson(summarizeCommit(found)),
    node: node && { path: textFromBytes(asked), ...stateJson(node) },
  };
}
