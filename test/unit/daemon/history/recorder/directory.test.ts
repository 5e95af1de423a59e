/** The bytes of a directory against its tree object made anew. */
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { TreeEdit } from "../../../../../daemon/history/object/tree-edit.js";
import { hashObject, type Oid } from "../../../../../daemon/history/object/oid.js";
import {
  parseTree,
  serializeTree,
  isDirectoryKey,
  type EntryKey,
} from "../../../../../daemon/history/object/tree-object.js";
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
  ...Array.from({ length: 10 }, (_, index) => `d${String(index)}/`),
  ...Array.from({ length: 40 }, (_, index) => `n${String(index)}`),
);
const step = fc.record({
  key,
  oid: fc.nat(1000).map((number) => hashObject("blob", String(number))),
  remove: fc.boolean(),
  /** Whether the bytes are asked for after it, as at the end of a commit. */
  ask: fc.nat(19).map((number) => number === 0),
});
/** Keys that are there before the steps: with all of them, most of what comes and goes is pending. */
const LOADED = ["m", "n"]
  .flatMap((letter) => Array.from({ length: letter === "m" ? 50 : 25 }, (_, index) => letter + String(index)))
  .sort();
const OLD_OID = hashObject("blob", "old");

function loaded(keys: readonly EntryKey[]): Directory {
  const directory = new Directory({ parent: undefined, key: "", perms: undefined });
  const oids = keys.map(() => OLD_OID);
  directory.load(Buffer.from(serializeTree(keys, oids), "latin1"), [...keys], undefined);
  return directory;
}

afterEach(() => {
  vi.restoreAllMocks();
});

function contentOf(directory: Directory): string {
  return Buffer.from(directory.hashed.subarray(directory.contentStart)).toString("latin1");
}

describe("Directory", () => {
  it("content is the tree object of its keys after any edits, and edit leads there (directory invariants 1, 2, 3)", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(step, { maxLength: 80, size: "max" }),
        fc.nat(40),
        (isLarge, steps, beginAt) => {
          const directory = loaded(isLarge ? LOADED : []);
          const model = new Map<string, Oid>(directory.keys.map((name) => [name, OLD_OID]));
          const children = new Map<string, Directory | undefined>();
          let old = "";
          for (const [index, { key: name, oid, remove, ask }] of steps.entries()) {
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
              children.set(name, child);
              model.set(name, oid);
            } else if (remove) {
              directory.removeAt(found);
              model.delete(name);
            } else {
              directory.setOidAt(found, oid);
              model.set(name, oid);
            }
            const now = directory.find(name);
            expect(now >= 0 ? directory.oidAt(now) : undefined).toBe(model.get(name));
            if (now >= 0) expect(directory.childAt(now)).toBe(children.get(name));
            if (ask) directory.hash();
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
        },
      ),
      propertyParameters(300),
    );
  });

  it("is rebuilt once where many entries come and go, not moved for each (directory invariant 4)", () => {
    const keys = Array.from({ length: 1000 }, (_, index) => `n${String(index).padStart(4, "0")}`);
    const directory = loaded(keys);
    const copies = vi.spyOn(Uint8Array.prototype, "copyWithin");
    for (const name of keys) {
      const child = new Directory({ parent: directory, key: `${name}/`, perms: undefined });
      directory.insertAt(-directory.find(child.key) - 1, child.key, OLD_OID, child);
      directory.removeAt(directory.find(name));
      expect(directory.childAt(directory.slotOf(child))).toBe(child);
    }
    const content = serializeTree(
      keys.map((name) => `${name}/`),
      keys.map(() => OLD_OID),
    );
    expect(directory.hash()).toBe(hashObject("tree", content));
    expect(copies.mock.calls.length).toBeLessThan(20);
    expect(directory.children.map((child) => child?.key)).toEqual(directory.keys);
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
