/**
 * The file system port: what journal and history ask of a disk.
 *
 * Owns the interface; `node-file-system.ts` is the real one. All calls are synchronous, because the order of a write, a
 * sync and a rename *is* the safety argument, and because they run at the end of a tick or in a worker. Errors are
 * thrown as Node's own (`code` is ENOSPC, EIO, ENOENT, …). Paths are absolute.
 */

/** An open file. */
export interface OpenFile {
  /** Reads up to `target.length` bytes at `position`; returns how many, 0 at the end. */
  read(target: Uint8Array, position: number): number;
  /** Writes at `position`; returns how many bytes were written, which may be fewer than asked for. */
  write(data: Uint8Array, position: number): number;
  /** Cuts or extends the file to `length` bytes. */
  truncate(length: number): void;
  /** Waits until data and size are on the disk (`fdatasync`). */
  syncData(): void;
  /** Waits until data and all metadata are on the disk (`fsync`). */
  sync(): void;
  /** Bytes in the file now. */
  size(): number;
  close(): void;
}

/** How `open` treats a file: `create` refuses an existing one (EEXIST); `read` and `write` refuse a missing one (ENOENT). */
export type OpenMode = "read" | "write" | "create";

/** A disk. */
export interface FileSystem {
  open(path: string, mode: OpenMode): OpenFile;
  /** The whole content; meant for small files. */
  readFile(path: string): Uint8Array;
  /** The names in a directory, sorted. */
  list(directory: string): string[];
  exists(path: string): boolean;
  /** Whether a path leads to a regular file, and not to a directory, a pipe or a device; false where there is nothing. */
  isRegularFile(path: string): boolean;
  /** Creates a directory (mode 0700) and its missing parents; an existing one is fine. */
  makeDirectory(path: string): void;
  /** Replaces `to` if it exists. */
  rename(from: string, to: string): void;
  /** Removes a file; a missing one is an error (ENOENT). */
  remove(path: string): void;
  /** Makes the creations, renames and removals in a directory durable (`fsync` of the directory). */
  syncDirectory(directory: string): void;
}
