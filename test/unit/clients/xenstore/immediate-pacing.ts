/**
 * A pacing that does not wait: it records the delays and goes on in a later turn of the event loop.
 */
import type { Pacing } from "../../../../clients/xenstore/backoff.js";

/** A pacing with the delays that were asked for, in milliseconds. */
export interface ImmediatePacing extends Pacing {
  readonly delays: number[];
}

/**
 * A pacing that does not wait.
 *
 * @param random - what `random` returns, always
 */
export function immediatePacing(random = 0.5): ImmediatePacing {
  const delays: number[] = [];
  return {
    delays,
    delay: async (milliseconds, signal) => {
      delays.push(milliseconds);
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    },
    random: () => random,
  };
}
