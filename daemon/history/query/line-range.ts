/**
 * A stretch of a branch between two revisions.
 *
 * Owns what makes two revisions one: both are commits of the daemon, with numbers, and the newer one came from the older. What is wrong
 * is said with what would be right.
 */
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import { shortOid } from "../../../protocol/short-oid.js";
import { hexFromOid } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { lineTo, partingOf, type CommitLine } from "./commit-line.js";
import type { HistoryView } from "./history.js";
import { beginningOf, type Question } from "./question.js";
import { resolveRevision } from "./resolve-revision.js";

/** A commit with its number. */
export interface NumberedCommit {
  readonly found: FoundCommit;
  readonly seq: number;
}

/** The commits from one to another, both included. */
export interface LineRange {
  readonly from: NumberedCommit;
  readonly to: NumberedCommit;
  /** The line of `to`, by whose numbers the commits are found. */
  readonly line: CommitLine;
}

/** The revisions that were given. */
export interface RangeRevisions {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/**
 * Finds the two; without `to` it is HEAD, without `from`, or with a time before the history, the oldest commit that is left.
 *
 * @throws QueryError, RevisionError, and what `HistoryView.commit` throws
 */
export function resolveRange(question: Question, { from: fromText, to: toText = "HEAD" }: RangeRevisions): LineRange {
  const { view, now, branch } = question;
  const to = numbered(resolveRevision(view, toText, now, branch));
  const line = lineTo(view, to.found);
  const beginning = fromText === undefined ? undefined : beginningOf(question, fromText);
  const from = numbered(beginning ?? line.oldest());
  if (line.find(from.seq)?.oid === from.found.oid) return { from, to, line };
  const [fromName, toName] = [nameOf(fromText, from), nameOf(toText, to)];
  const fromLine = lineTo(view, from.found);
  if (fromLine.find(to.seq)?.oid === to.found.oid) throw exchangedError(fromName, toName);
  throw apartError(view, { role: "from", name: fromName, seq: from.seq }, { role: "to", name: toName, seq: to.seq }, [
    fromLine,
    line,
  ]);
}

/** The newer commit was given as the older one. */
export function exchangedError(fromName: string, toName: string): QueryError {
  return new QueryError(`from, ${fromName}, is later than to, ${toName}: from is the older one, so exchange them`);
}

/** One of two commits, as somebody named it for what it was to be. */
interface NamedEnd {
  readonly role: string;
  readonly name: string;
  readonly seq: number;
}

/** Two commits are not of one line; `lines` are the older one's and the newer one's. @throws what `HistoryView.commit` throws */
export function apartError(
  view: HistoryView,
  older: NamedEnd,
  newer: NamedEnd,
  [olderLine, newerLine]: readonly [CommitLine, CommitLine],
): QueryError {
  const beginning = newerLine.oldest();
  const { seq: first = 0 } = beginning.commit.trailers;
  if (older.seq < first && view.isCut(beginning)) {
    return new QueryError(
      `${older.role}, ${older.name}, is from before @{${String(first)}}, where the history of ${newer.role} begins, and what was ` +
        `between them has been given up: name @{${String(first)}} or a later one`,
    );
  }
  const parting = partingOf(olderLine, newerLine, Math.min(older.seq, newer.seq));
  const hint = parting === undefined ? "they have no commit in common" : `they part after @{${String(parting)}}`;
  return new QueryError(
    `${older.role}, ${older.name}, is none of the commits that led to ${newer.role}, ${newer.name}: ${hint}`,
  );
}

/** A commit between the two. @throws QueryError where it has been given up meanwhile; what `HistoryView.commit` throws */
export function commitWithin({ line }: LineRange, seq: number): FoundCommit {
  const found = line.find(seq);
  if (found !== undefined) return found;
  throw new QueryError(`commit @{${String(seq)}} is not in this history any more: ask again`);
}

/** A commit as one of a line. @throws QueryError where it has no number */
export function numbered(found: FoundCommit): NumberedCommit {
  const { seq } = found.commit.trailers;
  if (seq !== undefined) return { found, seq };
  const oid = shortOid(hexFromOid(found.oid));
  throw new QueryError(`${oid} is a commit that the daemon did not make: it has no number; name one such as @{17}`);
}

/** `main~3 (@{17})`, or `@{17}` where it was named so, or not at all. */
export function nameOf(text: string | undefined, { seq }: Pick<NumberedCommit, "seq">): string {
  const number = `@{${String(seq)}}`;
  return text === undefined || text === number ? number : `${text} (${number})`;
}
