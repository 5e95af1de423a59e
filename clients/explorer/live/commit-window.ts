/**
 * The last commits of a stream.
 *
 * Owns how many are kept and how fast they come; without a browser, so that it can be tested.
 */
import type { CommitEvent } from "../../../protocol/http-api/events.js";

/** So many are kept. */
export const COMMITS_KEPT = 5000;
/** Over so long a rate is told. */
const RATE_MILLISECONDS = 2000;

/** The last commits, newest first. */
export class CommitWindow {
  #commits: CommitEvent[] = [];
  #arrivals: { readonly at: number; readonly count: number }[] = [];
  #count = 0;

  /** How many came in all. */
  get count(): number {
    return this.#count;
  }

  /** How many are kept. */
  get length(): number {
    return this.#commits.length;
  }

  /** The commit so many before the newest. */
  at(index: number): CommitEvent | undefined {
    return this.#commits.at(-1 - index);
  }

  /** Takes commits, in order. @param now - in milliseconds */
  push(commits: readonly CommitEvent[], now: number): void {
    this.#count += commits.length;
    this.#arrivals.push({ at: now, count: commits.length });
    this.#commits.push(...commits);
    // Twice as many before anything is thrown away: else each commit would move all others.
    if (this.#commits.length > 2 * COMMITS_KEPT) this.#commits = this.#commits.slice(-COMMITS_KEPT);
  }

  /** How many come in a second. @param now - in milliseconds */
  rate(now: number): number {
    this.#arrivals = this.#arrivals.filter(({ at }) => at > now - RATE_MILLISECONDS);
    const count = this.#arrivals.reduce((sum, each) => sum + each.count, 0);
    return (count * 1000) / RATE_MILLISECONDS;
  }

  /** Forgets all. */
  clear(): void {
    this.#commits = [];
    this.#arrivals = [];
    this.#count = 0;
  }
}
