/**
 * The clock port over the machine's clocks.
 *
 * Owns how microseconds are made: `Date.now()` has milliseconds, and the part below comes from the monotonic clock. The
 * result always lies in the millisecond that `Date.now()` names, so a step of the wall clock is followed at once, and
 * between steps it never goes back.
 */
import { performance } from "node:perf_hooks";
import type { Clock } from "./clock.js";

/** The readings that a clock is made of. */
export interface ClockSources {
  /** Milliseconds since the Unix epoch, an integer. */
  wallMilliseconds(): number;
  /** Milliseconds since some moment, with a fraction; never steps backwards. */
  monotonicMilliseconds(): number;
}

const machine: ClockSources = {
  wallMilliseconds: () => Date.now(),
  monotonicMilliseconds: () => performance.now(),
};

/** Makes a clock. */
export function createNodeClock(sources: ClockSources = machine): Clock {
  /** Wall time less monotonic time in microseconds, as far as the readings have narrowed it down. */
  let difference = -Infinity;
  return {
    nowMicroseconds() {
      const monotonic = sources.monotonicMilliseconds() * 1000;
      const least = sources.wallMilliseconds() * 1000;
      const most = least + 999;
      const estimate = monotonic + difference;
      if (estimate >= least && estimate <= most) return Math.floor(estimate);
      const corrected = estimate < least ? least : most;
      difference = corrected - monotonic;
      return corrected;
    },
    monotonicMilliseconds: () => sources.monotonicMilliseconds(),
  };
}
