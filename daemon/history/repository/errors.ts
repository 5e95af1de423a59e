/**
 * What can go wrong with a repository on disk: every error class of this folder.
 *
 * Owns the classes and their wording. Each message says what was wrong, where, and what would be right; the fields
 * carry the same facts for code. Errors of the disk itself (ENOSPC, EIO, …) pass through as the file system threw them.
 */

/** The directory is not a Git repository, or not a whole one. */
export class NotARepositoryError extends Error {
  override readonly name = "NotARepositoryError";
  readonly directory: string;
  constructor(directory: string, reason: string) {
    super(`${directory} is not a bare Git repository: ${reason}`);
    this.directory = directory;
  }
}

/** The repository is sound, but uses something of Git that this reader does not understand. */
export class UnsupportedRepositoryError extends Error {
  override readonly name = "UnsupportedRepositoryError";
  readonly directory: string;
  constructor(directory: string, reason: string) {
    super(`the Git repository ${directory} cannot be used: ${reason}`);
    this.directory = directory;
  }
}

/** A name that Git would refuse as the name of a ref (git-check-ref-format), or that is not below `refs/`. */
export class InvalidRefNameError extends Error {
  override readonly name = "InvalidRefNameError";
  readonly refName: string;
  constructor(refName: string, wanted: string) {
    super(`${JSON.stringify(refName)} is not a valid ref name: ${wanted}`);
    this.refName = refName;
  }
}

/** Somebody else holds the lock of a ref, or left it behind. Nothing was changed; trying again later is safe. */
export class RefLockedError extends Error {
  override readonly name = "RefLockedError";
  readonly refName: string;
  readonly lockFile: string;
  constructor(refName: string, lockFile: string) {
    super(
      `${refName} is locked: ${lockFile} exists; another process is updating it, or died doing so (then remove the file)`,
    );
    this.refName = refName;
    this.lockFile = lockFile;
  }
}

/** A ref does not have the value that the update expected. Nothing was changed. */
export class RefMovedError extends Error {
  override readonly name = "RefMovedError";
  readonly refName: string;
  /** The value expected and the value found, in hexadecimal; undefined is "no such ref". */
  readonly expected: string | undefined;
  readonly actual: string | undefined;
  constructor(refName: string, values: { readonly expected: string | undefined; readonly actual: string | undefined }) {
    super(
      `${refName} is ${values.actual ?? "absent"}, expected ${values.expected ?? "absent"}; it was moved by somebody else`,
    );
    this.refName = refName;
    this.expected = values.expected;
    this.actual = values.actual;
  }
}

/** A ref cannot have this name beside the refs that exist: `refs/heads/a` and `refs/heads/a/b` exclude each other. */
export class RefConflictError extends Error {
  override readonly name = "RefConflictError";
  readonly refName: string;
  constructor(refName: string, reason: string) {
    super(`${refName} cannot be written: ${reason}`);
    this.refName = refName;
  }
}

/** A ref's file holds something that is neither an oid nor the name of another ref. */
export class DamagedRefError extends Error {
  override readonly name = "DamagedRefError";
  readonly file: string;
  constructor(file: string, reason: string) {
    super(`damaged ref: ${file}: ${reason}`);
    this.file = file;
  }
}

/** The file `shallow`, which says where the history begins, holds something else than object ids. */
export class DamagedShallowError extends Error {
  override readonly name = "DamagedShallowError";
  readonly file: string;
  constructor(file: string, line: number) {
    super(
      `damaged history: ${file}, line ${String(line)}: expected 40 hexadecimal digits, the id of a commit whose parents were dropped`,
    );
    this.file = file;
  }
}

/** Somebody else moves the beginning of the history, or left the lock behind. Nothing was changed. */
export class ShallowLockedError extends Error {
  override readonly name = "ShallowLockedError";
  readonly lockFile: string;
  constructor(lockFile: string) {
    super(
      `the beginning of the history is locked: ${lockFile} exists; another process moves it (git fetch --depth, git gc), or died doing so (then remove the file)`,
    );
    this.lockFile = lockFile;
  }
}

/** The file `shallow` is not what the update was made for. Nothing was changed. */
export class ShallowMovedError extends Error {
  override readonly name = "ShallowMovedError";
  constructor(file: string) {
    super(`${file} was changed by somebody else while its replacement was being prepared`);
  }
}

/** No pack and no loose file holds the object. */
export class MissingObjectError extends Error {
  override readonly name = "MissingObjectError";
  /** Hexadecimal. */
  readonly oid: string;
  constructor(oid: string, directory: string) {
    super(`object ${oid} is in no pack and not loose in ${directory}`);
    this.oid = oid;
  }
}

/** An object, pack or pack index on disk is not what it should be. */
export class DamagedObjectError extends Error {
  override readonly name = "DamagedObjectError";
  readonly file: string;
  /** Where in the file the damaged part begins, in bytes. */
  readonly offset: number;
  constructor(file: string, offset: number, reason: string) {
    super(`damaged history: ${file} at byte ${String(offset)}: ${reason}`);
    this.file = file;
    this.offset = offset;
  }
}
