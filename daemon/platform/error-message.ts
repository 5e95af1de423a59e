/**
 * What was thrown, for a line of text: anything can be thrown, and most of it is an Error.
 */

/** The message of an Error, else the value as text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
