/**
 * From a path to the commits that changed it: one sorted run of a branch's path index.
 *
 * Owns the format and the reading of one file, which never changes once it is there. A run covers the commits of a stretch of
 * seqs; the newest runs are short, older ones are merged. Numbers are big-endian; `varint` is seven bits a byte, the lowest
 * first, the top bit set on all but the last.
 *
 *     header   8 magic │ 4 version │ 4 zero │ 8 first seq │ 8 last seq │ 20 oid of the last commit
 *     block    4 crc32 of what follows │ entries
 *     entry    varint bytes shared with the path before in the block │ varint more bytes │ those bytes │ varint postings │ postings
 *     posting  varint 2 × (distance to the seq above: the run's last, then the posting before) + (1 for a removal)
 *     table    for each block: varint bytes of its first path │ those bytes │ varint bytes of the block
 *     footer   8 where the table begins │ 4 blocks │ 4 crc32 of header, table and these twelve bytes
 *
 * Postings stand from the newest to the oldest. A removal is told for the top of what went; what lay below is not listed.
 *
 * Invariants
 *  1. Paths ascend by bytes, and none occurs twice. What lies below a path is one stretch: from `path/` to before `path0`.
 *  2. A byte that is not what was written is found by a checksum before anything is made of it, and is a DamagedRunError.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import { crc32Of } from "../../platform/crc32.js";
import type { OpenFile } from "../../platform/file-system.js";
import { OID_BYTES, type Oid } from "../object/oid.js";
import { readFully } from "./seq-index.js";

const MAGIC = "xs-path\n";
const VERSION = 1;
const HEADER_BYTES = 32 + OID_BYTES;
const FOOTER_BYTES = 16;
/** A block is ended when it has so many bytes. */
const BLOCK_BYTES = 4096;

/** The stretch of commits that a run tells of. */
export interface RunRange {
  readonly first: Seq;
  readonly last: Seq;
  /** The commit with the seq `last`. */
  readonly lastOid: Oid;
}

/** Commits that changed one path, from the newest to the oldest. */
export interface Postings {
  readonly path: string;
  /** Calls for each until `visit` returns false. */
  forEach(visit: (seq: Seq, isRemoval: boolean) => boolean): void;
}

/** A run's file is not what was written. */
export class DamagedRunError extends Error {
  override readonly name = "DamagedRunError";
}

