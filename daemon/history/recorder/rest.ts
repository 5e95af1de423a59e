/**
 * When the recorder rests: while clients commit in a burst it leaves the processors to them.
 *
 * Owns the decision alone. Pure: seqs and the monotonic time come from outside. Recording a commit costs about as much
 * processor time as acknowledging it, and what is in the journal is not lost: in a burst the one is put off for the other's
 * sake, and made good for afterwards. (A low priority is not enough: the kernel gives a processor that is idle for
 * microseconds to the recorder, and whoever is woken there waits, or finds another's data in its cache.)
 *
 *   caught up ──burst──► resting ──it ends, or has lasted REST_MILLISECONDS──► catching up ──► caught up
 *                           ▲                                                      │
 *                           └────────a burst, within that time of the first────────┘
 *
 * Invariants
 *  1. No commit waits longer than `REST_MILLISECONDS` for the recorder's sake: that is counted from the oldest one that it has
 *     not recorded, so where a burst does not end it rests once.
 *  2. What an earlier life of the daemon left is recorded before there is a rest: lives that end soon leave no more than one.
 *  3. Nobody who asks for the history waits for a rest: the loop asks here only when nobody does.
 */

/** Commits per second from which on it is a burst; recording so many takes a twentieth to a tenth of a processor. */
const BURST_PER_SECOND = 5000;
export const REST_MILLISECONDS = 10_000;
/** The rate is that of so long a time, and who rests looks as often whether it still should. */
export const RATE_MILLISECONDS = 100;

/** Decides for one branch's recorder. */
export class Rest {
  #perSecond = 0;
  /** Where the clients were at the rate's last reckoning. */
  #marked: { readonly seq: number; readonly milliseconds: number } | undefined;
  /** The last commit published at the first look: up to there an earlier life may have left it. */
  #left: number | undefined;
  /** The last commit published at the last look. */
  #seen = 0;
  /** At the latest then the oldest commit was published that is not recorded. */
  #since: number | undefined;

  /**
   * Whether to leave what is published for later.
   *
   * @param publishedSeq - the last commit that may be recorded
   * @param recordedSeq - the last commit that is
   */
  isDue(publishedSeq: number, recordedSeq: number, nowMilliseconds: number): boolean {
    this.#reckon(publishedSeq, nowMilliseconds);
    this.#left ??= publishedSeq;
    if (this.#since === undefined || recordedSeq >= this.#seen) this.#since = nowMilliseconds;
    this.#seen = publishedSeq;
    if (recordedSeq >= publishedSeq || recordedSeq < this.#left) return false;
    return this.#perSecond >= BURST_PER_SECOND && nowMilliseconds - this.#since < REST_MILLISECONDS;
  }

  #reckon(seq: number, milliseconds: number): void {
    const marked = this.#marked;
    if (marked !== undefined) {
      const elapsed = milliseconds - marked.milliseconds;
      if (elapsed < RATE_MILLISECONDS) return;
      this.#perSecond = ((seq - marked.seq) * 1000) / elapsed;
    }
    this.#marked = { seq, milliseconds };
  }
}
