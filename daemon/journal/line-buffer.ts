/**
 * Journal lines as bytes: `crc32 json\n`, one after the other.
 *
 * Owns the frame of a line and its checksum; `protocol/ascii-buffer.ts` owns the buffer and JSON's strings and numbers, and
 * says why lines are made as bytes.
 *
 *   beginLine ─► ascii, string, integer … ─► endLine ─► beginLine …
 *           └──► an error: dropLine
 *
 * Invariants
 *  1. Everything written is ASCII between 0x20 and 0x7e, but for the newline that ends a line.
 *  2. After `dropLine`, and after an error of `endLine`, the lines before are as they were.
 */
import { AsciiBuffer, hexDigit } from "../../protocol/ascii-buffer.js";
import { crc32Of } from "../platform/crc32.js";

/** Eight hexadecimal digits and a blank. */
const CHECKSUM_BYTES = 9;
const BLANK = 0x20;
const NEWLINE = 0x0a;

/** Lines that are being put together. */
export class LineBuffer extends AsciiBuffer {
  #lineStart = 0;

  /** Bytes of the line that is being written. */
  get lineLength(): number {
    return this.length - this.#lineStart;
  }

  override clear(): void {
    super.clear();
    this.#lineStart = 0;
  }

  beginLine(): void {
    this.#lineStart = this.length;
    this.skip(CHECKSUM_BYTES);
  }

  /** Takes the line back that has been begun. */
  dropLine(): void {
    this.truncate(this.#lineStart);
  }

  /** Ends the line: puts its checksum before it and a newline behind it. */
  endLine(): void {
    const { length: end } = this;
    this.code(NEWLINE);
    const bytes = this.target;
    const start = this.#lineStart + CHECKSUM_BYTES;
    let checksum = crc32Of(bytes, start, end);
    for (let at = start - 2; at >= this.#lineStart; at--) {
      bytes[at] = hexDigit(checksum & 0xf);
      checksum >>>= 4;
    }
    bytes[start - 1] = BLANK;
  }
}
