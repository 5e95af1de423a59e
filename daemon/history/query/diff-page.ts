/**
 * What leads from one recorded state to another, page by page.
 */
import { QueryError, type DiffPage, type DiffQuery } from "../../../protocol/http-api/history-queries.js";
import { ROOT_PATH } from "../../../protocol/path.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { absence } from "./absent-node.js";
import { changeJson, summaryJson } from "./commit-json.js";
import { summarizeCommit } from "./commit-summary.js";
import { parseNodeCursor, serializeNodeCursor, takePage } from "./node-page.js";
import { queriedPath } from "./queried-path.js";
import type { Question } from "./question.js";
import { changesBesideNodes } from "../repository/recorded-changes.js";
import { nodeAt, readDirectory } from "../repository/recorded-directory.js";
import { walkDifferences } from "../repository/recorded-walk.js";
import { resolveRevision } from "./resolve-revision.js";

/** Answers `diff`. @throws QueryError, RevisionError, and what `walkDifferences` throws */
export function diffPage(question: Question, { from, to, path = ROOT_PATH, limit, cursor }: DiffQuery): DiffPage {
  const { view, now, branch } = question;
  const { reader } = view;
  const top = queriedPath(path);
  const resume = cursor === undefined ? undefined : parseNodeCursor(question, cursor, { count: 2, top });
  const commits = resume?.commits ?? [from, to].map((text) => resolveRevision(view, text, now, branch));
  const [old, current] = commits as [FoundCommit, FoundCommit];
  const before = nodeAt(reader, old.commit.tree, top);
  const after = nodeAt(reader, current.commit.tree, top);
  if (before === undefined && after === undefined) {
    const newer = (old.commit.trailers.seq ?? 0) > (current.commit.trailers.seq ?? 0) ? old : current;
    const why = absence(question, newer, top);
    throw new QueryError(`there is no node ${path}, neither at ${from} nor at ${to}: ${why}`);
  }
  const walk = walkDifferences(reader, { path: top, before, after }, { listsRemoved: true, behind: resume?.behind });
  const { found, last } = takePage(question, walk, { limit });
  const isAll = last === undefined && top === ROOT_PATH;
  const beside = isAll
    ? changesBesideNodes(reader, readDirectory(reader, old.commit.tree), readDirectory(reader, current.commit.tree))
    : [];
  return {
    from: summaryJson(summarizeCommit(old)),
    to: summaryJson(summarizeCommit(current)),
    changes: [...found, ...beside].map(changeJson),
    next: last && serializeNodeCursor({ commits, behind: last.path }),
  };
}
