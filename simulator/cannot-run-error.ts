/**
 * What was asked for could not be begun: no daemon there, none to be started, something that is not installed.
 *
 * Owns what tells it from a run that failed, and the exit codes of both: 2 and 1, for every command.
 */
import { messageOf } from "../clients/xenstore/errors.js";

/** Nothing has been run. */
export class CannotRunError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CannotRunError";
  }
}

/** Waits for what must be there before a run can begin. When it rejects, so does this, with a CannotRunError. */
export async function beforeRun<T>(preparation: Promise<T>): Promise<T> {
  try {
    return await preparation;
  } catch (error) {
    throw new CannotRunError(messageOf(error), { cause: error });
  }
}

/** The exit code of a command that ended with an error. */
export function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof CannotRunError ? 2 : 1;
}
