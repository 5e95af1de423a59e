/**
 * From a commit's seq to its oid: a derived file per branch, a header and 20 bytes per commit.
 *
 * Owns the format and the reading; `seq-index-writer.ts` writes. It never decides whether a record is true: the file is
 * derived, not synced, and a disk may have lost any part of it. `find-commit.ts` compares each record with the commit that
 * it names, and walks where the file is of no help.
 *
 *   store.git/xenstore-tng/seq/main     8 bytes magic │ 4 version │ 4 zero │ 8 first seq │ n × 20 oid of commit first + i
 *
 * The first seq need not be 1: history may have been given up below a boundary, or not be indexed yet, or be in the index of the
 * branch that a fork was made from. Numbers are big-endian.
 *
 * Invariants
 *  1. A record that is wholly in the file and not zero is what the writer wrote there, or damage; it is never looked for
 *     elsewhere in the file.
 *  2. Looking up a seq that the file does not have costs no more than opening it again: a writer may have replaced it.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem, OpenFile, OpenMode } from "../../platform/file-system.js";
import { OID_BYTES, type Oid } from "../object/oid.js";
import { isErrno } from "../../platform/errno.js";

/** Which branch's index. */
export interface SeqIndexPlace {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  /** Full name of the branch's ref. */
  readonly ref: string;
}

const MAGIC = "xs-seqs\n";
const VERSION = 1;
/** Bytes before the first record. */
export const SEQ_HEADER_BYTES = 24;
const NO_OID = "\0".repeat(OID_BYTES);
const BRANCHES = "refs/heads/";

/** Where the index of a branch is. */
export function seqIndexPath({ repositoryDirectory, ref }: Pick<SeqIndexPlace, "repositoryDirectory" | "ref">): string {
  return `${repositoryDirectory}/xenstore-tng/seq/${branchFileName(ref)}`;
}

/** What a branch's files are called. Its `/` becomes `:`, which no ref name has, so that those of all branches are in one directory. */
export function branchFileName(ref: string): string {
  const name = ref.startsWith(BRANCHES) ? ref.slice(BRANCHES.length) : ref;
  return name.replaceAll("/", ":");
}

/** The bytes before the first record. */
export function serializeSeqHeader(first: Seq): Buffer {
  const header = Buffer.alloc(SEQ_HEADER_BYTES);
  header.write(MAGIC, 0, "latin1");
  header.writeUInt32BE(VERSION, MAGIC.length);
  header.writeBigUInt64BE(BigInt(first), 16);
  return header;
}

/** An open index file, as of its opening. */
export interface SeqFile {
  readonly file: OpenFile;
  /** The commit of the first record. */
  readonly first: Seq;
  /** The commit of the last whole record; `first - 1` without any. Who writes to the file keeps it up to date. */
  last: number;
}

/**
 * Opens an index file; undefined when there is none, or none that this version can read (the writer makes a new one then).
 *
 * @param mode - not `create`
 */
export function openSeqFile(fileSystem: FileSystem, path: string, mode: OpenMode): SeqFile | undefined {
  let file: OpenFile;
  try {
    file = fileSystem.open(path, mode);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "EISDIR")) return undefined;
    throw error;
  }
  try {
    const header = Buffer.alloc(SEQ_HEADER_BYTES);
    if (readFully(file, header, 0) && isOurs(header)) {
      const first = Number(header.readBigUInt64BE(16)) as Seq;
      if (first >= 1 && Number.isSafeInteger(first)) {
        const count = Math.floor((file.size() - SEQ_HEADER_BYTES) / OID_BYTES);
        return { file, first, last: first + count - 1 };
      }
    }
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return undefined;
}

function isOurs(header: Buffer): boolean {
  return header.toString("latin1", 0, MAGIC.length) === MAGIC && header.readUInt32BE(MAGIC.length) === VERSION;
}

/** Fills `target`; false when the file ends before. */
export function readFully(file: OpenFile, target: Buffer, position: number): boolean {
  for (let filled = 0; filled < target.length;) {
    const count = file.read(filled === 0 ? target : target.subarray(filled), position + filled);
    if (count <= 0) return false;
    filled += count;
  }
  return true;
}

/** Where the record of `seq` begins in a file whose first record is that of `first`. */
export function seqRecordAt(first: Seq, seq: number): number {
  return SEQ_HEADER_BYTES + (seq - first) * OID_BYTES;
}

const scratch = Buffer.alloc(OID_BYTES);

/** The record of `seq`; undefined when the file does not have it, or has zeros there (a part that a disk lost). */
export function readSeqRecord({ file, first }: Pick<SeqFile, "file" | "first">, seq: number): Oid | undefined {
  if (seq < first || !readFully(file, scratch, seqRecordAt(first, seq))) return undefined;
  const oid = scratch.toString("latin1");
  return oid === NO_OID ? undefined : (oid as Oid);
}

/** The index of one branch, for reading. One belongs to one thread; the writer may be another thread or process. */
export class SeqIndex {
  readonly #place: SeqIndexPlace;
  #open: SeqFile | undefined;

  constructor(place: SeqIndexPlace) {
    this.#place = place;
  }

  /**
   * What the index says is the oid of commit `seq`; undefined when it does not know. Read the commit and compare its seq:
   * `findCommit` does.
   *
   * @throws what the disk throws, but for a missing file
   */
  oidOfSeq(seq: number): Oid | undefined {
    const known = this.#open;
    const oid = known === undefined ? undefined : readSeqRecord(known, seq);
    if (oid !== undefined) return oid;
    this.close();
    this.#open = openSeqFile(this.#place.fileSystem, seqIndexPath(this.#place), "read");
    return this.#open === undefined ? undefined : readSeqRecord(this.#open, seq);
  }

  /** The first commit that the index has, as far as it was read last; undefined without a file. Looks for one when there was none. */
  firstSeq(): Seq | undefined {
    this.#open ??= openSeqFile(this.#place.fileSystem, seqIndexPath(this.#place), "read");
    return this.#open?.first;
  }

  /** Whether the index has this commit. A file that was opened before its branch was removed and made anew is opened again. */
  has(seq: number, oid: Oid): boolean {
    if (this.oidOfSeq(seq) === oid) return true;
    this.close();
    return this.oidOfSeq(seq) === oid;
  }

  /** Whether the index ends before commit `seq`, as far as it was read last. */
  isBeyond(seq: number): boolean {
    return this.#open === undefined || seq > this.#open.last;
  }

  /** Closes the file; it may be used again. */
  close(): void {
    this.#open?.file.close();
    this.#open = undefined;
  }
}
