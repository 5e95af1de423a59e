/**
 * The file `shallow`: where the history of a repository begins.
 *
 * Owns reading and writing it. A commit that it lists has parents in its text, and no parents to whoever walks: Git cuts
 * there, and so do our readers (walk.ts). So a history can lose its beginning without any commit getting another oid. It
 * never asks which commits belong there; that is `recorder/retention-plan.ts`.
 * Source: Git's shallow.c and Documentation/technical/shallow.txt; gitrepository-layout(5), "shallow".
 *
 * `updateShallow`: 1 create shallow.lock exclusively   → ShallowLockedError when somebody holds it
 *                  2 read shallow                      → ShallowMovedError when it is not what was expected
 *                  3 write the list to the lock, fsync
 *                  4 rename the lock to shallow        from here on everybody sees the history begin there
 *                  5 fsync the directory               the new beginning outlives a power cut
 *
 * Invariants
 *  1. The file is replaced by rename alone: a reader sees the old beginning or the new one.
 *  2. Between 1 and 4 nobody else writes it: `git fetch --depth` and `git prune` (in `git gc`) take the same lock.
 *  3. When `updateShallow` throws before 4, the file is unchanged and the lock is gone. An error of 5 leaves it replaced:
 *     read it again.
 */
import { Buffer } from "node:buffer";
import type { FileSystem } from "../../platform/file-system.js";
import { hexFromOid, oidFromHex, type Oid } from "../object/oid.js";
import { readIfPresent, removeIfPresent, writeParts } from "./durable-file.js";
import { isErrno } from "../../platform/errno.js";
import { DamagedShallowError, ShallowLockedError, ShallowMovedError } from "./errors.js";

/** Commits without readable parents. */
export type Shallow = ReadonlySet<Oid>;

/** What a repository has that nothing was dropped from. */
export const NOT_SHALLOW: Shallow = new Set<Oid>();

/** What an update demands of the list and makes of it. */
export interface ShallowUpdate {
  /** The list as it must be now; empty when there must be none. */
  readonly expected: Shallow;
  /** At least one commit: a repository without a list is whole, and nothing makes a dropped commit come back. */
  readonly to: Shallow;
}

const OID_LINE = /^[0-9a-f]{40}$/;

function shallowFile(repositoryDirectory: string): string {
  return `${repositoryDirectory}/shallow`;
}

/**
 * The commits that have no readable parents; empty in a repository whose history is whole.
 *
 * @throws DamagedShallowError
 */
export function readShallow(fileSystem: FileSystem, repositoryDirectory: string): Shallow {
  const file = shallowFile(repositoryDirectory);
  const content = readIfPresent(fileSystem, file);
  if (content === undefined || content.length === 0) return NOT_SHALLOW;
  const lines = Buffer.from(content).toString("latin1").split("\n");
  if (lines.at(-1) === "") lines.pop();
  const commits = new Set<Oid>();
  for (const [index, line] of lines.entries()) {
    if (!OID_LINE.test(line)) throw new DamagedShallowError(file, index + 1);
    commits.add(oidFromHex(line));
  }
  return commits;
}

/**
 * Replaces the list, if it is the expected one; see the sequence at the top. When it returns, the new one is durable.
 *
 * @throws ShallowLockedError, ShallowMovedError, DamagedShallowError
 */
export function updateShallow(fileSystem: FileSystem, repositoryDirectory: string, update: ShallowUpdate): void {
  const { expected, to } = update;
  if (to.size === 0) throw new RangeError("a list of commits without parents cannot become empty");
  const file = shallowFile(repositoryDirectory);
  const lockFile = `${file}.lock`;
  const lock = createLock(fileSystem, lockFile);
  try {
    try {
      if (!sameCommits(readShallow(fileSystem, repositoryDirectory), expected)) throw new ShallowMovedError(file);
      const text = [...to].map((oid) => `${hexFromOid(oid)}\n`).sort();
      writeParts(lock, lockFile, [Buffer.from(text.join(""), "latin1")]);
      lock.sync();
    } finally {
      lock.close();
    }
    fileSystem.rename(lockFile, file);
  } catch (error) {
    removeIfPresent(fileSystem, lockFile);
    throw error;
  }
  fileSystem.syncDirectory(repositoryDirectory);
}

/**
 * Removes the lock that a dead daemon left behind; says whether there was one.
 *
 * Only at start, and only when the daemon knows that it was moving the boundary: a lock does not tell who holds it.
 */
export function removeStaleShallowLock(fileSystem: FileSystem, repositoryDirectory: string): boolean {
  return removeIfPresent(fileSystem, `${shallowFile(repositoryDirectory)}.lock`);
}

/** Whether two lists name the same commits. */
export function sameCommits(left: Shallow, right: Shallow): boolean {
  if (left.size !== right.size) return false;
  for (const oid of left) if (!right.has(oid)) return false;
  return true;
}

function createLock(fileSystem: FileSystem, lockFile: string): ReturnType<FileSystem["open"]> {
  try {
    return fileSystem.open(lockFile, "create");
  } catch (error) {
    if (isErrno(error, "EEXIST")) throw new ShallowLockedError(lockFile);
    throw error;
  }
}
