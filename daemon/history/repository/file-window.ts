/**
 * Large files seen through windows: positional reads, many bytes at a time, within a bound of memory and open files.
 *
 * Owns the open files and the cached windows of all packs and indexes of one reader. It never looks at the content, and
 * never serves a byte that the file did not have: a file that ends early is damage.
 *
 * Invariants
 *  1. At most `openFilesMax` files are open; the one unused longest is closed and opened again when needed.
 *  2. A file does not change while we read it (packs are written under another name). One whose size is another when it
 *     is opened again is damage; one that is gone is `FileVanishedError`, which the reader answers by looking again.
 *  3. The memory of a window that the cache forgets is used again for another. Before that, whoever it belonged to forgets
 *     it too, so `bytes` of any file of the pool is valid until the next `locate` or `readAhead` of any of them.
 */
import { Buffer } from "node:buffer";
import type { FileSystem, OpenFile } from "../../platform/file-system.js";
import { messageOf } from "../../platform/error-message.js";
import { ByteLru, type Shelf } from "./byte-lru.js";
import { isErrno } from "../../platform/errno.js";
import { DamagedObjectError } from "./errors.js";

/** The file was removed while we knew it: Git repacked. */
export class FileVanishedError extends Error {
  override readonly name = "FileVanishedError";
  constructor(path: string) {
    super(`${path} is gone`);
  }
}

const NO_BYTES = Buffer.alloc(0);
/** More are forgotten at once only when a file is closed. */
const SPARE_WINDOWS_MAX = 16;

/** A part of a file in the cache. */
interface Window {
  readonly file: WindowedFile;
  readonly bytes: Buffer;
}

/** Bounds of a pool. */
export interface WindowLimits {
  readonly windowBytesMax: number;
  readonly openFilesMax: number;
}

/** The open files and windows of one reader. */
export class WindowPool {
  readonly fileSystem: FileSystem;
  /** For the files of this pool. */
  readonly windows: ByteLru<Window>;
  readonly #openFilesMax: number;
  /** In the order of last use, the oldest first. */
  readonly #open = new Set<WindowedFile>();
  /** Memory of windows that were forgotten: a fresh piece for each takes several times as long as reading it. */
  readonly #spare: Buffer[] = [];
  /** For reading ahead: one for all, because a fresh one each time makes the garbage collector work. */
  #ahead = NO_BYTES;
  #lent = NO_BYTES;
  #borrower: WindowedFile | undefined;

