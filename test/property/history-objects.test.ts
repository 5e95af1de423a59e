/**
 * The Git mapping and the mirror, on random states: encode and decode are inverse, and what the recorder makes step by
 * step is what encoding the whole root makes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Path, Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { decodeRoot } from "../../daemon/history/object/root-decoder.js";
import { encodeRoot, treeOidOf } from "../../daemon/history/object/root-encoder.js";
import { hashObject, hexFromOid, type Oid } from "../../daemon/history/object/oid.js";
import { PackBuilder } from "../../daemon/history/object/pack.js";
import type { GitObject } from "../../daemon/history/object/pack-decode.js";
import { loadRecordedTree, recordedNothing } from "../../daemon/history/recorder/load-mirror.js";
import { Mirror } from "../../daemon/history/recorder/mirror.js";
import { applyChanges, diffRoots, sameRoot } from "../../daemon/store/diff.js";
import { setNode } from "../../daemon/store/edit.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { sourceOf } from "../support/object-source.js";
import { propertyParameters } from "../support/seed.js";
import { arbitraryEdit, editRoot, rootOfEdits, type Edit } from "./history-generator.js";

/** Encodes into memory. */
function encodeAll(root: Root): { readonly oid: Oid; readonly objects: Map<Oid, GitObject> } {
  const objects = new Map<Oid, GitObject>();
  const put = (type: "blob" | "tree", content: string): Oid => {
    const oid = hashObject(type, content);
    objects.set(oid, { type, data: Buffer.from(content, "latin1") });
    return oid;
  };
  const oid = encodeRoot(root, put);
  return { oid, objects };
}

function reading(objects: Map<Oid, GitObject>): (oid: Oid) => GitObject {
  return (wanted) => {
    const object = objects.get(wanted);
    if (object === undefined) throw new Error(`no object ${hexFromOid(wanted)}`);
    return object;
  };
}

function decodeAll(objects: Map<Oid, GitObject>, oid: Oid): Root {
  return decodeRoot(sourceOf(reading(objects)), oid, 7 as Seq);
}

function mirrorOf(root: Root): Mirror {
  const { oid, objects } = encodeAll(root);
  return new Mirror(loadRecordedTree(reading(objects), oid), new PackBuilder());
}

function mirrorOfNothing(): Mirror {
  return new Mirror(recordedNothing(emptyRoot()), new PackBuilder());
}

const edits = fc.array(arbitraryEdit, { maxLength: 30 });

describe("the Git mapping", () => {
  it("decodeRoot undoes encodeRoot, and equal roots have one tree oid", () => {
    fc.assert(
      fc.property(edits, (list) => {
        const root = rootOfEdits(list);
        const { oid, objects } = encodeAll(root);
        const decoded = decodeAll(objects, oid);
        expect(diffRoots(decoded, root)).toEqual([]);
        expect(diffRoots(root, decoded)).toEqual([]);
        expect(treeOidOf(decoded)).toBe(oid);
        expect(treeOidOf(root)).toBe(oid);
        expect(decoded.node.modified).toBe(7);
      }),
      propertyParameters(400),
    );
  });

  it("treeOidOf tells different roots apart", () => {
    fc.assert(
      fc.property(edits, fc.array(arbitraryEdit, { minLength: 1, maxLength: 3 }), (list, more) => {
        const root = rootOfEdits(list);
        let other = root;
        for (const edit of more) other = editRoot(other, edit, 2 as Seq);
        expect(treeOidOf(other) === treeOidOf(root)).toBe(sameRoot(root, other));
      }),
      propertyParameters(400),
    );
  });

  it("encode and decode go a thousand levels deep", () => {
    let node = emptyRoot().node;
    let path = "";
    for (let depth = 0; depth < 1500; depth++) {
      path += "/d";
      node =
        setNode(node, path as Path, { value: depth % 7 === 0 ? String(depth) : "", perms: node.perms }, 1 as Seq) ??
        node;
    }
    const root = { ...emptyRoot(), node };
    const { oid, objects } = encodeAll(root);
    const decoded = decodeAll(objects, oid);
    expect(diffRoots(root, decoded)).toEqual([]);
    const mirror = mirrorOf(decoded);
    const deeper = setNode(node, `${path}/end` as Path, { value: "x", perms: node.perms }, 2 as Seq) ?? node;
    expect(mirror.apply(diffRoots(root, { ...root, node: deeper }))).toBe(treeOidOf({ ...root, node: deeper }));
  });
});

describe("Mirror", () => {
  /** Applies groups of edits as commits; after each the mirror must be what encoding the whole root gives. */
  function follow(mirror: Mirror, start: Root, groups: readonly Edit[][]): Root {
    let root = start;
    for (const [index, group] of groups.entries()) {
      const before = root;
      for (const edit of group) root = editRoot(root, edit, (index + 1) as Seq);
      expect(mirror.apply(diffRoots(before, root))).toBe(treeOidOf(root));
    }
    return root;
  }
  const groups = fc.array(fc.array(arbitraryEdit, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 20 });

  it("apply gives the tree oid of the whole root after every commit, from nothing and from a recorded root", () => {
    fc.assert(
      fc.property(groups, groups, (first, second) => {
        const root = follow(mirrorOfNothing(), emptyRoot(), first);
        const mirror = mirrorOf(root);
        expect(mirror.treeOid).toBe(treeOidOf(root));
        follow(mirror, root, second);
      }),
      propertyParameters(300),
    );
  });

  it("apply gives it also where many children of one directory come, go and change kind in a commit", () => {
    const name = fc.nat(250).map((number) => `n${String(number)}`);
    const wide: fc.Arbitrary<Edit> = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("set" as const),
          names: fc.oneof(fc.tuple(name), fc.tuple(name, fc.constantFrom("a", "b"))),
          value: fc.constantFrom("", "v"),
          perms: fc.constantFrom("n0", "n5 r0").map((text) => parsePerms(text.split(" ")) as Perms),
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), names: fc.tuple(name) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant("remove" as const),
          names: fc.tuple(name, fc.constantFrom("a", "b")),
        }),
      },
    );
    const commits = fc.array(fc.array(wide, { minLength: 60, maxLength: 200 }), { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(commits, (lists) => {
        follow(mirrorOfNothing(), emptyRoot(), lists);
      }),
      propertyParameters(40),
    );
  });

  it("apply refuses changes that the recorded state has no place for (mirror invariant 4)", () => {
    const mirror = mirrorOfNothing();
    const perms = emptyRoot().node.perms;
    const orphan = { kind: "node", path: "/a/b" as Path, before: undefined, after: { value: "", perms } } as const;
    expect(() => mirror.apply([orphan])).toThrow(/\/a\/b does not fit/);
    expect(() => applyChanges(emptyRoot(), [orphan], 1 as Seq)).toThrow();
    const gone = { kind: "node", path: "/a" as Path, before: undefined, after: undefined } as const;
    expect(() => mirrorOfNothing().apply([gone])).toThrow(/\/a does not fit/);
  });
});
