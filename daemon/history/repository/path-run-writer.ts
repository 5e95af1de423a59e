/**
 * Writing a run of the path index (path-run.ts has the format).
 *
 * Owns the order of the bytes. What is finished goes out in pieces, so that memory holds a piece, the table, and the postings
 * that stand together, however long the run is.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import { crc32Of } from "../../platform/crc32.js";
import { ByteWriter } from "./path-index-bytes.js";
import {
  BLOCK_BYTES,
  HEADER_BYTES,
  runChecksum,
  RUN_MAGIC,
  RUN_VERSION,
  type PathEntry,
  type RunRange,
} from "./path-run.js";

/** Postings of one key stand together up to so many bytes: whoever wants the newest reads no more than that. */
const ENTRY_BYTES = 1024;
const PIECE_BYTES = 64 * 1024;

/** Makes a run; keys are added in ascending order, the postings of each from the newest to the oldest. */
export class PathRunWriter {
  readonly #range: RunRange;
  readonly #append: (piece: Uint8Array) => void;
  readonly #header: Buffer;
  readonly #out = new ByteWriter(PIECE_BYTES + 4 * BLOCK_BYTES);
  readonly #table = new ByteWriter(4096);
  /** Where in the file the bytes of `#out` begin. */
  #outAt = HEADER_BYTES;
  #blocks = 0;
  /** Where in `#out` the block begins. */
  #blockStart = 0;
  #firstKey = "";
  /** The key before in the block; undefined when there is none. */
  #previous: string | undefined;
  #key: string | undefined;
  /** The entry that is being put together: its first posting, the seq of its last, and what comes after the first. */
  #newest = 0;
  #isNewestRemoval = false;
  #oldest = 0;
  readonly #rest = new ByteWriter(2 * ENTRY_BYTES);

  /** @param append - takes the next bytes of the file, which it must not keep */
  constructor(range: RunRange, append: (piece: Uint8Array) => void) {
    this.#range = range;
    this.#append = append;
    const header = Buffer.alloc(HEADER_BYTES);
    header.write(RUN_MAGIC, 0, "latin1");
    header.writeUInt32BE(RUN_VERSION, 8);
    header.writeBigUInt64BE(BigInt(range.first), 16);
    header.writeBigUInt64BE(BigInt(range.last), 24);
    header.write(range.lastOid, 32, "latin1");
    this.#header = header;
    append(header);
  }

  /** Begins the postings of a key, at least one. */
  startKey(key: string): void {
    this.#endEntry();
    this.#key = key;
  }

  /** Adds a commit to the last key. */
  addPosting(seq: Seq, isRemoval: boolean): void {
    if (this.#newest !== 0 && this.#rest.length >= ENTRY_BYTES) this.#endEntry();
    if (this.#newest === 0) {
      this.#newest = seq;
      this.#isNewestRemoval = isRemoval;
    } else this.#rest.varint(2 * (this.#oldest - seq) + (isRemoval ? 1 : 0));
    this.#oldest = seq;
  }

  /** Adds the postings of another run's entry to the last key, without looking at each. */
  addEntry({ newest, isNewestRemoval, oldest, rest }: PathEntry): void {
    if (this.#newest !== 0 && this.#rest.length + rest.end - rest.at > ENTRY_BYTES) this.#endEntry();
    this.addPosting(newest, isNewestRemoval);
    this.#rest.copy(rest.bytes, rest.at, rest.end);
    this.#oldest = oldest;
  }

  /** Writes what is left. */
  finish(): void {
    this.#endEntry();
    if (this.#previous !== undefined) this.#endBlock();
    const tableAt = this.#outAt + this.#out.length;
    const table = this.#table;
    table.reserve(16);
    table.bytes.writeBigUInt64BE(BigInt(tableAt), table.length);
    table.bytes.writeUInt32BE(this.#blocks, table.length + 8);
    table.length += 12;
    table.bytes.writeInt32BE(runChecksum(this.#header, table.view()), table.length);
    table.length += 4;
    this.#append(this.#out.view());
    this.#append(table.view());
  }

  #endEntry(): void {
    if (this.#newest === 0 || this.#key === undefined) return;
    const out = this.#out;
    if (this.#previous !== undefined && out.length - this.#blockStart >= BLOCK_BYTES) this.#endBlock();
    const key = this.#key;
    if (this.#previous === undefined) {
      this.#blockStart = out.length;
      this.#firstKey = key;
      out.reserve(4);
      out.length += 4;
    }
    const shared = sharedLength(this.#previous ?? "", key);
    out.varint(shared);
    out.varint(key.length - shared);
    if (shared < key.length) out.latin1(key.slice(shared));
    out.varint(2 * (this.#range.last - this.#newest) + (this.#isNewestRemoval ? 1 : 0));
    const rest = this.#rest;
    out.varint(rest.length);
    if (rest.length > 0) out.varint(this.#newest - this.#oldest);
    out.copy(rest.bytes, 0, rest.length);
    rest.length = 0;
    this.#newest = 0;
    this.#previous = key;
  }

  #endBlock(): void {
    const out = this.#out;
    out.bytes.writeInt32BE(crc32Of(out.bytes, this.#blockStart + 4, out.length), this.#blockStart);
    this.#table.varint(this.#firstKey.length);
    this.#table.latin1(this.#firstKey);
    this.#table.varint(out.length - this.#blockStart);
    this.#blocks++;
    this.#previous = undefined;
    if (out.length < PIECE_BYTES) return;
    this.#append(out.view());
    this.#outAt += out.length;
    out.length = 0;
  }
}

function sharedLength(left: string, right: string): number {
  if (left === right) return right.length;
  const most = Math.min(left.length, right.length);
  let length = 0;
  while (length < most && left.charCodeAt(length) === right.charCodeAt(length)) length++;
  return length;
}
