/**
 * Blame, as an answer.
 *
 * Owns its shape: a storm's commits have many nodes each, so each commit stands once.
 */
import { textFromBytes } from "../../../protocol/bytes.js";
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import { QueryError, type BlameAnswer, type BlameQuery } from "../../../protocol/http-api/history-queries.js";
import { absence } from "./absent-node.js";
import { blame } from "./blame.js";
import { summaryJson } from "./commit-json.js";
import { summarizeCommit, type CommitSummary } from "./commit-summary.js";
import { queriedPath } from "./queried-path.js";
import type { Question } from "./question.js";
import { resolveRevision } from "./resolve-revision.js";

/** Answers `blame`. @throws QueryError, RevisionError, and what `blame` throws */
export function blameAnswer(question: Question, { path: text, at = "HEAD" }: BlameQuery): BlameAnswer {
  const { view, now, branch } = question;
  const found = resolveRevision(view, at, now, branch);
  const path = queriedPath(text);
  const blamed = blame(view, found, path);
  if (blamed.length === 0) {
    throw new QueryError(`there is no node ${text} at ${at}: ${absence(question, found, path)}`);
  }
  const commits: CommitSummaryJson[] = [];
  const places = new Map<CommitSummary, number>();
  const nodes = blamed.map(({ path: each, commit }) => {
    let place = commit && places.get(commit);
    if (commit !== undefined && place === undefined) {
      place = commits.length;
      places.set(commit, place);
      commits.push(summaryJson(commit));
    }
    return { path: textFromBytes(each), commit: place };
  });
  return { commit: summaryJson(summarizeCommit(found)), commits, nodes };
}
