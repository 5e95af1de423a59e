/**
 * Writing a pack and its index as streams, into temporary files.
 *
 * Owns the frame of both files (headers, checksums) and their way to the disk in pieces. It never looks at an entry and
 * never gives a file its final name: that is `pack-file.ts`. How many objects there will be must be known before, because
 * the count stands in front and goes into the checksum. Source: gitformat-pack(5), version 2 of both.
 *
 *   const pack = new PackWriter(…); pack.append(entry) …; const name = pack.finish();
 *   const index = new IndexWriter(…); oids, then CRCs, then offsets, all by growing oid; index.finish(name);
 *   placeWrittenPack(…)                    or, at any moment, close() of both and discardWrittenPack(…)
 *
 * Invariants
 *  1. After `finish` the file is whole and on the disk. Before, nobody looks at it: its name is a temporary one.
 *  2. Memory is one buffer of `BUFFER_BYTES`, whatever the pack's size. What was written is synced every
 *     `SYNC_BYTES`, so that `finish` does not wait for a gigabyte.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { FileSystem, OpenFile } from "../../platform/file-system.js";
import { removeIfPresent, writeParts } from "./durable-file.js";

const BUFFER_BYTES = 256 * 1024;
const SYNC_BYTES = 8 * 1024 * 1024;
const CHECKSUM_BYTES = 20;

/** A new file that ends in the SHA-1 of everything before. */
class HashedFile {
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #hash = createHash("sha1");
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #filled = 0;
  #flushed = 0;
  #synced = 0;
  #isOpen = true;

  constructor(fileSystem: FileSystem, path: string) {
    removeIfPresent(fileSystem, path);
    this.#path = path;
    this.#file = fileSystem.open(path, "create");
  }

  /** Bytes so far. */
  get position(): number {
    return this.#flushed + this.#filled;
  }

  append(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to;) {
      const length = Math.min(to - at, BUFFER_BYTES - this.#filled);
      this.#buffer.set(at === 0 && length === bytes.length ? bytes : bytes.subarray(at, at + length), this.#filled);
      this.#filled += length;
      at += length;
      if (this.#filled === BUFFER_BYTES) this.#flush();
    }
  }

  /** Ends the file, syncs and closes it; returns the checksum. */
  finish(): Buffer {
    this.#flush();
    const checksum = this.#hash.digest();
    writeParts(this.#file, this.#path, [checksum], this.#flushed);
    this.#flushed += CHECKSUM_BYTES;
    this.#file.sync();
    this.close();
    return checksum;
  }

  close(): void {
    if (!this.#isOpen) return;
    // Before the call: a descriptor whose close fails is gone too, and its number may be somebody else's soon.
    this.#isOpen = false;
    this.#file.close();
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#hash.update(bytes);
    writeParts(this.#file, this.#path, [bytes], this.#flushed);
    this.#flushed += this.#filled;
    this.#filled = 0;
    if (this.#flushed - this.#synced < SYNC_BYTES) return;
    this.#file.syncData();
    this.#synced = this.#flushed;
  }
}

/** Writes one pack. */
export class PackWriter {
  readonly #file: HashedFile;

  /**
   * @param path - what `temporaryPackPath` gave; a torn file of this name is replaced
   * @param count - how many entries will follow
   */
  constructor(fileSystem: FileSystem, path: string, count: number) {
    this.#file = new HashedFile(fileSystem, path);
    const header = Buffer.from("PACK\0\0\0\x02\0\0\0\0", "latin1");
    header.writeUInt32BE(count, 8);
    this.append(header, 0, header.length);
  }

  /** Where the next entry begins. */
  get position(): number {
    return this.#file.position;
  }

  /** Appends the bytes from `from` to `to`. */
  append(bytes: Uint8Array, from: number, to: number): void {
    this.#file.append(bytes, from, to);
  }

  /** Ends the pack; returns its checksum. */
  finish(): Buffer {
    return this.#file.finish();
  }

  /** Gives the file up, unless it is finished. */
  close(): void {
    this.#file.close();
  }
}

/** Writes one index: after the fan-out come `count` oids, as many CRCs, as many offsets, appended by the caller. */
export class IndexWriter {
  readonly #file: HashedFile;

  /**
   * @param path - what `temporaryIndexPath` gave; a torn file of this name is replaced
   * @param fanOut - how many oids have a first byte of at most i
   */
  constructor(fileSystem: FileSystem, path: string, fanOut: Uint32Array) {
    this.#file = new HashedFile(fileSystem, path);
    const header = Buffer.alloc(8 + fanOut.length * 4);
    header.write("\xfftOc\0\0\0\x02", 0, "latin1");
    for (const [first, count] of fanOut.entries()) header.writeUInt32BE(count, 8 + first * 4);
    this.append(header, 0, header.length);
  }

  /** Bytes so far. */
  get position(): number {
    return this.#file.position;
  }

  /** Appends the bytes from `from` to `to`. */
  append(bytes: Uint8Array, from: number, to: number): void {
    this.#file.append(bytes, from, to);
  }

  /** Ends the index of the pack with this checksum. */
  finish(packChecksum: Buffer): void {
    this.append(packChecksum, 0, packChecksum.length);
    this.#file.finish();
  }

  /** Gives the file up, unless it is finished. */
  close(): void {
    this.#file.close();
  }
}
