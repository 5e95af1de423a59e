/**
 * Journal lines as bytes: `crc32 json\n`, one after the other.
 *
 * Owns the buffer, the checksum and JSON's strings and numbers in ASCII. It writes bytes where they will stand, because on
 * the way from a commit to a write that is the only copy: putting a text together from twenty parts, flattening it and
 * turning it into bytes costs three times as much. It never looks at what the text says.
 *
 *   beginLine ─► ascii, string, integer … ─► endLine ─► beginLine …
 *           └──► an error: dropLine
 *
 * Invariants
 *  1. Everything written is ASCII between 0x20 and 0x7e, but for the newline that ends a line.
 *  2. After `dropLine`, and after an error of `endLine`, the lines before are as they were.
 */
import { Buffer } from "node:buffer";
import { crc32Of } from "../platform/crc32.js";
import type { ByteString } from "../../protocol/bytes.js";

const BYTES_MIN = 256 * 1024;
/** A buffer that had to be larger is let go. */
const BYTES_KEPT_MAX = 4 * 1024 * 1024;
/** Eight hexadecimal digits and a blank. */
const CHECKSUM_BYTES = 9;
/** From here on a call into native code is faster than a loop. */
const NATIVE_LENGTH_MIN = 96;
const DIGITS_MAX = 16;
/** Splits a number into two that are integers of 32 bits. */
const SPLIT = 1_000_000_000;
const SPLIT_DIGITS = 9;
const INT32_MAX = 0x7fffffff;

const ZERO = 0x30;
const LETTER_OF_TEN = 0x61 - 10;
const BLANK = 0x20;
const TILDE = 0x7e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;

const PLAIN = /^[ !#-[\]-~]*$/;
const BEYOND_ASCII = /[\x7f-\uffff]/g;

/** Lines that are being put together. */
export class LineBuffer {
  #bytes = Buffer.allocUnsafeSlow(BYTES_MIN);
  #end = 0;
  #lineStart = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#end;
  }

  /** Bytes of the line that is being written. */
  get lineLength(): number {
    return this.#end - this.#lineStart;
  }

  /** The lines so far; valid until the next change. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#end);
  }

  /** Begins anew. */
  clear(): void {
    this.#end = this.#lineStart = 0;
    if (this.#bytes.length > BYTES_KEPT_MAX) this.#bytes = Buffer.allocUnsafeSlow(BYTES_MIN);
  }

  beginLine(): void {
    this.#lineStart = this.#end;
    this.#reserve(CHECKSUM_BYTES);
    this.#end += CHECKSUM_BYTES;
  }

  /** Takes the line back that has been begun. */
  dropLine(): void {
    this.#end = this.#lineStart;
  }

  /** Ends the line: puts its checksum before it and a newline behind it. */
  endLine(): void {
    this.#reserve(1);
    const bytes = this.#bytes;
    const start = this.#lineStart + CHECKSUM_BYTES;
    let checksum = crc32Of(bytes, start, this.#end);
    for (let at = start - 2; at >= this.#lineStart; at--) {
      const digit = checksum & 0xf;
      bytes[at] = digit + (digit < 10 ? ZERO : LETTER_OF_TEN);
      checksum >>>= 4;
    }
    bytes[start - 1] = BLANK;
    bytes[this.#end++] = NEWLINE;
  }

  /** Writes a text as it is; the caller vouches for its characters. */
  ascii(text: string): void {
    const { length } = text;
    this.#reserve(length);
    const bytes = this.#bytes;
    let end = this.#end;
    if (length >= NATIVE_LENGTH_MIN) end += bytes.write(text, end, "latin1");
    else for (let index = 0; index < length; index++) bytes[end++] = text.charCodeAt(index);
    this.#end = end;
  }

  /**
   * Writes a JSON string.
   *
   * @throws RangeError for a string with characters that are no bytes
   */
  string(text: ByteString): void {
    if (text.length < NATIVE_LENGTH_MIN && this.#writePlain(text)) return;
    if (!isPlain(text)) {
      this.ascii(escaped(text));
      return;
    }
    this.ascii('"');
    this.ascii(text);
    this.ascii('"');
  }

  /** Writes a short string that needs no escapes; false, and nothing, when it needs some. */
  #writePlain(text: ByteString): boolean {
    this.#reserve(text.length + 2);
    const bytes = this.#bytes;
    let end = this.#end;
    bytes[end++] = QUOTE;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code < BLANK || code > TILDE || code === QUOTE || code === BACKSLASH) return false;
      bytes[end++] = code;
    }
    bytes[end++] = QUOTE;
    this.#end = end;
    return true;
  }

  /** Writes a number's decimal digits. @param value - a safe integer, not negative */
  integer(value: number): void {
    this.#reserve(DIGITS_MAX);
    if (value <= INT32_MAX) {
      this.#digits(value, digitsOf(value));
      return;
    }
    const high = Math.floor(value / SPLIT);
    this.#digits(high, digitsOf(high));
    this.#digits(value - high * SPLIT, SPLIT_DIGITS);
  }

  /** So many digits, with zeros in front. */
  #digits(value: number, count: number): void {
    const bytes = this.#bytes;
    let rest = value | 0;
    for (let at = this.#end + count - 1; at >= this.#end; at--) {
      const next = (rest / 10) | 0;
      bytes[at] = ZERO + rest - next * 10;
      rest = next;
    }
    this.#end += count;
  }

  #reserve(count: number): void {
    const needed = this.#end + count;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

/** Whether a string stands in a record as it is. */
export function isPlain(text: ByteString): boolean {
  return PLAIN.test(text);
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let rest = (value / 10) | 0; rest > 0; rest = (rest / 10) | 0) digits++;
  return digits;
}

function escaped(text: ByteString): string {
  return JSON.stringify(text).replace(BEYOND_ASCII, (character) => {
    const code = character.charCodeAt(0);
    if (code > 0xff) {
      throw new RangeError(
        `a string with U+${code.toString(16)} cannot stand in a journal record: it is no byte string`,
      );
    }
    return `\\u00${code.toString(16)}`;
  });
}
