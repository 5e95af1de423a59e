/**
 * From a key to the commits that stand under it: one sorted run of a branch's path index.
 *
 * Owns the format and the reading of one file, which never changes once it is there; `path-run-writer.ts` writes it. A run covers
 * the commits of a stretch of seqs; the newest runs are short, older ones are merged. The keys are those of `path-keys.ts`. Numbers are
 * big-endian, or varints (`path-index-bytes.ts`).
 *
 *     header   8 magic │ 4 version │ 4 zero │ 8 first seq │ 8 last seq │ 20 oid of the last commit
 *     block    4 crc32 of what follows │ entries
 *     entry    varint bytes shared with the key before in the block │ varint more bytes │ those bytes
 *              │ newest: varint 2 × (distance to the run's last seq) + (1 for a removal)
 *              │ varint bytes of the rest │ where there is one: varint distance from the newest to the oldest │ rest
 *     rest     for each older posting: varint 2 × (distance to the one before) + (1 for a removal)
 *     table    for each block: varint bytes of its first key │ those bytes │ varint bytes of the block
 *     footer   8 where the table begins │ 4 blocks │ 4 crc32 of header, table and these twelve bytes
 *
 * A removal is told for the top of what went; what lay below is not listed.
 *
 * Invariants
 *  1. Keys ascend by bytes. Many postings of one key are several entries, the newest first.
 *  2. A byte that is not what was written is found by a checksum before anything is made of it, and is a
 *     DamagedPathIndexError.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import { crc32Of } from "../../platform/crc32.js";
import type { OpenFile } from "../../platform/file-system.js";
import { OID_BYTES, type Oid } from "../object/oid.js";
import { ByteReader, DamagedPathIndexError, readExactly } from "./path-index-bytes.js";

/** What a run begins with. */
export const RUN_MAGIC = "xs-path\n";
/** The version of this format. */
export const RUN_VERSION = 1;
/** Bytes before the first block. */
export const HEADER_BYTES: number = 32 + OID_BYTES;
const FOOTER_BYTES = 16;
/** A block is ended when it has so many bytes. */
export const BLOCK_BYTES = 4096;

/** The stretch of commits that a part of the index tells of. */
export interface RunRange {
  readonly first: Seq;
  readonly last: Seq;
  /** The commit with the seq `last`. */
  readonly lastOid: Oid;
}

/** Some postings of one key, from the newest to the oldest. */
export interface PathEntry {
  readonly key: string;
  readonly newest: Seq;
  readonly isNewestRemoval: boolean;
  readonly oldest: Seq;
  /** The postings after the newest, as they stand in the file; not to be read in place (`postingsOf` reads them). */
  readonly rest: ByteReader;
}

/** A commit that stands under a key. */
export interface Posting {
  readonly seq: Seq;
  /** Whether it removed the node; only under own keys. */
  readonly isRemoval: boolean;
}

/** The postings of an entry. @throws DamagedPathIndexError */
export function* postingsOf({ newest, isNewestRemoval, rest }: PathEntry): Generator<Posting, undefined> {
  yield { seq: newest, isRemoval: isNewestRemoval };
  const reader = new ByteReader(rest.bytes, rest.at, rest.end);
  for (let seq: number = newest; !reader.isAtEnd;) {
    const posting = reader.varint();
    seq -= Math.floor(posting / 2);
    yield { seq: seq as Seq, isRemoval: posting % 2 === 1 };
  }
  return undefined;
}

/** The checksum of all that is in no block. */
export function runChecksum(header: Buffer, tableAndFooter: Buffer): number {
  const all = Buffer.concat([header, tableAndFooter]);
  return crc32Of(all, 0, all.length);
}

interface Block {
  readonly firstKey: string;
  readonly at: number;
  readonly bytes: number;
}

/** One run, open for reading. */
export class PathRun {
  readonly range: RunRange;
  /** Bytes of the file. */
  readonly size: number;
  readonly #file: OpenFile;
  readonly #blocks: readonly Block[];

  private constructor(file: OpenFile, range: RunRange, blocks: readonly Block[]) {
    this.#file = file;
    this.size = file.size();
    this.range = range;
    this.#blocks = blocks;
  }

