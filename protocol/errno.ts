/**
 * The error names of the wire.
 *
 * Owns the list in `io/xs_wire.h`; a reply never carries another name, because libxenstore turns an unknown one into
 * a meaningless errno. Wire errors are values, not exceptions.
 */

/** Every error name that exists on the wire, in the order of `io/xs_wire.h`. */
export const ERROR_NAMES = [
  "EINVAL",
  "EACCES",
  "EEXIST",
  "EISDIR",
  "ENOENT",
  "ENOMEM",
  "ENOSPC",
  "EIO",
  "ENOTEMPTY",
  "ENOSYS",
  "EROFS",
  "EBUSY",
  "EAGAIN",
  "EISCONN",
  "E2BIG",
  "EPERM",
] as const;

/** An error name of the wire. */
export type ErrorName = (typeof ERROR_NAMES)[number];

const names: ReadonlySet<string> = new Set(ERROR_NAMES);

/** Whether `text` is an error name of the wire. */
export function isErrorName(text: string): text is ErrorName {
  return names.has(text);
}
