/** Deltas applied again by the project's own reader. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deltaScratch, encodeDelta } from "../../../../../daemon/history/object/delta.js";
import { applyDelta } from "../../../../../daemon/history/object/pack-decode.js";
import { TreeEdit } from "../../../../../daemon/history/object/tree-edit.js";
import { propertyParameters } from "../../../../support/seed.js";

function deltaOf(now: Buffer, edit: TreeEdit, start = 0): Buffer {
  const padded = Buffer.concat([Buffer.alloc(start), now]);
  const length = encodeDelta(padded, start, edit);
  return Buffer.from(deltaScratch().subarray(0, length));
}

describe("encodeDelta", () => {
  it("makes the new bytes of the old ones, after any splices", () => {
    const splice = fc.record({ at: fc.nat(400_000), removed: fc.nat(300), inserted: fc.nat(300) });
    fc.assert(
      fc.property(
        fc.constantFrom(0, 40, 300, 70_000, 300_000),
        fc.array(splice, { maxLength: 5 }),
        fc.nat(20),
        (size, splices, start) => {
          const old = Buffer.alloc(size, "abcdefghijk");
          let now = old;
          const edit = new TreeEdit(size);
          for (const [index, { at, removed, inserted }] of splices.entries()) {
            const position = now.length === 0 ? 0 : at % now.length;
            const gone = Math.min(removed, now.length - position);
            now = Buffer.concat([
              now.subarray(0, position),
              Buffer.alloc(inserted, index),
              now.subarray(position + gone),
            ]);
            edit.splice(position, gone, inserted);
          }
          const delta = deltaOf(now, edit, start);
          expect(applyDelta(old, delta, 1_000_000).equals(now)).toBe(true);
        },
      ),
      propertyParameters(200),
    );
  });

  it("takes memory for what is new, not for a large directory's size", () => {
    const old = Buffer.alloc(20_000_000, "abcdefghijk");
    const edit = new TreeEdit(old.length);
    edit.splice(12_345_678, 0, 230);
    const now = Buffer.concat([old.subarray(0, 12_345_678), Buffer.alloc(230, 1), old.subarray(12_345_678)]);
    const delta = deltaOf(now, edit);
    expect(applyDelta(old, delta, 30_000_000).equals(now)).toBe(true);
    expect(deltaScratch().length).toBeLessThan(100_000);
  });

  it("one replaced oid in a directory of 33,000 bytes takes 36 bytes at most", () => {
    const now = Buffer.alloc(33_000, 7);
    for (const at of [0, 20, 12_345, 32_980]) {
      const edit = new TreeEdit(now.length);
      edit.splice(at, 20, 20);
      expect(deltaOf(now, edit).length).toBeLessThanOrEqual(36);
    }
  });
});
