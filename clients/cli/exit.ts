/**
 * How the program ends.
 *
 * Owns the exit codes. The xenstore-* tools end with 1 for every mistake; here a bad command line is 2, as in most programs,
 * so that a script can tell a missing node from its own fault.
 */

/** Done. */
export const EXIT_OK = 0;
/** The daemon refused, could not be reached, or the answer is no. */
export const EXIT_FAILURE = 1;
/** The command line or the script makes no sense; nothing was done. */
export const EXIT_USAGE = 2;

/** Ended by a signal: 128 and its number, as shells have it; 130 for Ctrl-C. */
export function exitCodeOfSignal(number: number): number {
  return 128 + number;
}

/** Ends the program with a code, and a message unless it is empty. */
export class ExitError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message = "", options?: ErrorOptions) {
    super(message, options);
    this.name = "ExitError";
    this.exitCode = exitCode;
  }
}

/** A command line that makes no sense; the message says what would. */
export function usageError(message: string): ExitError {
  return new ExitError(EXIT_USAGE, message);
}
