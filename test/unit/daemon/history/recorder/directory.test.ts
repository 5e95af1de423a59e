/** The bytes of a directory against its tree object made anew. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TreeEdit } from "../../../../../daemon/history/object/tree-edit.js";
import { hashObject, type Oid } from "../../../../../daemon/history/object/oid.js";
import { parseTree, serializeTree, isDirectoryKey } from "../../../../../daemon/history/object/tree-object.js";
import { Directory, isNodeKey, nameOfKey } from "../../../../../daemon/history/recorder/directory.js";
import { propertyParameters } from "../../../../support/seed.js";

const key = fc.constantFrom(
  ".perms",
  "a",
  "a/",
  "a-b",
  "a-b/",
  "-",
  "z",
  ...Array.from({ length: 40 }, (_, index) => `n${String(index)}`),
);
const step = fc.record({
  key,
  oid: fc.nat(1000).map((number) => hashObject("blob", String(number))),
  remove: fc.boolean(),
});

function contentOf(directory: Directory): string {
  return Buffer.from(directory.hashed.subarray(directory.contentStart)).toString("latin1");
}

describe("Directory", () => {
  it("content is the tree object of its keys after any edits, and edit leads there (directory invariants 1, 2, 3)", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.nat(40), (steps, beginAt) => {
        const directory = new Directory({ parent: undefined, key: "", perms: undefined });
        const model = new Map<string, Oid>();
        let old = "";
        for (const [index, { key: name, oid, remove }] of steps.entries()) {
          if (index === beginAt) {
            old = contentOf(directory);
            directory.edit = new TreeEdit(old.length);
          }
          const found = directory.find(name);
          expect(found >= 0).toBe(model.has(name));
          if (found < 0) {
            const child = isDirectoryKey(name)
              ? new Directory({ parent: directory, key: name, perms: undefined })
              : undefined;
            directory.insertAt(-found - 1, name, oid, child);
            model.set(name, oid);
          } else if (remove) {
            directory.removeAt(found);
            model.delete(name);
          } else {
            directory.setOidAt(found, oid);
            model.set(name, oid);
          }
        }
        const keys = [...model.keys()].sort();
        const content = serializeTree(
          keys,
          keys.map((name) => model.get(name) as Oid),
        );
        expect(directory.keys).toEqual(keys);
        expect(contentOf(directory)).toBe(content);
        expect(directory.hash()).toBe(hashObject("tree", content));
        for (const [index, name] of keys.entries()) {
          const child = directory.childAt(index);
          expect(child?.key).toBe(isDirectoryKey(name) ? name : undefined);
          if (child !== undefined) expect(directory.slotOf(child)).toBe(index);
          expect(directory.oidAt(index)).toBe(model.get(name));
          expect(directory.hasOidAt(index, model.get(name) as Oid)).toBe(true);
        }
        const { edit } = directory;
        if (edit === undefined) return;
        let made = "";
        for (let index = 0; index < edit.count; index++) {
          const [start, length] = [edit.startOf(index), edit.lengthOf(index)];
          made += start < 0 ? content.slice(made.length, made.length + length) : old.slice(start, start + length);
        }
        expect(made).toBe(content);
      }),
      propertyParameters(300),
    );
  });

  it("load takes a tree object as it is", () => {
    const content = Buffer.from(
      serializeTree(["a", "b/"], [hashObject("blob", "a"), hashObject("blob", "b")]),
      "latin1",
    );
    const directory = new Directory({ parent: undefined, key: "", perms: undefined });
    directory.load(content, [...(parseTree(content)?.keys ?? [])], [undefined, undefined]);
    const child = new Directory({ parent: directory, key: "b/", perms: undefined });
    directory.adopt(1, child);
    expect(directory.hash()).toBe(hashObject("tree", content));
    expect(directory.slotOf(child)).toBe(1);
    expect(child.depth).toBe(1);
  });

  it("tells node keys from dot files", () => {
    expect([isNodeKey(".perms"), isNodeKey("-"), isNodeKey("a/")]).toEqual([false, true, true]);
    expect([nameOfKey("a/"), nameOfKey("a")]).toEqual(["a", "a"]);
  });
});
