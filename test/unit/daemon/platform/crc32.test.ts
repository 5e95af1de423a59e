import fc from "fast-check";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { crc32Of } from "../../../../daemon/platform/crc32.js";
import { propertyParameters } from "../../../support/seed.js";

describe("crc32Of", () => {
  it("is zlib's CRC-32, for short stretches and long ones, wherever they begin", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(300), (bytes, one, other) => {
        const [start, end] = [Math.min(one, other, bytes.length), Math.min(Math.max(one, other), bytes.length)];
        expect(crc32Of(bytes, start, end) >>> 0).toBe(crc32(bytes.subarray(start, end)));
      }),
      propertyParameters(1000),
    );
  });
});
