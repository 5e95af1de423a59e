/**
 * A log that goes on.
 *
 * Owns which commits are new, each of which is given once, oldest first, and what becomes of those that a compaction dropped before somebody
 * came to ask for them: that there were some is told, and the log goes on with the oldest that is left.
 */
import type { CommitSummaryJson } from "../../protocol/http-api/commit.js";
import { QueryError, type HistoryQueries, type LogQuery } from "../../protocol/http-api/history-queries.js";
import { loggedCommits } from "./logged-commits.js";

/** Which commits are wanted. */
export type FollowedQuery = Pick<LogQuery, "path" | "domain" | "tx" | "grep">;

/** What a look at the history came to. */
export interface NewCommits {
  /** Oldest first. */
  readonly commits: readonly CommitSummaryJson[];
  /** Where commits were given up that nobody had seen: the last one before them. */
  readonly lostAfter?: CommitSummaryJson | undefined;
  /** Whether it was the first look that found a history. */
  readonly isFirst: boolean;
}

const NOTHING_NEW: NewCommits = { commits: [], isFirst: false };

/** Where the commit after the last one is. */
type Joint = "last is there" | "next is there" | "lost";

/** Looks for new commits. */
export class FollowedLog {
  readonly #history: HistoryQueries;
  readonly #query: FollowedQuery;
  readonly #first: number;
  /** The newest commit at the last look; undefined before the first one, or as long as nothing is recorded. */
  #last: CommitSummaryJson | undefined;
  #wasRefused = false;

  /** @param first - the first look gives so many, at most */
  constructor(history: HistoryQueries, query: FollowedQuery, first: number) {
    this.#history = history;
    this.#query = query;
    this.#first = first;
  }

  /** Whether there was a look that found a history. */
  get hasBegun(): boolean {
    return this.#last !== undefined;
  }

  /**
   * The commits that came since the last look; what it fails with changes nothing.
   *
   * @throws QueryError; what `HistoryQueries.ask` rejects with
   */
  async news(): Promise<NewCommits> {
    try {
      const news = await this.#look();
      this.#wasRefused = false;
      return news;
    } catch (error) {
      // What was there a moment ago may be dropped between two questions: the next look sees that.
      if (!(error instanceof QueryError) || this.#last === undefined || this.#wasRefused) throw error;
      this.#wasRefused = true;
      return NOTHING_NEW;
    }
  }

  async #look(): Promise<NewCommits> {
    const last = this.#last;
    const [to] = (await this.#history.ask("log", { limit: 1 })).commits;
    if (to === undefined || to.oid === last?.oid) return NOTHING_NEW;
    const joint = last === undefined ? undefined : await this.#jointAt(last, to);
    const query = { ...this.#query, to: to.oid, from: joint === "last is there" ? last?.oid : undefined };
    const commits: CommitSummaryJson[] = [];
    for await (const commit of loggedCommits(this.#history, query, last === undefined ? this.#first : Infinity)) {
      if (commit.oid !== last?.oid) commits.push(commit);
    }
    this.#last = to;
    return {
      commits: commits.reverse(),
      lostAfter: joint === "lost" ? last : undefined,
      isFirst: last === undefined,
    };
  }

  async #jointAt(last: CommitSummaryJson, to: CommitSummaryJson): Promise<Joint> {
    // Somebody else's commits have no numbers, and are not compacted.
    if (last.seq === undefined || to.seq === undefined || to.seq <= last.seq) return "last is there";
    if (await this.#isThere(`${to.oid}~${String(to.seq - last.seq)}`)) return "last is there";
    return (await this.#isThere(`${to.oid}~${String(to.seq - last.seq - 1)}`)) ? "next is there" : "lost";
  }

  async #isThere(revision: string): Promise<boolean> {
    try {
      await this.#history.ask("log", { to: revision, limit: 1 });
      return true;
    } catch (error) {
      if (error instanceof QueryError) return false;
      throw error;
    }
  }
}
