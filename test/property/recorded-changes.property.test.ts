/**
 * What changed between two recorded roots is what changed between the roots.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changesBetween, touchedNodes } from "../../daemon/history/repository/recorded-changes.js";
import type { Change } from "../../daemon/store/commit.js";
import { applyChanges, diffRoots, sameRoot } from "../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import type { Seq } from "../../protocol/identifiers.js";
import { EncodedObjects } from "../support/encoded-objects.js";
import { propertyParameters } from "../support/seed.js";
import { arbitraryEdit, editRoot, rootOfEdits } from "./history-generator.js";

const edits = fc.array(arbitraryEdit, { maxLength: 30 });

/** Each change as text, without an order. */
function asSet(changes: readonly Change[]): string[] {
  return changes.map((change) => JSON.stringify(change, plain)).sort();
}

/** The paths of all nodes, in their order. */
function pathsOf(root: Root): string[] {
  const changes = diffRoots({ ...emptyRoot(), node: { ...emptyRoot().node, value: "another" } }, root);
  return changes.flatMap((change) => (change.kind === "node" ? [change.path] : [])).sort();
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Map) return [...(value as Map<string, unknown>)].sort();
  // JSON leaves undefined out, and what is missing must be missing in both.
  return value === undefined ? "undefined" : value;
}

describe("changesBetween", () => {
  it("finds between two trees what diffRoots finds between the roots", () => {
    fc.assert(
      fc.property(edits, edits, (first, more) => {
        const objects = new EncodedObjects();
        const before = rootOfEdits(first);
        let after = before;
        for (const [index, edit] of more.entries()) after = editRoot(after, edit, (100 + index) as Seq);
        const found = changesBetween(objects, objects.encode(before), objects.encode(after));
        expect(asSet(found)).toEqual(asSet(diffRoots(before, after)));
        expect(sameRoot(applyChanges(before, found, 200 as Seq), after)).toBe(true);
        const undone = changesBetween(objects, objects.encode(after), objects.encode(before));
        expect(asSet(undone)).toEqual(asSet(diffRoots(after, before)));
      }),
      propertyParameters(400),
    );
  });

  it("names the nodes alone (touchedNodes)", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const objects = new EncodedObjects();
        const [before, after] = [objects.encode(rootOfEdits(first)), objects.encode(rootOfEdits(second))];
        for (const from of [before, undefined]) {
          const told = changesBetween(objects, from, after).flatMap((change) =>
            change.kind === "node" ? [{ path: change.path, isRemoval: change.after === undefined }] : [],
          );
          const named = [...touchedNodes(objects, from, after)];
          expect(named.sort((left, right) => (left.path < right.path ? -1 : 1))).toEqual(told);
        }
      }),
      propertyParameters(100),
    );
  });

  it("tells each node that went where that is wanted", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const objects = new EncodedObjects();
        const [before, after] = [rootOfEdits(first), rootOfEdits(second)];
        const found = changesBetween(objects, objects.encode(before), objects.encode(after), { listsRemoved: true });
        const gone = found.flatMap((change) => (change.kind === "node" && change.after === undefined ? [change] : []));
        const left = new Set(pathsOf(after));
        expect(gone.map(({ path }) => path)).toEqual(pathsOf(before).filter((path) => !left.has(path)));
        const told = new Set<unknown>(gone);
        // All else is told as ever.
        const rest = diffRoots(before, after).filter((change) => change.kind !== "node" || change.after !== undefined);
        expect(asSet(found.filter((change) => !told.has(change)))).toEqual(asSet(rest));
      }),
      propertyParameters(100),
    );
  });

  it("begins with the empty root where nothing was recorded before", () => {
    fc.assert(
      fc.property(edits, (list) => {
        const objects = new EncodedObjects();
        const after = rootOfEdits(list);
        const found = changesBetween(objects, undefined, objects.encode(after));
        expect(asSet(found)).toEqual(asSet(diffRoots(emptyRoot(), after)));
      }),
      propertyParameters(100),
    );
  });

  it("reads a tree object a level on either side, however much there is beside it", () => {
    const wide = (last: string): Root => {
      const names = Array.from({ length: 200 }, (_, index) => ["a", `d${String(index)}`, "x"]);
      const set = [...names, ["a", "d7", "y"]].map((path) => ({
        kind: "set" as const,
        names: path,
        value: path[2] === "y" ? last : "1",
        perms: emptyRoot().node.perms,
      }));
      return rootOfEdits(set);
    };
    const objects = new EncodedObjects();
    const [before, after] = [objects.encode(wide("1")), objects.encode(wide("2"))];
    objects.reads = 0;
    expect(changesBetween(objects, before, after)).toMatchObject([
      { kind: "node", path: "/a/d7/y", before: { value: "1" }, after: { value: "2" } },
    ]);
    // Three directories with their perms on either side, two values, and the special paths' perms.
    expect(objects.reads).toBe(2 * (3 * 2 + 1 + 1));
  });
});