  constructor(fileSystem: FileSystem, limits: WindowLimits) {
    this.fileSystem = fileSystem;
    this.windows = new ByteLru(limits.windowBytesMax, ({ file, bytes }) => {
      file.forget(bytes);
      if (this.#spare.length < SPARE_WINDOWS_MAX) this.#spare.push(bytes);
    });
    this.#openFilesMax = Math.max(1, limits.openFilesMax);
  }

  /** Files open now. */
  get openFiles(): number {
    return this.#open.size;
  }

  /** When all files are closed: gives back what is kept for their windows. The pool may be used again. */
  close(): void {
    this.#borrower?.forget(this.#lent);
    this.#borrower = undefined;
    this.#ahead = this.#lent = NO_BYTES;
    this.#spare.length = 0;
  }

  /** For files: memory for a window. */
  allocate(length: number): Buffer {
    const spare = this.#spare.pop();
    return spare?.length === length ? spare : Buffer.allocUnsafeSlow(length);
  }

  /** For files: memory of `length` bytes until anybody else borrows it. */
  borrow(file: WindowedFile, length: number): Buffer {
    this.#borrower?.forget(this.#lent);
    this.#borrower = file;
    if (length > this.#ahead.length) this.#ahead = Buffer.allocUnsafeSlow(length);
    return (this.#lent = this.#ahead.subarray(0, length));
  }

  /** For files: `file` is about to be read. */
  markUsed(file: WindowedFile): void {
    this.#open.delete(file);
    while (this.#open.size >= this.#openFilesMax) {
      const [oldest] = this.#open;
      if (oldest === undefined) break;
      oldest.closeHandle();
    }
    this.#open.add(file);
  }

  /** For files: `file` is no longer open. */
  markClosed(file: WindowedFile): void {
    this.#open.delete(file);
  }
}

/** One file of the pool. */
export class WindowedFile {
  readonly path: string;
  /** Bytes in the file, as of its first opening. */
  readonly size: number;
  /**
   * The bytes that the last `locate` found, and where in them they begin. Two fields instead of a result object: a
   * lookup in an index asks several times. Never write to it, and copy what outlives the next call (invariant 3).
   */
  bytes: Buffer = NO_BYTES;
  at = 0;
  /** Where `bytes` begins in the file. */
  start = 0;
  readonly #pool: WindowPool;
  readonly #windowBytes: number;
  readonly #shelf: Shelf<Window>;
  #handle: OpenFile | undefined;
  #currentStart = 0;
  #current: Buffer = NO_BYTES;

  /** @throws FileVanishedError when there is no such file */
  constructor(pool: WindowPool, path: string, windowBytes: number) {
    this.#pool = pool;
    this.path = path;
    this.#windowBytes = windowBytes;
    this.#shelf = pool.windows.shelf();
    this.size = this.#openHandle().size();
  }

  /**
   * Sets `bytes` and `at` so that the `length` bytes of the file from `position` on follow `at` (or as many as the file
   * has); more may follow, and come free.
   *
   * @throws FileVanishedError, DamagedObjectError when the file is shorter than it was
   */
  locate(position: number, length: number): void {
    let relative = position - this.#currentStart;
    if (relative < 0 || relative + length > this.#current.length) {
      const start = position - (position % this.#windowBytes);
      const end = Math.min(position + length, this.size);
      if (end > start + this.#windowBytes || position >= this.size) {
        this.bytes = this.#readExactly(position, Math.max(0, end - position));
        this.at = 0;
        this.start = position;
        return;
      }
      this.#current = this.#window(start);
      this.#currentStart = start;
      relative = position - start;
    }
    this.bytes = this.#current;
    this.at = relative;
    this.start = this.#currentStart;
  }

  /**
   * Reads a part of the file that the next calls of `locate` are going to ask for, with one call to the system. It is no
   * window: the next `locate` beyond it lets it go, and so does the next `readAhead` of any file of the pool.
   *
   * @throws FileVanishedError, DamagedObjectError
   */
  readAhead(position: number, length: number): void {
    const target = this.#pool.borrow(this, Math.max(0, Math.min(length, this.size - position)));
    this.#fill(target, position);
    this.#current = target;
    this.#currentStart = position;
  }

  /** For the pool: this memory is about to be overwritten. */
  forget(bytes: Buffer): void {
    if (this.#current === bytes) this.#forgetCurrent();
  }

  #forgetCurrent(): void {
    this.bytes = this.#current = NO_BYTES;
    this.#currentStart = 0;
  }

  /** Closes the file and forgets its windows. */
  close(): void {
    this.closeHandle();
    this.#shelf.clear();
  }

  /** For the pool: gives the handle and the current window back; the next read opens the file again. */
  closeHandle(): void {
    this.#forgetCurrent();
    const handle = this.#handle;
    this.#handle = undefined;
    this.#pool.markClosed(this);
    handle?.close();
  }

  #window(start: number): Buffer {
    const known = this.#shelf.get(start);
    if (known !== undefined) return known.bytes;
    const bytes = this.#pool.allocate(Math.min(this.#windowBytes, this.size - start));
    this.#fill(bytes, start);
    this.#shelf.set(start, { file: this, bytes }, bytes.length);
    return bytes;
  }

  #readExactly(position: number, length: number): Buffer {
    const target = Buffer.allocUnsafeSlow(length);
    this.#fill(target, position);
    return target;
  }

  #fill(target: Buffer, position: number): void {
    const { length } = target;
    if (length === 0) return;
    const handle = this.#openHandle();
    for (let filled = 0; filled < length;) {
      const count = this.#readSome(handle, filled === 0 ? target : target.subarray(filled), position + filled);
      if (count <= 0) {
        throw new DamagedObjectError(
          this.path,
          position + filled,
          `the file ends here and had ${String(this.size)} bytes before`,
        );
      }
      filled += count;
    }
  }

  /** A part that the disk cannot read is damage of this file: another pack may have a copy of what stands there. */
  #readSome(handle: OpenFile, target: Buffer, position: number): number {
    try {
      return handle.read(target, position);
    } catch (error) {
      throw new DamagedObjectError(this.path, position, `it cannot be read: ${messageOf(error)}`);
    }
  }

  #openHandle(): OpenFile {
    this.#pool.markUsed(this);
    if (this.#handle !== undefined) return this.#handle;
    let handle: OpenFile;
    try {
      handle = this.#pool.fileSystem.open(this.path, "read");
    } catch (error) {
      this.#pool.markClosed(this);
      if (isErrno(error, "ENOENT")) throw new FileVanishedError(this.path);
      throw error;
    }
    this.#handle = handle;
    // `size` is undefined in the constructor's own call.
    const before = this.size as number | undefined;
    const now = handle.size();
    if (before !== undefined && before !== now) {
      this.closeHandle();
      throw new DamagedObjectError(
        this.path,
        Math.min(before, now),
        `the file had ${String(before)} bytes and now has ${String(now)}`,
      );
    }
    return handle;
  }
}
