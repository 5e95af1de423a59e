import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexFromOid, oidFromHex } from "../../../../../daemon/history/object/oid.js";
import { OidList, sortedIndexes } from "../../../../../daemon/history/object/oid-list.js";
import { propertyParameters } from "../../../../support/seed.js";

/** Few different bytes, so that many oids begin alike and some are equal. */
const arbitraryHex = fc
  .array(fc.constantFrom("00", "01", "7f", "ff"), { minLength: 20, maxLength: 20 })
  .map((bytes) => bytes.join(""));
const likeHex = fc.constantFrom("00", "01", "fe").map((byte) => "80".repeat(10) + byte.repeat(10));

describe("OidList", () => {
  it("gives each oid back, and any part of the list in the order of the oids", () => {
    const lists = fc.array(fc.oneof(arbitraryHex, likeHex), { maxLength: 200 });
    fc.assert(
      fc.property(lists, fc.nat(200), (hexes, start) => {
        const list = OidList.of(hexes.map(oidFromHex));
        expect(list.length).toBe(hexes.length);
        expect(hexes.map((_, index) => hexFromOid(list.at(index)))).toEqual(hexes);
        const from = Math.min(start, hexes.length);
        const sorted = [...list.sorted(from, hexes.length)];
        expect(sorted.map((index) => hexes[index])).toEqual(hexes.slice(from).sort());
        expect(new Set(sorted).size).toBe(hexes.length - from);
      }),
      propertyParameters(100),
    );
  });
});

describe("sortedIndexes", () => {
  it("orders by key, and leaves those with equal keys in their order", () => {
    const keys = fc.array(fc.oneof(fc.nat(3), fc.nat(0xffffffff), fc.constant(0xffffffff)));
    fc.assert(
      fc.property(keys, (list) => {
        const expected = list.map((key, index) => ({ key, index })).sort((left, right) => left.key - right.key);
        expect([...sortedIndexes(list.length, (index) => list[index] as number)]).toEqual(
          expected.map(({ index }) => index),
        );
      }),
      propertyParameters(200),
    );
  });

  it("refuses more than it can tell apart", () => {
    expect(() => sortedIndexes(2 ** 21 + 1, () => 0)).toThrow(RangeError);
  });
});
