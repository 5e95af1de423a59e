/**
 * What the scheduling of contended transactions has done since the daemon began, as numbers.
 *
 * Owns the list of them; `server/turnstile.ts` counts, and CONTROL `memreport` tells them.
 */

/** Counts since the daemon began, but for `waiting`. */
export interface TurnCounters {
  /** Transactions that had their group's turn. */
  turns: number;
  /** STARTs that were held until it was their turn. */
  waits: number;
  /** STARTs that are held now. */
  waiting: number;
  /** STARTs that were let go on without a turn, because they had waited as long as any may. */
  waitsEnded: number;
  /** Turns that ended before their transactions did. */
  turnsLost: number;
  /** How long STARTs were held, all together. */
  waitedMilliseconds: number;
  /** The longest that one was held. */
  longestWaitMilliseconds: number;
}

/** The counters of a daemon that has just begun. */
export function noTurns(): TurnCounters {
  return {
    turns: 0,
    waits: 0,
    waiting: 0,
    waitsEnded: 0,
    turnsLost: 0,
    waitedMilliseconds: 0,
    longestWaitMilliseconds: 0,
  };
}