/** Bytes that grow. */
class ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafe(capacity);
  }

  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.length + more));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  latin1(text: string): void {
    this.reserve(text.length);
    this.bytes.write(text, this.length, "latin1");
    this.length += text.length;
  }

  /** The bytes so far, which stay valid until the next write. */
  take(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

/** Makes a run's file; paths are added in ascending order. */
export class PathRunWriter {
  readonly #range: RunRange;
  readonly #out = new ByteWriter(64 * 1024);
  readonly #table = new ByteWriter(4096);
  #blocks = 0;
  #blockStart = HEADER_BYTES;
  #firstPath = "";
  #previous: string | undefined;
  /** The seq above the next posting. */
  #above = 0;

  constructor(range: RunRange) {
    this.#range = range;
    this.#out.reserve(HEADER_BYTES);
    this.#out.length = HEADER_BYTES;
  }

  /** Adds a path; `count` calls of `addPosting` follow. */
  addPath(path: string, count: number): void {
    const out = this.#out;
    if (this.#previous !== undefined && out.length - this.#blockStart >= BLOCK_BYTES) this.#endBlock();
    if (this.#previous === undefined) {
      this.#blockStart = out.length;
      this.#firstPath = path;
      out.reserve(4);
      out.length += 4;
    }
    const shared = sharedLength(this.#previous ?? "", path);
    out.varint(shared);
    out.varint(path.length - shared);
    out.latin1(path.slice(shared));
    out.varint(count);
    this.#previous = path;
    this.#above = this.#range.last;
  }

  /** Adds a commit that changed the last path; from the newest to the oldest. */
  addPosting(seq: Seq, isRemoval: boolean): void {
    this.#out.varint(2 * (this.#above - seq) + (isRemoval ? 1 : 0));
    this.#above = seq;
  }

  /** The whole file. */
  finish(): Buffer {
    if (this.#previous !== undefined) this.#endBlock();
    const { first, last, lastOid } = this.#range;
    const tableAt = this.#out.length;
    const table = this.#table.take();
    this.#out.reserve(table.length + FOOTER_BYTES);
    const { bytes } = this.#out;
    bytes.fill(0, 0, HEADER_BYTES);
    bytes.write(MAGIC, 0, "latin1");
    bytes.writeUInt32BE(VERSION, 8);
    bytes.writeBigUInt64BE(BigInt(first), 16);
    bytes.writeBigUInt64BE(BigInt(last), 24);
    bytes.write(lastOid, 32, "latin1");
    table.copy(bytes, tableAt);
    const footerAt = tableAt + table.length;
    bytes.writeBigUInt64BE(BigInt(tableAt), footerAt);
    bytes.writeUInt32BE(this.#blocks, footerAt + 8);
    bytes.writeInt32BE(
      tableChecksum(bytes.subarray(0, HEADER_BYTES), bytes.subarray(tableAt, footerAt + 12)),
      footerAt + 12,
    );
    return bytes.subarray(0, footerAt + FOOTER_BYTES);
  }

  #endBlock(): void {
    const { bytes, length } = this.#out;
    bytes.writeInt32BE(crc32Of(bytes, this.#blockStart + 4, length), this.#blockStart);
    this.#table.varint(this.#firstPath.length);
    this.#table.latin1(this.#firstPath);
    this.#table.varint(length - this.#blockStart);
    this.#blocks++;
    this.#previous = undefined;
  }
}

function tableChecksum(header: Buffer, tableAndFooter: Buffer): number {
  const all = Buffer.concat([header, tableAndFooter]);
  return crc32Of(all, 0, all.length);
}

function sharedLength(left: string, right: string): number {
  const most = Math.min(left.length, right.length);
  let length = 0;
  while (length < most && left.charCodeAt(length) === right.charCodeAt(length)) length++;
  return length;
}

/** Reads what a writer wrote, in order. */
class ByteReader {
  readonly bytes: Buffer;
  at: number;
  readonly #end: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#end;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.bytes[this.at++];
      if (byte === undefined || this.at > this.#end) throw new DamagedRunError("it ends within a number");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  latin1(length: number): string {
    if (this.at + length > this.#end) throw new DamagedRunError("it ends within a path");
    this.at += length;
    return this.bytes.toString("latin1", this.at - length, this.at);
  }
}

interface Block {
  readonly firstPath: string;
  readonly at: number;
  readonly bytes: number;
}

/** One run, open for reading. */
export class PathRun {
  readonly range: RunRange;
  readonly #file: OpenFile;
  readonly #blocks: readonly Block[];

  private constructor(file: OpenFile, range: RunRange, blocks: readonly Block[]) {
    this.#file = file;
    this.range = range;
    this.#blocks = blocks;
  }

  /** @throws DamagedRunError when it is no whole run */
  static open(file: OpenFile): PathRun {
    const size = file.size();
    if (size < HEADER_BYTES + FOOTER_BYTES) throw new DamagedRunError(`it has ${String(size)} bytes`);
    const header = readExactly(file, 0, HEADER_BYTES);
    if (header.toString("latin1", 0, MAGIC.length) !== MAGIC || header.readUInt32BE(8) !== VERSION) {
      throw new DamagedRunError("it does not begin as a run of this version");
    }
    const footer = readExactly(file, size - FOOTER_BYTES, FOOTER_BYTES);
    const tableAt = Number(footer.readBigUInt64BE(0));
    if (tableAt < HEADER_BYTES || tableAt > size - FOOTER_BYTES) throw new DamagedRunError("its table is nowhere");
    const table = readExactly(file, tableAt, size - tableAt - 4);
    if (tableChecksum(header, table) !== footer.readInt32BE(12)) throw new DamagedRunError("its table is damaged");
    const reader = new ByteReader(table, 0, table.length - 12);
    const blocks: Block[] = [];
    let at = HEADER_BYTES;
    for (let count = footer.readUInt32BE(8); count > 0; count--) {
      const firstPath = reader.latin1(reader.varint());
      const bytes = reader.varint();
      blocks.push({ firstPath, at, bytes });
      at += bytes;
    }
    const range = {
      first: Number(header.readBigUInt64BE(16)) as Seq,
      last: Number(header.readBigUInt64BE(24)) as Seq,
      lastOid: header.toString("latin1", 32, HEADER_BYTES) as Oid,
    };
    return new PathRun(file, range, blocks);
  }

  close(): void {
    this.#file.close();
  }

  /** The commits that changed a path itself; undefined when none did. */
  find(path: string): Postings | undefined {
    for (const postings of this.entries(path, `${path}\0`)) return postings;
    return undefined;
  }

  /** The paths from `from` on and before `to`, in order. Use each before the next. */
  *entries(from = "", to?: string): Generator<Postings, undefined> {
    for (let index = Math.max(0, this.#blockAfter(from) - 1); index < this.#blocks.length; index++) {
      const block = this.#blocks[index] as Block;
      if (to !== undefined && block.firstPath >= to) return undefined;
      const reader = this.#readBlock(block);
      let path = "";
      while (!reader.isAtEnd) {
        path = path.slice(0, reader.varint()) + reader.latin1(reader.varint());
        if (to !== undefined && path >= to) return undefined;
        const count = reader.varint();
        const start = reader.at;
        if (path >= from) {
          const { last } = this.range;
          const forEach: Postings["forEach"] = (visit) => {
            visitPostings(new ByteReader(reader.bytes, start), count, last, visit);
          };
          yield { path, forEach };
          reader.at = start;
        }
        for (let skipped = 0; skipped < count; skipped++) reader.varint();
      }
    }
    return undefined;
  }

  /** The number of the first block whose first path is behind `path`. */
  #blockAfter(path: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle] as Block).firstPath <= path) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #readBlock({ at, bytes, firstPath }: Block): ByteReader {
    const block = readExactly(this.#file, at, bytes);
    if (crc32Of(block, 4, bytes) !== block.readInt32BE(0)) {
      throw new DamagedRunError(`the block of ${firstPath} at ${String(at)} is damaged`);
    }
    return new ByteReader(block, 4);
  }
}

function visitPostings(
  reader: ByteReader,
  count: number,
  last: Seq,
  visit: (seq: Seq, isRemoval: boolean) => boolean,
): void {
  let seq: number = last;
  for (let left = count; left > 0; left--) {
    const posting = reader.varint();
    seq -= Math.floor(posting / 2);
    if (!visit(seq as Seq, posting % 2 === 1)) return;
  }
}

function readExactly(file: OpenFile, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  if (!readFully(file, bytes, position)) throw new DamagedRunError(`it ends before ${String(position + length)}`);
  return bytes;
}
