/**
 * What went on between two commits, page by page: each commit with what was asked and what changed, oldest first.
 *
 * Owns what bounds a page, by commits and by time, how much is told of each, and the cursor that says where the next page begins: the number
 * of its first commit, and the newest commit by its oid, so that all pages belong to the moment of the first.
 */
import { textFromBytes, textStart, type ByteString } from "../../../protocol/bytes.js";
import { escapeValue } from "../../../protocol/escape.js";
import {
  ACTIVITY_CHANGES_MAX,
  ACTIVITY_PAGE_MAX,
  ACTIVITY_VALUE_MAX,
  type ActivityChange,
  type ActivityCommit,
  type ActivityPage,
  type ActivityQuery,
} from "../../../protocol/http-api/activity.js";
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import { valueJson } from "../../../protocol/http-api/value.js";
import { hexFromOid, oidFromHex } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { nodeChanges } from "../repository/recorded-changes.js";
import { summaryJson } from "./commit-json.js";
import { lineTo } from "./commit-line.js";
import { summarizeCommit } from "./commit-summary.js";
import type { HistoryView } from "./history.js";
import { commitWithin, numbered, resolveRange, type LineRange } from "./line-range.js";
import { commitOfCursor, PAGE_MILLISECONDS_MAX, type Question } from "./question.js";

const CURSOR = /^([1-9][0-9]{0,15})\.\.([0-9a-f]{40})$/;

/** Answers `activity`. @throws QueryError, RevisionError, and what `HistoryView.commit` and `nodeChanges` throw */
export function activityPage(question: Question, query: ActivityQuery): ActivityPage {
  const { view, clock } = question;
  const { limit = ACTIVITY_PAGE_MAX, cursor } = query;
  const range = cursor === undefined ? resolveRange(question, query) : rangeOfCursor(question, cursor);
  const { from, to } = range;
  const deadline = clock.monotonicMilliseconds() + PAGE_MILLISECONDS_MAX;
  const most = Math.max(1, Math.min(limit, ACTIVITY_PAGE_MAX));
  const commits: ActivityCommit[] = [];
  let before = view.previous(from.found);
  let at = from.found;
  for (let seq = from.seq; ;) {
    commits.push(activityOf(view, at, before));
    if (seq === to.seq) return { commits };
    seq++;
    if (commits.length === most || clock.monotonicMilliseconds() > deadline) {
      return { commits, next: `${String(seq)}..${hexFromOid(to.found.oid)}` };
    }
    before = at;
    at = commitWithin(range, seq);
  }
}

function rangeOfCursor(question: Question, cursor: string): LineRange {
  const [, digits, oid] = CURSOR.exec(cursor) ?? [];
  if (digits === undefined || oid === undefined) {
    throw new QueryError(`${JSON.stringify(cursor)} is no cursor: give the "next" of a page`);
  }
  const to = numbered(commitOfCursor(question, oidFromHex(oid)));
  const line = lineTo(question.view, to.found);
  const seq = Number(digits);
  const found = line.find(seq);
  if (found !== undefined) return { from: { found, seq }, to, line };
  throw new QueryError(`the cursor's commit ${digits} is not in this history any more: begin anew`);
}

/** @param before - the commit before it on its branch; undefined where there is none, or it has been given up */
function activityOf(view: HistoryView, found: FoundCommit, before: FoundCommit | undefined): ActivityCommit {
  const { body, trailers } = found.commit;
  const changes: ActivityChange[] = [];
  let hasMore = false;
  // What the first one that is left changed is not known.
  if (!view.isCut(found)) {
    for (const change of nodeChanges(view.reader, before?.commit.tree, found.commit.tree)) {
      hasMore = changes.length === ACTIVITY_CHANGES_MAX;
      if (hasMore) break;
      changes.push({
        path: textFromBytes(change.path),
        before: change.before && shownValue(change.before.value),
        after: change.after && shownValue(change.after.value),
      });
    }
  }
  return {
    ...summaryJson(summarizeCommit(found)),
    base: trailers.base,
    requests: body === "" ? [] : body.split("\n", ACTIVITY_CHANGES_MAX).map(textFromBytes),
    changes,
    hasMore: hasMore ? true : undefined,
  };
}

/** The beginning of a value: as text where it is text, else as the xenstore-* tools show it. */
function shownValue(value: ByteString): string {
  const json = valueJson(value);
  return textStart("value" in json ? json.value : escapeValue(value), ACTIVITY_VALUE_MAX);
}
