/** The trace of edits against a model that applies them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TreeEdit } from "../../../../../daemon/history/object/tree-edit.js";
import { propertyParameters } from "../../../../support/seed.js";

/** What the pieces make of the old bytes; new bytes are taken from the new content, as a delta does. */
function rebuild(edit: TreeEdit, old: string, now: string): string {
  let made = "";
  for (let index = 0; index < edit.count; index++) {
    const start = edit.startOf(index);
    const length = edit.lengthOf(index);
    made += start < 0 ? now.slice(made.length, made.length + length) : old.slice(start, start + length);
  }
  return made;
}

describe("TreeEdit", () => {
  it("one replaced stretch is copy, new, copy", () => {
    const edit = new TreeEdit(100);
    edit.splice(40, 20, 20);
    expect([0, 1, 2].map((index) => [edit.startOf(index), edit.lengthOf(index)])).toEqual([
      [0, 40],
      [-1, 20],
      [60, 40],
    ]);
    expect(edit.count).toBe(3);
  });

  it("any splices lead from the old bytes to the new ones, and unchanged bytes are copies", () => {
    const splice = fc.record({ at: fc.nat(60), removed: fc.nat(12), inserted: fc.nat(12) });
    fc.assert(
      fc.property(fc.nat(50), fc.array(splice, { maxLength: 12 }), (size, splices) => {
        // Every byte is different, so that a wrong copy shows.
        let next = 0;
        const fresh = (count: number): string =>
          Array.from({ length: count }, () => String.fromCharCode(next++)).join("");
        const old = fresh(size);
        let now = old;
        const edit = new TreeEdit(size);
        for (const { at, removed, inserted } of splices) {
          const position = Math.min(at, now.length);
          const gone = Math.min(removed, now.length - position);
          now = now.slice(0, position) + fresh(inserted) + now.slice(position + gone);
          edit.splice(position, gone, inserted);
        }
        expect(rebuild(edit, old, now)).toBe(now);
        let copied = 0;
        for (let index = 0; index < edit.count; index++) if (edit.startOf(index) >= 0) copied += edit.lengthOf(index);
        expect(copied).toBe(Array.from(now).filter((character) => old.includes(character)).length);
      }),
      propertyParameters(500),
    );
  });

  it("gives up when there are too many pieces to pay", () => {
    const edit = new TreeEdit(100_000);
    for (let index = 0; index < 600; index++) edit.splice(index * 100, 20, 20);
    expect(edit.isWhole).toBe(true);
  });
});
