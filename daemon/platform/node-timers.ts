/**
 * The timers port over the event loop of Node.
 */
import type { Timers } from "./timers.js";

/** The event loop's own. */
export const nodeTimers: Timers = {
  inNextTurn: (callback) => {
    setImmediate(callback);
  },
  after: (milliseconds, callback) => {
    const timeout = setTimeout(callback, milliseconds);
    return {
      cancel: () => {
        clearTimeout(timeout);
      },
    };
  },
};
