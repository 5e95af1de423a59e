/**
 * Text in ASCII as bytes: JSON's strings and numbers, written where they will stand.
 *
 * Owns a buffer that grows. On the way from a value to a file that is the only copy: putting a text together from twenty
 * parts, flattening it and turning it into bytes costs three times as much. It never looks at what the text says.
 *
 * Invariants
 *  1. Everything that `string`, `stringOf` and `integer` write is ASCII between 0x20 and 0x7e.
 *  2. After an error of `string` everything is as it was before.
 *  3. A string that is one of the last two that were written is copied from there: a record often tells a path and a value
 *     twice.
 */
import { Buffer } from "node:buffer";
import type { ByteString } from "./bytes.js";

const BYTES_MIN = 256 * 1024;
/** A buffer that had to be larger is let go. */
const BYTES_KEPT_MAX = 4 * 1024 * 1024;
/** From here on a call into native code is faster than a loop. */
const NATIVE_LENGTH_MIN = 64;
/** Shorter strings are written anew as fast as they are found and copied. */
const REPEATED_LENGTH_MIN = 8;
/** Bytes of the longest escape, `\u00XX`. */
const ESCAPE_BYTES_MAX = 6;
/** Of a safe integer. */
const DIGITS_MAX = 16;
/** A larger number is told in two parts that have 31 bits: a safe integer has no more than 9,007,199 thousand millions. */
const BILLION = 1_000_000_000;
const BILLION_DIGITS = 9;
const INT32_MAX = 0x7fffffff;

const ZERO = 0x30;
const LETTER_OF_TEN = 0x61 - 10;
const LETTER_U = 0x75;
const BLANK = 0x20;
const TILDE = 0x7e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The control characters that JSON gives a letter, as `JSON.stringify` does. */
const LETTERS: ReadonlyMap<number, number> = new Map([
  [0x08, 0x62],
  [0x09, 0x74],
  [0x0a, 0x6e],
  [0x0c, 0x66],
  [0x0d, 0x72],
]);

const PLAIN = /^[ !#-[\]-~]*$/;
/** As most payloads are: a path, a NUL, perhaps a value. */
const PLAIN_BUT_FOR_ONE_NUL = /^[ !#-[\]-~]*\0?[ !#-[\]-~]*$/;
const ESCAPED_NUL = "\\u0000";

/** By byte: 1 where JSON takes it as it is. */
const IS_PLAIN: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) =>
  code < BLANK || code > TILDE || code === QUOTE || code === BACKSLASH ? 0 : 1,
);

/** Where a byte string stands in memory. */
export interface ByteRange {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** The ASCII code of a hexadecimal digit, in lower case. */
export function hexDigit(value: number): number {
  return value + (value < 10 ? ZERO : LETTER_OF_TEN);
}

/** A text's bytes, for `encoded`. @param text - ASCII */
export function encodeAscii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

/** Whether a byte string stands in JSON as it is, without escapes. */
export function isPlain(text: ByteString): boolean {
  return PLAIN.test(text);
}

/** Text that is being put together. */
export class AsciiBuffer {
  #bytes = Buffer.allocUnsafeSlow(BYTES_MIN);
  #end = 0;
  /** Invariant 3: two strings, where they begin, and how long they are with quotes and escapes; forgotten when what they stand in goes. */
  #lastText = "";
  #lastStart = 0;
  #lastLength = 0;
  #secondText = "";
  #secondStart = 0;
  #secondLength = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#end;
  }

  /** What was written so far; valid until the next change. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#end);
  }

  /** The bytes with room behind them, for what must be mended in place; valid until the next change. */
  protected get target(): Buffer {
    return this.#bytes;
  }

