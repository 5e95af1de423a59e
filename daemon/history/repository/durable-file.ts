/**
 * Writing a small or large file so that it is either absent or whole and on the disk.
 *
 * Owns the write loop and the question "which errno was that?". It never renames: the order of renames is the
 * safety argument of its callers and is told there.
 */
import { isErrno } from "../../platform/errno.js";
import type { FileSystem, OpenFile } from "../../platform/file-system.js";

/**
 * Writes the parts one after the other, however few bytes the disk takes at a time.
 *
 * @param path - for the error message
 * @param start - where in the file the first part begins; at its start unless told
 */
export function writeParts(file: OpenFile, path: string, parts: readonly Uint8Array[], start = 0): void {
  let position = start;
  for (const part of parts) {
    for (let written = 0; written < part.length;) {
      const count = file.write(written === 0 ? part : part.subarray(written), position);
      if (count <= 0) throw new Error(`${path}: the disk took no more bytes at ${String(position)}`);
      written += count;
      position += count;
    }
  }
}

/**
 * Creates `path`, writes the parts one after the other and waits until they are on the disk.
 *
 * The directory entry is not yet durable: the caller renames the file and syncs the directory. Throws EEXIST when the
 * file exists; after any other error the file may be there in part.
 */
export function writeDurableFile(fileSystem: FileSystem, path: string, parts: readonly Uint8Array[]): void {
  const file = fileSystem.open(path, "create");
  try {
    writeParts(file, path, parts);
    file.sync();
  } finally {
    file.close();
  }
}

/** Removes a file; says whether there was one. */
export function removeIfPresent(fileSystem: FileSystem, path: string): boolean {
  try {
    fileSystem.remove(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** The content of a file, or undefined when there is no such file (or a directory instead). */
export function readIfPresent(fileSystem: FileSystem, path: string): Uint8Array | undefined {
  try {
    return fileSystem.readFile(path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "EISDIR")) return undefined;
    throw error;
  }
}

/** The names in a directory, sorted; none when there is no such directory. */
export function listIfPresent(fileSystem: FileSystem, directory: string): string[] {
  try {
    return fileSystem.list(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}
