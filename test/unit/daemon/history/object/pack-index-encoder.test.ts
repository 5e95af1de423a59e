/** Checksums and words of the index; the whole index is read back in pack.test.ts, and by real Git in test/interop. */
import fc from "fast-check";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { bigEndian, checksumOf } from "../../../../../daemon/history/object/pack-index-encoder.js";
import { propertyParameters } from "../../../../support/seed.js";

describe("checksumOf", () => {
  it("is zlib's CRC-32, for short stretches and long ones, wherever they begin", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(300), (bytes, one, other) => {
        const [start, end] = [Math.min(one, other, bytes.length), Math.min(Math.max(one, other), bytes.length)];
        expect(checksumOf(bytes, start, end) >>> 0).toBe(crc32(bytes.subarray(start, end)));
      }),
      propertyParameters(1000),
    );
  });
});

describe("bigEndian", () => {
  it("is the word whose bytes are the number's, highest first", () => {
    for (const value of [0, 1, 0x01020304, 0x80000000, 0xfffefdfc]) {
      const bytes = Buffer.from(Int32Array.of(bigEndian(value)).buffer);
      expect(bytes.readUInt32BE(0)).toBe(value);
    }
  });
});