  /** Begins anew. */
  clear(): void {
    this.#end = 0;
    this.#forgetStrings();
    if (this.#bytes.length > BYTES_KEPT_MAX) this.#bytes = Buffer.allocUnsafeSlow(BYTES_MIN);
  }

  /** Takes back what was written behind the first `length` bytes. */
  truncate(length: number): void {
    this.#end = Math.min(this.#end, length);
    this.#forgetStrings();
  }

  /** Leaves room for bytes that are written later. */
  protected skip(count: number): void {
    this.#reserve(count);
    this.#end += count;
  }

  /** Writes one character; the caller vouches for it. */
  code(code: number): void {
    this.#reserve(1);
    this.#bytes[this.#end++] = code;
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

  /** Writes a text that was encoded before; for what is written often, because it is faster than `ascii`. */
  encoded(text: Uint8Array): void {
    const { length } = text;
    this.#reserve(length);
    const bytes = this.#bytes;
    let end = this.#end;
    for (let index = 0; index < length; index++) bytes[end++] = text[index] ?? 0;
    this.#end = end;
  }

  /**
   * Writes a JSON string.
   *
   * @throws RangeError for a string with characters that are no bytes
   */
  string(text: ByteString): void {
    if (text.length < REPEATED_LENGTH_MIN) {
      this.#writeString(text);
    } else if (text === this.#secondText) {
      this.#repeat(this.#secondStart, this.#secondLength);
    } else if (text === this.#lastText) {
      this.#repeat(this.#lastStart, this.#lastLength);
    } else {
      const start = this.#end;
      this.#writeString(text);
      this.#secondText = this.#lastText;
      this.#secondStart = this.#lastStart;
      this.#secondLength = this.#lastLength;
      this.#lastText = text;
      this.#lastStart = start;
      this.#lastLength = this.#end - start;
    }
  }

  #writeString(text: ByteString): void {
    const { length } = text;
    if (length >= NATIVE_LENGTH_MIN && PLAIN_BUT_FOR_ONE_NUL.test(text)) {
      const at = text.indexOf("\0");
      this.code(QUOTE);
      this.ascii(at < 0 ? text : text.slice(0, at));
      if (at >= 0) {
        this.ascii(ESCAPED_NUL);
        this.ascii(text.slice(at + 1));
      }
      this.code(QUOTE);
      return;
    }
    this.#reserve(ESCAPE_BYTES_MAX * length + 2);
    const bytes = this.#bytes;
    let end = this.#end;
    bytes[end++] = QUOTE;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code < BLANK || code > TILDE || code === QUOTE || code === BACKSLASH) end = writeEscape(bytes, end, code);
      else bytes[end++] = code;
    }
    bytes[end++] = QUOTE;
    this.#end = end;
  }

  /** Writes a JSON string of bytes that are no string yet. */
  stringOf({ bytes: source, start, end: sourceEnd }: ByteRange): void {
    this.#reserve(ESCAPE_BYTES_MAX * (sourceEnd - start) + 2);
    const bytes = this.#bytes;
    let end = this.#end;
    bytes[end++] = QUOTE;
    for (let index = start; index < sourceEnd; index++) {
      const code = source[index] ?? 0;
      if (IS_PLAIN[code] === 1) bytes[end++] = code;
      else end = writeEscape(bytes, end, code);
    }
    bytes[end++] = QUOTE;
    this.#end = end;
  }

  /** Writes a number's decimal digits. @param value - a safe integer, not negative */
  integer(value: number): void {
    this.#reserve(DIGITS_MAX);
    if (value <= INT32_MAX) {
      this.#digits(value | 0, digitsOf(value | 0));
      return;
    }
    const high = Math.floor(value / BILLION);
    const low = value - high * BILLION;
    this.#digits(high | 0, digitsOf(high | 0));
    this.#digits(low | 0, BILLION_DIGITS);
  }

  /** Writes a number of 31 bits with so many digits, for which there is room. */
  #digits(value: number, count: number): void {
    const bytes = this.#bytes;
    const start = this.#end;
    let rest = value;
    for (let at = start + count - 1; at >= start; at--) {
      const next = (rest / 10) | 0;
      bytes[at] = ZERO + rest - next * 10;
      rest = next;
    }
    this.#end = start + count;
  }

  /** Writes once more what stands at `start`. */
  #repeat(start: number, length: number): void {
    this.#reserve(length);
    const bytes = this.#bytes;
    let end = this.#end;
    for (let from = start; from < start + length; from++) bytes[end++] = bytes[from] as number;
    this.#end = end;
  }

  #forgetStrings(): void {
    this.#lastText = "";
    this.#secondText = "";
  }

  #reserve(count: number): void {
    const needed = this.#end + count;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

/** Writes an escape where there is room for it, and returns its end. */
function writeEscape(bytes: Buffer, start: number, code: number): number {
  let end = start;
  if (code > 0xff) {
    throw new RangeError(`a string with U+${code.toString(16)} cannot be written: it is no byte string`);
  }
  bytes[end++] = BACKSLASH;
  const letter = code === QUOTE || code === BACKSLASH ? code : LETTERS.get(code);
  if (letter !== undefined) {
    bytes[end++] = letter;
    return end;
  }
  bytes[end++] = LETTER_U;
  bytes[end++] = ZERO;
  bytes[end++] = ZERO;
  bytes[end++] = hexDigit(code >> 4);
  bytes[end++] = hexDigit(code & 0xf);
  return end;
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let rest = (value / 10) | 0; rest > 0; rest = (rest / 10) | 0) digits++;
  return digits;
}
