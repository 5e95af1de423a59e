import { describe, expect, test } from "vitest";
import { FollowedLog, type NewCommits } from "../../../../clients/cli/followed-log.js";
import type { CommitSummaryJson } from "../../../../protocol/http-api/commit.js";
import { QueryError, type HistoryQueries, type LogQuery } from "../../../../protocol/http-api/history-queries.js";

/** A history whose commits are numbered, from `oldest` to `newest`; both may be changed at any time. */
class NumberedHistory implements HistoryQueries {
  oldest = 1;
  newest = 3;

  readonly ask: HistoryQueries["ask"] = async (_question: string, { to = "HEAD", from, limit = 1000 }: LogQuery) => {
    const last = this.#resolve(to);
    const first = from === undefined ? this.oldest : this.#resolve(from);
    const seqs = Array.from({ length: last - first + 1 }, (_, index) => last - index).slice(0, limit);
    return { commits: seqs.map((seq): CommitSummaryJson => ({ oid: `c${String(seq)}`, seq, subject: "" })) };
  };

  #resolve(revision: string): number {
    const [, name, back = "0"] = /^c([0-9]+)(?:~([0-9]+))?$/.exec(revision) ?? [];
    const seq = name === undefined ? this.newest : Number(name) - Number(back);
    if (seq < this.oldest || seq > this.newest) throw new QueryError(`there is no commit ${revision}`);
    return seq;
  }
}

function shown({ commits, lostAfter }: NewCommits): unknown {
  const seqs = commits.map(({ seq }) => seq);
  return lostAfter === undefined ? seqs : [seqs, "after", lostAfter.seq];
}

describe("FollowedLog", () => {
  test("gives the last commits, and then each new one once, oldest first", async () => {
    const history = new NumberedHistory();
    const log = new FollowedLog(history, {}, 2);
    expect(shown(await log.news())).toEqual([2, 3]);
    expect(shown(await log.news())).toEqual([]);
    history.newest = 5;
    expect(shown(await log.news())).toEqual([4, 5]);
  });

  test("goes on with the oldest that is left where a compaction dropped what nobody had seen, and tells that", async () => {
    const history = new NumberedHistory();
    const log = new FollowedLog(history, {}, 2);
    await log.news();
    history.newest = 9;
    history.oldest = 7;
    expect(shown(await log.news())).toEqual([[7, 8, 9], "after", 3]);
    expect(shown(await log.news())).toEqual([]);
  });

  test("lost nothing where what was dropped had been seen", async () => {
    const history = new NumberedHistory();
    const log = new FollowedLog(history, {}, 2);
    await log.news();
    history.newest = 5;
    history.oldest = 4;
    expect(shown(await log.news())).toEqual([4, 5]);
  });

  test("looks again where a commit is dropped between two questions, and ends where it is refused again", async () => {
    const history = new NumberedHistory();
    let refusals = 0;
    const refusing: HistoryQueries = {
      ask: async (question, query) => {
        if ("from" in query && query.from !== undefined && refusals-- > 0) throw new QueryError("no object begins so");
        return history.ask(question, query);
      },
    };
    const log = new FollowedLog(refusing, {}, 2);
    await log.news();
    history.newest = 5;
    refusals = 1;
    expect(shown(await log.news())).toEqual([]);
    expect(shown(await log.news())).toEqual([4, 5]);
    history.newest = 6;
    refusals = 2;
    expect(shown(await log.news())).toEqual([]);
    await expect(log.news()).rejects.toThrow("no object begins so");
  });
});
