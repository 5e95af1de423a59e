/**
 * The two commits that a bisection begins with.
 *
 * Owns what makes them fit for it: both are the daemon's, the good one is the older, and the bad one came from it. What is wrong
 * is said with what would be right.
 */
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import { shortOid } from "../../../protocol/short-oid.js";
import { hexFromOid } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { lineTo, type CommitLine } from "./commit-line.js";
import { apartError, nameOf } from "./line-range.js";
import { beginningOf, type Question } from "./question.js";
import { resolveRevision } from "./resolve-revision.js";

/** One of the two, as somebody named it. */
export interface BisectEnd {
  /** `main~3 (@{17})`, or `@{17}` where it was named so. */
  readonly name: string;
  readonly found: FoundCommit;
  readonly seq: number;
}

/** What to search. */
export interface BisectRange {
  readonly good: BisectEnd;
  readonly bad: BisectEnd;
  /** From before the good one to the bad one. */
  readonly line: CommitLine;
}

/** The revisions that were given. */
export interface BisectRevisions {
  readonly good?: string | undefined;
  readonly bad?: string | undefined;
}

/** A commit of a line as an end. @throws RangeError where it has none of that number */
export function endAt(line: CommitLine, seq: number): BisectEnd {
  const found = line.find(seq);
  if (found === undefined) throw new RangeError(`there is no commit @{${String(seq)}} on this line`);
  return endOf(undefined, found);
}

/**
 * Finds the two; without a good one the first commit of the branch is meant, without a bad one HEAD.
 *
 * @throws QueryError, RevisionError, and what `HistoryView.commit` throws
 */
export function resolveEnds(question: Question, revisions: BisectRevisions): BisectRange {
  const { view, now, branch } = question;
  const badText = revisions.bad ?? "HEAD";
  const bad = endOf(badText, resolveRevision(view, badText, now, branch));
  const line = lineTo(view, bad.found);
  const found = revisions.good === undefined ? undefined : beginningOf(question, revisions.good);
  // A time before the history means its first commit, as does nothing.
  const good = found === undefined ? endOf(undefined, line.oldest()) : endOf(revisions.good, found);
  if (good.found.oid === bad.found.oid) {
    throw new QueryError(`good and bad are the same commit, ${bad.name}: there is nothing between them`);
  }
  if (line.find(good.seq)?.oid === good.found.oid) return { good, bad, line };
  const goodLine = lineTo(view, good.found);
  if (goodLine.find(bad.seq)?.oid === bad.found.oid) {
    throw new QueryError(
      `good, ${good.name}, is later than bad, ${bad.name}: good is the older one; to find what ended something, ` +
        "exchange them and write not (…) for the predicate",
    );
  }
  throw apartError(view, { role: "good", ...good }, { role: "bad", ...bad }, [goodLine, line]);
}

function endOf(text: string | undefined, found: FoundCommit): BisectEnd {
  const { seq } = found.commit.trailers;
  if (seq === undefined) {
    const oid = shortOid(hexFromOid(found.oid));
    throw new QueryError(
      `${text ?? oid} is a commit that the daemon did not make: it has no number; use git bisect there`,
    );
  }
  return { name: nameOf(text, { seq }), found, seq };
}
