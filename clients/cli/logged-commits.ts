/**
 * The commits of a log, page after page.
 */
import type { CommitSummaryJson } from "../../protocol/http-api/commit.js";
import { LOG_PAGE_MAX, type HistoryQueries, type LogQuery } from "../../protocol/http-api/history-queries.js";

/** The commits that a question is about, newest first. @param count - at most so many */
export async function* loggedCommits(
  history: HistoryQueries,
  query: LogQuery,
  count: number,
): AsyncGenerator<CommitSummaryJson> {
  let told = 0;
  let cursor: string | undefined;
  do {
    const limit = Math.min(LOG_PAGE_MAX, count - told);
    const page = await history.ask("log", { ...query, limit, cursor });
    yield* page.commits;
    told += page.commits.length;
    cursor = page.next;
  } while (cursor !== undefined && told < count);
}
