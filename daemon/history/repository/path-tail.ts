/**
 * The newest commits of a path index: a file that grows at each seal until it is made a run.
 *
 * Owns the format. A record tells of the commits of one seal. Numbers are big-endian, or varints (`path-index-bytes.ts`).
 *
 *     header   8 magic │ 4 version │ 4 zero │ 8 seq of the first commit
 *     record   4 bytes of the touches │ 4 crc32 of what follows │ 4 commits │ 20 oid of the last commit │ touches
 *     touches  for each commit that touched a node: varint distance to the seq of the one before (for the first: to the last of
 *              the record before) │ varint how many │ so many times: varint 2 × the path's number + (1 for a removal), and for
 *              a path without a number, which gets the next one: varint its bytes │ those bytes
 *
 * Invariants
 *  1. The commits of a record follow those of the one before without a gap.
 *  2. A record that is not what was written, or not wholly there, ends the file. Zeros, which a disk may have put where it
 *     lost what was written, are no record.
 */
import { Buffer } from "node:buffer";
import type { Path, Seq } from "../../../protocol/identifiers.js";
import { crc32Of } from "../../platform/crc32.js";
import type { OpenFile } from "../../platform/file-system.js";
import type { Change } from "../../store/commit.js";
import { OID_BYTES, oidFromBytes, type Oid } from "../object/oid.js";
import { ByteReader, ByteWriter, DamagedPathIndexError, readExactly } from "./path-index-bytes.js";
import { PathNumbers, TouchList } from "./touch-list.js";

const MAGIC = "xs-tail\n";
const VERSION = 1;
const HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 12 + OID_BYTES;

/** A commit, and the touches up to it. */
interface TailRecord {
  readonly last: Seq;
  readonly lastOid: Oid;
  /** How many touches the commits up to this one have. */
  readonly touches: number;
}

/** The bytes before the first record. */
export function serializeTailHeader(first: Seq): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 0, "latin1");
  header.writeUInt32BE(VERSION, 8);
  header.writeBigUInt64BE(BigInt(first), 16);
  return header;
}

/** Makes the records of one tail. */
export class TailEncoder {
  readonly first: Seq;
  readonly #numbers = new PathNumbers();
  readonly #out = new ByteWriter(4096);
  /** The last commit that was noted, and the last that had touches. */
  #noted: number;
  #touched: number;
  /** The last commit of the record before. */
  #recorded: number;
  /** Postings of a run that is made of this. */
  postings = 0;

  constructor(first: Seq) {
    this.first = first;
    this.#noted = this.#touched = this.#recorded = first - 1;
    this.#out.length = RECORD_HEADER_BYTES;
  }

  /** How many paths it has. */
  get pathCount(): number {
    return this.#numbers.paths.length;
  }

  /** Whether commits were noted since the last record. */
  get hasNotes(): boolean {
    return this.#noted > this.#recorded;
  }

  /** Takes down the next commit, and which nodes it touched. */
  note(changes: readonly Change[]): void {
    const seq = ++this.#noted;
    let count = 0;
    for (const { kind } of changes) if (kind === "node") count++;
    if (count === 0) return;
    const out = this.#out;
    out.varint(seq - this.#touched);
    out.varint(count);
    this.#touched = seq;
    for (const change of changes) if (change.kind === "node") this.#noteTouch(change.path, change.after === undefined);
  }

  #noteTouch(path: Path, isRemoval: boolean): void {
    const out = this.#out;
    const numbers = this.#numbers;
    const known = numbers.find(path);
    const number = known ?? numbers.paths.length;
    out.varint(2 * number + (isRemoval ? 1 : 0));
    if (known === undefined) {
      out.varint(path.length);
      out.latin1(path);
      // A copy: the commit's own may be a part of something long.
      numbers.add(out.bytes.toString("latin1", out.length - path.length, out.length) as Path);
    }
    this.postings += numbers.depth(number);
  }

  /** The record of what was noted, the last of it being this commit; valid until the next note. */
  takeRecord(lastOid: Oid): Buffer {
    const { bytes, length } = this.#out;
    bytes.writeUInt32BE(length - RECORD_HEADER_BYTES, 0);
    bytes.writeUInt32BE(this.#noted - this.#recorded, 8);
    bytes.write(lastOid, 12, "latin1");
    bytes.writeInt32BE(crc32Of(bytes, 8, length), 4);
    this.#recorded = this.#touched = this.#noted;
    this.#out.length = RECORD_HEADER_BYTES;
    return bytes.subarray(0, length);
  }
}

/** A tail's file, open for reading; it may grow meanwhile. */
export class PathTail {
  readonly first: Seq;
  readonly paths: Path[] = [];
  readonly touches = new TouchList();
  readonly records: TailRecord[] = [];
  readonly #file: OpenFile;
  #end = HEADER_BYTES;

  private constructor(file: OpenFile, first: Seq) {
    this.#file = file;
    this.first = first;
  }

  /** Takes over the file where it succeeds; reads no record. @throws DamagedPathIndexError when it is no tail */
  static open(file: OpenFile): PathTail {
    const header = readExactly(file, 0, HEADER_BYTES);
    const first = Number(header.readBigUInt64BE(16));
    const isOurs = header.toString("latin1", 0, MAGIC.length) === MAGIC && header.readUInt32BE(8) === VERSION;
    if (!isOurs || !Number.isSafeInteger(first) || first < 1) {
      throw new DamagedPathIndexError("it does not begin as a tail of this version");
    }
    return new PathTail(file, first as Seq);
  }

  close(): void {
    this.#file.close();
  }

  /** The last commit that it tells of; the one before the first when it tells of none. */
  get last(): Seq {
    return this.records.at(-1)?.last ?? ((this.first - 1) as Seq);
  }

  /** Reads the next record; false when there is none yet. @throws DamagedPathIndexError, and what the disk throws */
  readRecord(): boolean {
    const left = this.#file.size() - this.#end;
    if (left < RECORD_HEADER_BYTES) return false;
    const length = readExactly(this.#file, this.#end, 4).readUInt32BE(0);
    if (length > left - RECORD_HEADER_BYTES) return false;
    const record = readExactly(this.#file, this.#end, RECORD_HEADER_BYTES + length);
    const commits = record.readUInt32BE(8);
    // That of zeros is not zero.
    if (crc32Of(record, 8, record.length) !== record.readInt32BE(4)) return false;
    this.#readTouches(new ByteReader(record, RECORD_HEADER_BYTES));
    this.records.push({
      last: (this.last + commits) as Seq,
      lastOid: oidFromBytes(record, 12),
      touches: this.touches.length,
    });
    this.#end += record.length;
    return true;
  }

  #readTouches(reader: ByteReader): void {
    let seq: number = this.last;
    while (!reader.isAtEnd) {
      seq += reader.varint();
      for (let count = reader.varint(); count > 0; count--) {
        const touch = reader.varint();
        const number = Math.floor(touch / 2);
        if (number === this.paths.length) this.paths.push(reader.latin1(reader.varint()) as Path);
        else if (number > this.paths.length) throw new DamagedPathIndexError("a path has no number");
        this.touches.add(seq as Seq, number, touch % 2 === 1);
      }
    }
  }
}
