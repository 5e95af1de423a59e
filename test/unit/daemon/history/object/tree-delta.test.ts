import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashObject, type Oid } from "../../../../../daemon/history/object/oid.js";
import { applyDelta } from "../../../../../daemon/history/object/pack-decode.js";
import { encodeTreeDelta } from "../../../../../daemon/history/object/tree-delta.js";
import { serializeTree } from "../../../../../daemon/history/object/tree-object.js";
import { propertyParameters } from "../../../../support/seed.js";

const LIMIT = 1 << 30;

function tree(entries: ReadonlyMap<string, number>): Buffer {
  const keys = [...entries.keys()].sort();
  const oids = keys.map((key): Oid => hashObject("blob", String(entries.get(key))));
  return Buffer.from(serializeTree(keys, oids), "latin1");
}

const arbitraryTree = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.nat(3), fc.boolean()), { selector: ([name]) => name })
  .map((entries) =>
    tree(new Map(entries.map(([name, value, isDirectory]) => [`n${String(name)}${isDirectory ? "/" : ""}`, value]))),
  );

describe("encodeTreeDelta", () => {
  it("makes the target from the base, for trees and for any other bytes", () => {
    fc.assert(
      fc.property(arbitraryTree, arbitraryTree, fc.uint8Array({ maxLength: 300 }), (left, right, noise) => {
        for (const [base, target] of [
          [left, right],
          [left, Buffer.from(noise)],
          [Buffer.from(noise), right],
        ] as const) {
          expect(applyDelta(base, encodeTreeDelta(base, target), LIMIT).equals(target)).toBe(true);
        }
      }),
      propertyParameters(500),
    );
  });

  it("one changed child of 1,000, an entry that came and one that went each cost less than 64 bytes", () => {
    const entries = new Map(Array.from({ length: 1000 }, (_, index) => [`${String(index)}/`, index]));
    const base = tree(entries);
    const changed = tree(new Map([...entries, ["500/", -1]]));
    const added = tree(new Map([...entries, ["5000/", 1]]));
    const removed = tree(new Map([...entries].filter(([name]) => name !== "77/")));
    for (const target of [changed, added, removed]) {
      expect(encodeTreeDelta(base, target).length).toBeLessThan(64);
    }
  });

  it("entries that came in several places cost an insertion each, not everything between them", () => {
    const entries = new Map(Array.from({ length: 1000 }, (_, index) => [`${String(index)}/`, index]));
    const target = tree(new Map([...entries, ["10x", 1], ["500x", 2], ["990x", 3]]));
    expect(encodeTreeDelta(tree(entries), target).length).toBeLessThan(250);
  });
});
