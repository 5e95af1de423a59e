/**
 * CRC-32 as in zlib, of short stretches of bytes too.
 *
 * Owns the tables. A call into native code costs as much as some 200 bytes do here.
 */
import { crc32 } from "node:zlib";

/**
 * The CRC-32 of each byte, and of each byte with one, two and three zeros behind it: with four tables four bytes cost one
 * dependent step.
 */
const TABLES = [0, 1, 2, 3].map((zeros) =>
  Int32Array.from({ length: 256 }, (_, byte) => crc32(withZeros(byte, zeros)) ^ crc32(withZeros(0, zeros))),
) as [Int32Array, Int32Array, Int32Array, Int32Array];
const [CRC_0, CRC_1, CRC_2, CRC_3] = TABLES;
const LOOP_BYTES_MAX = 256;

function withZeros(byte: number, zeros: number): Uint8Array {
  return Uint8Array.from({ length: 1 + zeros }, (_, index) => (index === 0 ? byte : 0));
}

/** The CRC-32 of the bytes from `start` to `end`, as an int32. */
export function crc32Of(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > LOOP_BYTES_MAX) return crc32(bytes.subarray(start, end)) | 0;
  let register = -1;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    register ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    register =
      (CRC_3[register & 0xff] as number) ^
      (CRC_2[(register >>> 8) & 0xff] as number) ^
      (CRC_1[(register >>> 16) & 0xff] as number) ^
      (CRC_0[register >>> 24] as number);
  }
  for (; at < end; at++) register = (CRC_0[(register ^ (bytes[at] as number)) & 0xff] as number) ^ (register >>> 8);
  return ~register;
}