  /** Takes over the file where it succeeds. @throws DamagedPathIndexError when it is no whole run */
  static open(file: OpenFile): PathRun {
    const size = file.size();
    if (size < HEADER_BYTES + FOOTER_BYTES) throw new DamagedPathIndexError(`it has ${String(size)} bytes`);
    const header = readExactly(file, 0, HEADER_BYTES);
    if (header.toString("latin1", 0, RUN_MAGIC.length) !== RUN_MAGIC || header.readUInt32BE(8) !== RUN_VERSION) {
      throw new DamagedPathIndexError("it does not begin as a run of this version");
    }
    const footer = readExactly(file, size - FOOTER_BYTES, FOOTER_BYTES);
    const tableAt = Number(footer.readBigUInt64BE(0));
    if (tableAt < HEADER_BYTES || tableAt > size - FOOTER_BYTES)
      throw new DamagedPathIndexError("its table is nowhere");
    const table = readExactly(file, tableAt, size - tableAt - 4);
    if (runChecksum(header, table) !== footer.readInt32BE(12)) throw new DamagedPathIndexError("its table is damaged");
    const reader = new ByteReader(table, 0, table.length - 12);
    const blocks: Block[] = [];
    let at = HEADER_BYTES;
    for (let count = footer.readUInt32BE(8); count > 0; count--) {
      const firstKey = reader.latin1(reader.varint());
      const bytes = reader.varint();
      blocks.push({ firstKey, at, bytes });
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

  /** Blocks in the file. */
  get blockCount(): number {
    return this.#blocks.length;
  }

  /** The first key of a block; undefined behind the last. */
  firstKey(block: number): string | undefined {
    return this.#blocks[block]?.firstKey;
  }

  /** The first block that may have entries of a key. The block after it may too. */
  blockOf(key: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle] as Block).firstKey < key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** The entries of a block. @throws DamagedPathIndexError, and what the disk throws */
  readBlock(index: number): ByteReader {
    const { at, bytes, firstKey } = this.#blocks[index] as Block;
    const block = readExactly(this.#file, at, bytes);
    if (bytes < 4 || crc32Of(block, 4, bytes) !== block.readInt32BE(0)) {
      throw new DamagedPathIndexError(`the block of ${firstKey} at ${String(at)} is damaged`);
    }
    return new ByteReader(block, 4);
  }

  /** The entries of one key. @throws as `readBlock` */
  *find(key: string): Generator<PathEntry, undefined> {
    const scan = new RunScan(this);
    scan.seek(key);
    while (scan.entry?.key === key) {
      yield scan.entry;
      scan.next();
    }
    return undefined;
  }
}

/** A way through the entries of a run, forward alone. Its methods throw as `PathRun.readBlock`. */
export class RunScan {
  readonly #run: PathRun;
  #block = -1;
  #reader: ByteReader | undefined;
  #key = "";
  /** Where it is; undefined before the first `seek` or `next`, and at the end. */
  entry: PathEntry | undefined;

  constructor(run: PathRun) {
    this.#run = run;
  }

  /** Goes to the first entry with this key or a greater one, if it is not beyond already. */
  seek(key: string): void {
    if (this.entry !== undefined && this.entry.key >= key) return;
    const following = this.#run.firstKey(this.#block + 1);
    if (following !== undefined && following < key) {
      this.#block = Math.max(this.#block, this.#run.blockOf(key) - 1);
      this.#reader = undefined;
    }
    do this.next();
    while (this.entry !== undefined && this.entry.key < key);
  }

  /** Goes to the next entry. */
  next(): void {
    while (this.#reader === undefined || this.#reader.isAtEnd) {
      this.entry = undefined;
      if (this.#block + 1 >= this.#run.blockCount) return;
      this.#reader = this.#run.readBlock(++this.#block);
      this.#key = "";
    }
    const reader = this.#reader;
    const shared = reader.varint();
    const more = reader.varint();
    if (more > 0 || shared < this.#key.length) this.#key = this.#key.slice(0, shared) + reader.latin1(more);
    const posting = reader.varint();
    const newest = this.#run.range.last - Math.floor(posting / 2);
    const length = reader.varint();
    const oldest = length === 0 ? newest : newest - reader.varint();
    const start = reader.at;
    reader.skip(length);
    this.entry = {
      key: this.#key,
      newest: newest as Seq,
      isNewestRemoval: posting % 2 === 1,
      oldest: oldest as Seq,
      rest: new ByteReader(reader.bytes, start, reader.at),
    };
  }
}
