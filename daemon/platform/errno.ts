/**
 * Errors of the operating system.
 */

/** Whether `error` is the operating system's error `code`, such as `ENOENT`. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);
}
