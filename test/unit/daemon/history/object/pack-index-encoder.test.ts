/** Words of the index; the whole index is read back in pack.test.ts, and by real Git in test/interop. */
import { describe, expect, it } from "vitest";
import { bigEndian } from "../../../../../daemon/history/object/pack-index-encoder.js";

describe("bigEndian", () => {
  it("is the word whose bytes are the number's, highest first", () => {
    for (const value of [0, 1, 0x01020304, 0x80000000, 0xfffefdfc]) {
      const bytes = Buffer.from(Int32Array.of(bigEndian(value)).buffer);
      expect(bytes.readUInt32BE(0)).toBe(value);
    }
  });
});
