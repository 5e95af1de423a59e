import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashObject, type Oid } from "../../../../../daemon/history/object/oid.js";
import { changedDirectories } from "../../../../../daemon/history/object/tree-compare.js";
import { serializeTree } from "../../../../../daemon/history/object/tree-object.js";
import { propertyParameters } from "../../../../support/seed.js";

type Entries = ReadonlyMap<string, Oid>;

function tree(entries: Entries): Buffer {
  const keys = [...entries.keys()].sort();
  return Buffer.from(
    serializeTree(
      keys,
      keys.map((key) => entries.get(key) as Oid),
    ),
    "latin1",
  );
}

const arbitraryEntries = fc
  .uniqueArray(
    fc.tuple(fc.constantFrom("a", "a-b", "a/", "ab/", "b/", "device", "device/", "device-model", "é/"), fc.nat(2)),
    {
      selector: ([key]) => key.replace("/", ""),
    },
  )
  .map((list): Entries => new Map(list.map(([key, value]) => [key, hashObject("blob", String(value))])));

describe("changedDirectories", () => {
  it("finds the directories of both versions that differ, in Git's order, whatever came and went", () => {
    fc.assert(
      fc.property(arbitraryEntries, arbitraryEntries, (before, after) => {
        const expected = [...after]
          .filter(([key, oid]) => key.endsWith("/") && before.has(key) && before.get(key) !== oid)
          .sort(([left], [right]) => (left < right ? -1 : 1))
          .map(([key, oid]) => ({ before: before.get(key), after: oid }));
        expect(changedDirectories(tree(before), tree(after))).toEqual(expected);
      }),
      propertyParameters(500),
    );
  });

  it("ends on bytes that are no tree", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (left, right) => {
        expect(Array.isArray(changedDirectories(Buffer.from(left), Buffer.from(right)))).toBe(true);
        expect(Array.isArray(changedDirectories(Buffer.from(left), Buffer.from(left)))).toBe(true);
      }),
      propertyParameters(500),
    );
  });
});
