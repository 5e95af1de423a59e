/**
 * At which commits of a walk to look whether an index has them.
 *
 * Owns the measure: a walk comes from commits that no index has to those that one has, nobody knows where, and to look costs about
 * as much as to go on. So it looks at the first ones, then twice as far on each time, and at last at every 64th: where a few commits
 * are in no index, few are walked too much, and where none ever is, hardly anything is lost.
 */

const COMMITS_BETWEEN_MAX = 64;

/** The looks of one walk. */
export class LookSchedule {
  #passed = 0;
  #next = 0;

  /** Whether to look at this commit; to be asked at each. */
  isDue(): boolean {
    const isDue = this.#passed === this.#next;
    if (isDue) this.#next += Math.min(Math.max(this.#next, 1), COMMITS_BETWEEN_MAX);
    this.#passed++;
    return isDue;
  }
}
