/** Headers and streams read back by the project's own decoder; real Git reads them in `test/interop`. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeEntryHeader, inflateStream } from "../../../../../daemon/history/object/pack-decode.js";
import {
  ENTRY_HEADER_ROOM,
  OFFSET_DELTA,
  putDistance,
  putEntryHeader,
  storedStream,
} from "../../../../../daemon/history/object/pack-entry.js";
import { propertyParameters } from "../../../../support/seed.js";

describe("putEntryHeader and putDistance", () => {
  it("are what decodeEntryHeader reads", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), fc.integer({ min: 1, max: 2 ** 31 - 1 }), (size, distance) => {
        const bytes = Buffer.alloc(ENTRY_HEADER_ROOM + 1);
        const end = putDistance(bytes, putEntryHeader(bytes, 0, { type: OFFSET_DELTA, size }), distance);
        expect(end).toBeLessThanOrEqual(ENTRY_HEADER_ROOM);
        expect(decodeEntryHeader(bytes, 0)).toEqual({ kind: "offset-delta", distance, size, dataAt: end });
      }),
      propertyParameters(300),
    );
  });
});

describe("storedStream", () => {
  it("inflates to the data, and refuses more than a block", () => {
    for (const size of [0, 1, 300, 65_535]) {
      const data = Buffer.alloc(size, 0xfe);
      const stream = storedStream(data);
      expect(inflateStream({ bytes: stream, at: 0, size, lasting: false })?.equals(data)).toBe(true);
    }
    expect(() => storedStream(Buffer.alloc(65_536))).toThrow(RangeError);
  });
});
