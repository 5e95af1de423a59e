import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashObject, hexFromOid, type Oid } from "../../../../../daemon/history/object/oid.js";
import { MalformedTreeError, TreeDifference } from "../../../../../daemon/history/object/tree-difference.js";
import { propertyParameters } from "../../../../support/seed.js";

type Entry = readonly [key: string, oid: Oid];

/** A tree object; a key that ends in a slash is a directory, one in `@` a commit of another repository. */
function tree(entries: readonly Entry[]): Buffer {
  const sorted = [...entries].sort(([left], [right]) => (left < right ? -1 : 1));
  const text = sorted.map(([key, oid]) => {
    if (key.endsWith("/")) return `40000 ${key.slice(0, -1)}\0${oid}`;
    return `${key.endsWith("@") ? "160000" : "100644"} ${key}\0${oid}`;
  });
  return Buffer.from(text.join(""), "latin1");
}

interface Found {
  readonly kind: string;
  readonly oid: Oid;
  readonly before: Oid | undefined;
}

function all(difference: TreeDifference): Found[] {
  const found: Found[] = [];
  while (difference.next()) found.push({ kind: difference.kind, oid: difference.oid(), before: difference.before() });
  return found;
}

/** Looks each entry up in a map. */
function naive(entries: readonly Entry[], before: readonly Entry[]): Found[] {
  const old = new Map(before);
  return [...entries]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .filter(([key, oid]) => !key.endsWith("@") && old.get(key) !== oid)
    .map(([key, oid]) => ({
      kind: key.endsWith("/") ? "tree" : "blob",
      oid,
      before: key.endsWith("/") ? old.get(key) : undefined,
    }));
}

const oids = ["a", "b", "c", "d"].map((text) => hashObject("blob", text)) as [Oid, Oid, Oid, Oid];
const [A, B, C] = oids;

describe("TreeDifference", () => {
  test("finds what was added and changed, with the directory that stood there before, in any trees", () => {
    const name = fc.constantFrom("device", "device-model", "device.", "0", "a", "a-b", "aa", "zz", "link@");
    // In one tree a name stands once, as a file or as a directory.
    const entries = fc
      .uniqueArray(fc.tuple(name, fc.boolean(), fc.constantFrom(...oids)), { selector: ([each]) => each, maxLength: 9 })
      .map((list) => list.map(([each, isDirectory, oid]): Entry => [isDirectory ? `${each}/` : each, oid]));
    fc.assert(
      fc.property(entries, entries, (now, before) => {
        expect(all(new TreeDifference(tree(now), tree(before)))).toEqual(naive(now, before));
        expect(all(new TreeDifference(tree(now)))).toEqual(naive(now, []));
      }),
      propertyParameters(2000),
    );
  });

  test("finds one change at any place of a large directory", () => {
    const entries = Array.from({ length: 300 }, (_, index): Entry => [`${String(index).padStart(4, "0")}/`, A]);
    for (let place = 0; place < entries.length; place += 7) {
      const changed = entries.map(([key, oid], index): Entry => [key, index === place ? B : oid]);
      expect(all(new TreeDifference(tree(changed), tree(entries)))).toEqual([{ kind: "tree", oid: B, before: A }]);
      const without = entries.filter((_, index) => index !== place);
      expect(all(new TreeDifference(tree(entries), tree(without)))).toHaveLength(1);
      expect(all(new TreeDifference(tree(without), tree(entries)))).toHaveLength(0);
    }
  });

  test("a file that became a directory has nothing before it", () => {
    expect(all(new TreeDifference(tree([["a/", B]]), tree([["a", A]])))).toEqual([
      { kind: "tree", oid: B, before: undefined },
    ]);
    expect(all(new TreeDifference(tree([["a", B]]), tree([["a/", C]])))).toEqual([
      { kind: "blob", oid: B, before: undefined },
    ]);
  });

  test("a tree that is cut off anywhere but between entries, or is no tree at all, is refused", () => {
    const whole = tree([
      ["a", A],
      ["b/", B],
    ]);
    const firstEnd = tree([["a", A]]).length;
    for (let length = 1; length < whole.length; length++) {
      const run = () => all(new TreeDifference(whole.subarray(0, length)));
      if (length === firstEnd) expect(run()).toHaveLength(1);
      else expect(run, hexFromOid(A)).toThrow(MalformedTreeError);
    }
    for (const text of ["x", "100644", "100644 \0".padEnd(40, "o"), "1006444 a\0".padEnd(40, "o")]) {
      expect(() => all(new TreeDifference(Buffer.from(text)))).toThrow(MalformedTreeError);
    }
  });
});
