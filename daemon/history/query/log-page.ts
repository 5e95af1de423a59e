/**
 * The log, page by page.
 *
 * Owns what bounds a page, by commits and by time, what an expression is looked for in, and the cursor that says where the
 * next one begins. The cursor names commits by their oids, so that all pages belong to the moment of the first.
 */
import { bytesFromText } from "../../../protocol/bytes.js";
import type { Domid, TxId } from "../../../protocol/identifiers.js";
import { LOG_PAGE_MAX, QueryError, type LogPage, type LogQuery } from "../../../protocol/http-api/history-queries.js";
import { compileExpression } from "../../../protocol/predicate/regular-expression.js";
import { hexFromOid, oidFromHex } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { summaryJson } from "./commit-json.js";
import { lineTo } from "./commit-line.js";
import { summarizeCommit } from "./commit-summary.js";
import type { HistoryView } from "./history.js";
import { exchangedError, nameOf } from "./line-range.js";
import { walkLog, type LogFilter, type LogRange } from "./log.js";
import { queriedPath } from "./queried-path.js";
import { beginningOf, commitOfCursor, PAGE_MILLISECONDS_MAX, type Question } from "./question.js";
import { resolveRevision } from "./resolve-revision.js";

/** Longest that one message is searched: it can have hundreds of lines, each with a path of 3,072 bytes. */
const MESSAGE_MILLISECONDS_MAX = 1_000;

const CURSOR = /^([0-9a-f]{40})\.\.([0-9a-f]{40})?$/;

/** Answers `log`. @throws QueryError, RevisionError, and what `walkLog` throws */
export function logPage(question: Question, query: LogQuery): LogPage {
  const { view, clock } = question;
  const { limit = LOG_PAGE_MAX } = query;
  const filter = filterOf(question, query);
  const range = rangeOf(question, query);
  const deadline = clock.monotonicMilliseconds() + PAGE_MILLISECONDS_MAX;
  const commits: FoundCommit[] = [];
  const walk = walkLog(view, range, filter, () => clock.monotonicMilliseconds() > deadline);
  let next: FoundCommit | undefined;
  for (;;) {
    const step = walk.next();
    if (step.done === true) {
      next = step.value;
      break;
    }
    if (commits.length === Math.min(limit, LOG_PAGE_MAX)) {
      next = step.value;
      break;
    }
    commits.push(step.value);
  }
  return {
    commits: commits.map((found) => ({
      ...summaryJson(summarizeCommit(found)),
      historyBegins: view.isCut(found) ? true : undefined,
    })),
    next: next && serializeCursor({ ...range, to: next }),
  };
}

function filterOf(question: Question, { path, domain, tx, grep }: LogQuery): LogFilter {
  return {
    path: path === undefined ? undefined : queriedPath(path),
    domain: domain as Domid | undefined,
    transaction: tx as TxId | undefined,
    grep: grep === undefined ? undefined : lineSearch(question, grep),
  };
}

/** Looks for an expression in each line of a message by itself, as `git log --grep` does. */
function lineSearch({ clock }: Question, grep: string): LogFilter["grep"] {
  const compiled = compileExpression(bytesFromText(grep));
  const shown = `--grep ${JSON.stringify(grep)}`;
  if (!compiled.ok) throw new QueryError(`${shown}: ${compiled.problem} One is 'WRITE .*/state'.`);
  const { expression } = compiled;
  return {
    test: (message) => {
      const deadline = clock.monotonicMilliseconds() + MESSAGE_MILLISECONDS_MAX;
      for (const line of message.split("\n")) {
        if (expression.test(line)) return true;
        if (clock.monotonicMilliseconds() > deadline) {
          throw new QueryError(`${shown} takes too long on a commit's message: make what it repeats shorter.`);
        }
      }
      return false;
    },
  };
}

function rangeOf(question: Question, { to = "HEAD", from, cursor }: LogQuery): LogRange {
  const { view, now, branch } = question;
  if (cursor === undefined) {
    const range = {
      to: resolveRevision(view, to, now, branch),
      from: from === undefined ? undefined : beginningOf(question, from),
    };
    refuseExchanged(view, range, { to, from });
    return range;
  }
  const [, at, oldest] = CURSOR.exec(cursor) ?? [];
  if (at === undefined) throw new QueryError(`${JSON.stringify(cursor)} is no cursor: give the "next" of a page`);
  return {
    to: commitOfCursor(question, oidFromHex(at)),
    from: oldest === undefined ? undefined : commitOfCursor(question, oidFromHex(oldest)),
  };
}

/** No commit is before one that it led to. @throws QueryError */
function refuseExchanged(
  view: HistoryView,
  { to, from }: LogRange,
  texts: { readonly to: string; readonly from: string | undefined },
): void {
  const [toSeq, fromSeq] = [to.commit.trailers.seq, from?.commit.trailers.seq];
  if (from === undefined || toSeq === undefined || fromSeq === undefined || fromSeq <= toSeq) return;
  if (lineTo(view, from).find(toSeq)?.oid !== to.oid) return;
  throw exchangedError(nameOf(texts.from, { seq: fromSeq }), nameOf(texts.to, { seq: toSeq }));
}

function serializeCursor({ to, from }: LogRange): string {
  return `${hexFromOid(to.oid)}..${from === undefined ? "" : hexFromOid(from.oid)}`;
}
