/**
 * Segments: the files of a journal.
 *
 * Owns their names, their header line and how lines are read from them. Knows nothing of which lines are good.
 *
 * A segment is called by the seq of its first commit in 16 digits, `0000000000000001.journal`, so that names sort as seqs do.
 * Its first line is a header, sealed like a record:
 * `{"format":"xenstore-tng journal","version":2,"branch":"main","first":1,"boot":"0c1f…"}`. `boot` is the kernel's boot id
 * while the segment was written, left out where there is none; version 1 had no `boot` and is read too.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../protocol/identifiers.js";
import type { FileSystem, OpenFile } from "../platform/file-system.js";
import { openLine, RECORD_BYTES_MAX, sealLine } from "./record.js";

const NAME = /^[0-9]{16}\.journal$/;
const FORMAT = "xenstore-tng journal";
const VERSION = 2;
const VERSION_OLDEST = 1;

/** A segment as its directory entry tells it. */
export interface SegmentName {
  readonly name: string;
  /** Seq of its first commit, or of the one that will be. */
  readonly first: Seq;
}

/** The name of the segment that starts with `first`. */
export function segmentName(first: Seq): string {
  return `${String(first).padStart(16, "0")}.journal`;
}

/** The segments in a directory in the order of their seqs; other files are none of ours. */
export function listSegments(fileSystem: FileSystem, directory: string): SegmentName[] {
  const names = fileSystem.list(directory).filter((name) => NAME.test(name));
  return names.sort().map((name) => ({ name, first: Number(name.slice(0, 16)) as Seq }));
}

/** What the header of a segment says. */
export interface SegmentHeader {
  readonly branch: string;
  readonly first: Seq;
  /** The kernel's boot id while the segment was written; undefined where there was none. */
  readonly boot: string | undefined;
}

/** The header line of a segment, with its newline. */
export function encodeHeader({ branch, first, boot }: SegmentHeader): string {
  return sealLine(JSON.stringify({ format: FORMAT, version: VERSION, branch, first, boot }));
}

/**
 * What `decodeHeader` made of a segment's first line; `damaged` and `intact` as for records. `isForeign` is a header in a
 * version of the format that this daemon does not know.
 */
export type DecodedHeader =
  | ({ readonly ok: true; readonly version: number } & SegmentHeader)
  | { readonly ok: false; readonly damaged: string; readonly intact: boolean; readonly isForeign: boolean };

/** Decodes a header line without its newline; never throws. */
export function decodeHeader(line: string): DecodedHeader {
  const json = openLine(line);
  if (json === undefined) {
    return { ok: false, damaged: "the header's checksum does not match", intact: false, isForeign: false };
  }
  const refused = (damaged: string, isForeign = false): DecodedHeader => ({
    ok: false,
    damaged,
    intact: true,
    isForeign,
  });
  let header: Readonly<Record<string, unknown>> | null;
  try {
    header = JSON.parse(json) as typeof header;
  } catch {
    return refused("the header is not JSON");
  }
  if (header?.["format"] !== FORMAT) return refused(`the header does not say "${FORMAT}"`);
  const { version, branch, first, boot } = header;
  if (version !== VERSION && version !== VERSION_OLDEST) {
    const known = `${String(VERSION_OLDEST)} and ${String(VERSION)}`;
    return refused(
      `it is in version ${JSON.stringify(version)} of the format, and this daemon reads versions ${known}`,
      true,
    );
  }
  if (typeof branch !== "string" || typeof first !== "number") {
    return refused("the header names no branch or no first seq");
  }
  if (boot !== undefined && typeof boot !== "string") return refused("the header's boot id is no text");
  return { ok: true, version, branch, first: first as Seq, boot };
}

/** Whether a segment with this header may be appended to in this boot: all lines of a segment are of one boot. */
export function isOfBoot(header: DecodedHeader | undefined, bootId: string | undefined): boolean {
  return header?.ok === true && bootId !== undefined && header.boot === bootId;
}

/** A line of a segment. */
export interface Line {
  /** Where it starts, in bytes. */
  readonly offset: number;
  /** Its bytes without the newline. */
  readonly text: string;
  /** Where the next one starts, in bytes. */
  readonly end: number;
}

const CHUNK_BYTES = 256 * 1024;
/** Where no more than this is to be read, a whole chunk would cost more than the reading. */
const SMALL_CHUNK_BYTES = 4096;

/**
 * Reads the lines of an open segment one after the other. It never reads beyond the limit that it is given, so what lies
 * there may still change.
 */
export class LineReader {
  readonly #file: OpenFile;
  #buffer = Buffer.alloc(0);
  /** What was read and not yet returned starts at `#at` in `#text`. */
  #text = "";
  #at = 0;
  /** Where in `#text` to look for the next newline: everything before has been searched. */
  #searched = 0;
  #offset: number;

  /** @param offset - where to begin, in bytes */
  constructor(file: OpenFile, offset = 0) {
    this.#file = file;
    this.#offset = offset;
  }

  /** Byte offset after the last line that was returned. */
  get offset(): number {
    return this.#offset;
  }

  /** What follows the last line that was returned, as far as `next` has read: all up to its limit where it found no line. */
  get rest(): string {
    return this.#text.slice(this.#at);
  }

  /**
   * The next line that ends at or before `limit`, or undefined where there is none. A line of more than
   * `RECORD_BYTES_MAX` is none.
   *
   * @param limit - byte offset, not smaller than in the call before
   */
  next(limit: number): Line | undefined {
    for (;;) {
      const newline = this.#text.indexOf("\n", this.#searched);
      if (newline !== -1) {
        const text = this.#text.slice(this.#at, newline);
        const offset = this.#offset;
        this.#at = this.#searched = newline + 1;
        this.#offset += text.length + 1;
        return { offset, text, end: this.#offset };
      }
      if (!this.#fill(limit)) return undefined;
    }
  }

  #fill(limit: number): boolean {
    const rest = this.#text.slice(this.#at);
    this.#text = rest;
    this.#at = 0;
    this.#searched = rest.length;
    if (rest.length > RECORD_BYTES_MAX) return false;
    const position = this.#offset + rest.length;
    if (rest.length >= this.#buffer.length || this.#buffer.length < CHUNK_BYTES)
      this.#grow(limit - position, rest.length);
    const wanted = Math.min(this.#buffer.length, limit - position);
    if (wanted <= 0) return false;
    const count = this.#file.read(this.#buffer.subarray(0, wanted), position);
    if (count === 0) return false;
    this.#text = rest + this.#buffer.toString("latin1", 0, count);
    return true;
  }

  /** Makes the buffer large enough for `available` bytes or a chunk, and larger where a line is longer than it. */
  #grow(available: number, restLength: number): void {
    const { length } = this.#buffer;
    const least = available <= SMALL_CHUNK_BYTES ? SMALL_CHUNK_BYTES : CHUNK_BYTES;
    const wanted = restLength >= Math.max(length, CHUNK_BYTES) ? 2 * length : least;
    if (wanted > length) this.#buffer = Buffer.allocUnsafe(wanted);
  }
}
