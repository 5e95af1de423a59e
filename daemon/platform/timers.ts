/**
 * The timers port: when code runs that nobody's message starts. With the clock port it is all that the server knows of
 * time, so that a simulation can run in virtual time and decide the order of everything.
 */

/** A callback that is due at some time. */
export interface Timer {
  /** Forgets it; nothing when it is over. */
  cancel(): void;
}

/** What runs later. No callback comes from within a call to this. */
export interface Timers {
  /** Calls back once in the next turn of the event loop, after what has arrived by then. */
  inNextTurn(callback: () => void): void;
  /** Calls back once after this time, or a little later. */
  after(milliseconds: number, callback: () => void): Timer;
}
