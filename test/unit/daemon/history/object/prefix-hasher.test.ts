import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashBytes } from "../../../../../daemon/history/object/oid.js";
import { PrefixHasher } from "../../../../../daemon/history/object/prefix-hasher.js";
import { propertyParameters } from "../../../../support/seed.js";

describe("PrefixHasher", () => {
  it("hash is that of all the bytes, after any changes at any places (prefix hasher invariant 1)", () => {
    const change = fc.record({ at: fc.nat(40_000), byte: fc.nat(255), isHashed: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40_000 }), fc.array(change, { maxLength: 60 }), (size, changes) => {
        const bytes = Buffer.alloc(size, 1);
        const hasher = new PrefixHasher();
        expect(hasher.hash(bytes)).toBe(hashBytes(bytes));
        for (const { at, byte, isHashed } of changes) {
          const position = at % size;
          bytes[position] = byte;
          hasher.changed(position);
          if (isHashed) expect(hasher.hash(bytes)).toBe(hashBytes(bytes));
        }
        expect(hasher.hash(bytes)).toBe(hashBytes(bytes));
      }),
      propertyParameters(200),
    );
  });

  it("hash follows changes that walk up and down, also past the most states that are kept (invariant 2)", () => {
    const bytes = Buffer.alloc(100_000, 1);
    const hasher = new PrefixHasher();
    for (let round = 0; round < 3; round++) {
      for (let step = 0; step < 200; step++) {
        const position = (round === 1 ? 199 - step : step) * 500;
        bytes[position] = round + 2;
        hasher.changed(position);
        expect(hasher.hash(bytes)).toBe(hashBytes(bytes));
      }
    }
  });
});
