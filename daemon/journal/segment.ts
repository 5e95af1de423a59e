/**
 * Segments: the files of a journal.
 *
 * Owns their names, their header line and how lines are read from them. Knows nothing of which lines are good.
 *
 * A segment is called by the seq of its first commit in 16 digits, `0000000000000001.journal`, so that names sort as seqs do.
 * Its first line is a header, sealed like a record: `{"format":"xenstore-tng journal","version":1,"branch":"main","first":1}`.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../protocol/identifiers.js";
import type { FileSystem, OpenFile } from "../platform/file-system.js";
import { openLine, RECORD_BYTES_MAX, sealLine } from "./record.js";

const NAME = /^[0-9]{16}\.journal$/;
const FORMAT = "xenstore-tng journal";
const VERSION = 1;

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

/** The header line of a segment, with its newline. */
export function encodeHeader(header: { readonly first: Seq; readonly branch: string }): string {
  return sealLine(JSON.stringify({ format: FORMAT, version: VERSION, branch: header.branch, first: header.first }));
}

/** What `decodeHeader` made of a segment's first line; `damaged` and `intact` as for records. */
export type DecodedHeader =
  | { readonly ok: true; readonly branch: string; readonly first: Seq }
  | { readonly ok: false; readonly damaged: string; readonly intact: boolean };

/** Decodes a header line without its newline; never throws. */
export function decodeHeader(line: string): DecodedHeader {
  const json = openLine(line);
  if (json === undefined) return { ok: false, damaged: "the header's checksum does not match", intact: false };
  let header: { format?: unknown; version?: unknown; branch?: unknown; first?: unknown } | null;
  try {
    header = JSON.parse(json) as typeof header;
  } catch {
    return { ok: false, damaged: "the header is not JSON", intact: true };
  }
  if (header?.format !== FORMAT) return { ok: false, damaged: `the header does not say "${FORMAT}"`, intact: true };
  if (header.version !== VERSION) {
    const damaged = `it is in version ${JSON.stringify(header.version)} of the format and this daemon reads version ${String(VERSION)}`;
    return { ok: false, damaged, intact: true };
  }
  const { branch, first } = header;
  if (typeof branch !== "string" || typeof first !== "number") {
    return { ok: false, damaged: "the header names no branch or no first seq", intact: true };
  }
  return { ok: true, branch, first: first as Seq };
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

/**
 * Reads the lines of an open segment one after the other. It never reads beyond the limit that it is given, so what lies
 * there may still change.
 */
export class LineReader {
  readonly #file: OpenFile;
  #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
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
    if (rest.length >= this.#buffer.length) this.#buffer = Buffer.allocUnsafe(2 * this.#buffer.length);
    const wanted = Math.min(this.#buffer.length, limit - position);
    if (wanted <= 0) return false;
    const count = this.#file.read(this.#buffer.subarray(0, wanted), position);
    if (count === 0) return false;
    this.#text = rest + this.#buffer.toString("latin1", 0, count);
    return true;
  }
}
