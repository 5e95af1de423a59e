/**
 * What the files of the path index are made of: numbers and texts, one after the other.
 *
 * Owns their coding. A `varint` is seven bits a byte, the lowest first, the top bit set on all but the last.
 */
import { Buffer } from "node:buffer";
import type { OpenFile } from "../../platform/file-system.js";
import { readFully } from "./seq-index.js";

/** Bytes of the longest varint: a safe integer has 53 bits. */
const VARINT_BYTES_MAX = 8;

/** A file of the path index is not what was written. */
export class DamagedPathIndexError extends Error {
  override readonly name = "DamagedPathIndexError";
}

/** Bytes that grow. */
export class ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Makes room for so many more bytes. */
  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.bytes.length, this.length + more));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  /** Appends a number that is not negative. */
  varint(value: number): void {
    if (this.length + VARINT_BYTES_MAX > this.bytes.length) this.reserve(VARINT_BYTES_MAX);
    if (value < 0x80) {
      this.bytes[this.length++] = value;
      return;
    }
    let rest = value;
    // Shifts are faster, and wrong beyond 31 bits.
    for (; rest >= 0x80 && rest < 0x40000000; rest >>>= 7) this.bytes[this.length++] = (rest & 0x7f) | 0x80;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  /** Appends a byte string. */
  latin1(text: string): void {
    this.reserve(text.length);
    this.bytes.write(text, this.length, "latin1");
    this.length += text.length;
  }

  /** Appends bytes. */
  copy(bytes: Buffer, from: number, to: number): void {
    this.reserve(to - from);
    bytes.copy(this.bytes, this.length, from, to);
    this.length += to - from;
  }

  /** The bytes so far, which stay valid until the next write. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

/** Reads what a writer wrote, in order. @throws DamagedPathIndexError at its end */
export class ByteReader {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  varint(): number {
    const first = this.at < this.end ? (this.bytes[this.at] as number) : 0x80;
    if (first < 0x80) {
      this.at++;
      return first;
    }
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      if (this.at >= this.end) throw new DamagedPathIndexError("it ends within a number");
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  latin1(length: number): string {
    this.skip(length);
    return this.bytes.toString("latin1", this.at - length, this.at);
  }

  skip(length: number): void {
    if (this.at + length > this.end) throw new DamagedPathIndexError("it ends within a text");
    this.at += length;
  }
}

/** Reads bytes that must be there. @throws DamagedPathIndexError */
export function readExactly(file: OpenFile, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  if (!readFully(file, bytes, position)) {
    throw new DamagedPathIndexError(`it ends before ${String(position + length)}`);
  }
  return bytes;
}
