/**
 * How long to wait before the next attempt.
 *
 * Owns the delays and the port through which they are waited for, so that tests and simulations wait in their own time and
 * with their own randomness. Delays are jittered over their whole range: clients that failed together must not meet again.
 */
import { setTimeout as delay } from "node:timers/promises";

/** The library's clock and randomness. */
export interface Pacing {
  /** Resolves after this time; rejects with the signal's reason when that is aborted before. */
  delay(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** A number from 0 up to, but not including, 1. */
  random(): number;
}

/** The machine's clock and randomness. */
export const machinePacing: Pacing = {
  async delay(milliseconds, signal) {
    try {
      await delay(milliseconds, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      // Node wraps the reason, and callers want to see their own.
      signal?.throwIfAborted();
      throw error;
    }
  },
  random: () => Math.random(),
};

/** The range of delays, in milliseconds: twice as long after each attempt, up to a limit. */
export interface BackoffRange {
  readonly firstMilliseconds: number;
  readonly mostMilliseconds: number;
}

/**
 * The delay after a failed attempt, in milliseconds.
 *
 * @param attempt - how many attempts have failed, from 1
 */
export function backoffMilliseconds(attempt: number, range: BackoffRange, random: () => number): number {
  // Above 2^30 the product says nothing more, and would grow to Infinity.
  const doubled = range.firstMilliseconds * 2 ** Math.min(attempt - 1, 30);
  return random() * Math.min(doubled, range.mostMilliseconds);
}
