/**
 * The clock port. The core never reads a clock: it is handed one, so that a simulation can run in virtual time.
 */

/** Two readings of time. */
export interface Clock {
  /** Wall-clock time in microseconds since the Unix epoch, an integer; may step backwards. */
  nowMicroseconds(): number;
  /** Milliseconds since some fixed moment; never steps backwards. */
  monotonicMilliseconds(): number;
}
