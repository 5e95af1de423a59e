/**
 * A limit to how long a promise is waited for, in the machine's time or in a world's.
 *
 * Owns the race between the promise and a delay, and what is left of it: no timer, and no rejection that nobody handles. What
 * the promise stands for goes on when the time is over; it cannot be ended from here.
 */
import type { Environment } from "./actors/environment.js";

/** How long to wait, and what to say then. */
export interface TimeLimit {
  readonly millisecondsMax: number;
  /** Whose time it is: an `Environment`, or the machine's `Pacing`. */
  readonly clock: Pick<Environment, "delay">;
  /**
   * Makes the error of a promise that did not settle in time.
   *
   * @param limit - the time in words, such as `40 seconds`
   */
  readonly error: (limit: string) => Error;
}

/** Delays that end with `signal` too, as with the signal of their own. */
export function interruptible(delay: Environment["delay"], signal: AbortSignal): Environment["delay"] {
  return (milliseconds, ended) => delay(milliseconds, ended === undefined ? signal : AbortSignal.any([ended, signal]));
}

/**
 * Settles as `promise` does, if it does in time, and rejects with the limit's error if not. Where the delay itself fails,
 * because its owner ended it, it rejects with that reason.
 */
export async function withTimeLimit<T>(promise: Promise<T>, limit: TimeLimit): Promise<T> {
  const { millisecondsMax, clock, error } = limit;
  const timer = new AbortController();
  const late = clock.delay(millisecondsMax, timer.signal).then(() => {
    throw error(`${String(millisecondsMax / 1000)} seconds`);
  });
  try {
    // The race handles the rejection of whichever comes second.
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
