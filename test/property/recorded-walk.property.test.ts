/**
 * A walk over the differences of two recorded roots finds those of the roots, in the order of a listing, wherever it begins.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changesBetween } from "../../daemon/history/repository/recorded-changes.js";
import { nodeAt } from "../../daemon/history/repository/recorded-directory.js";
import { walkDifferences, type NodeChange, type WalkOptions } from "../../daemon/history/repository/recorded-walk.js";
import type { Root } from "../../daemon/store/root.js";
import type { Path } from "../../protocol/identifiers.js";
import { isAtOrBelow, splitPath } from "../../protocol/path.js";
import { EncodedObjects } from "../support/encoded-objects.js";
import { propertyParameters } from "../support/seed.js";
import { listingOf } from "../support/xenstore-listing.js";
import { arbitraryEdit, rootOfEdits } from "./history-generator.js";

const edits = fc.array(arbitraryEdit, { maxLength: 30 });

/** Before those below it, siblings by name. */
function inOrderOfListing(left: string, right: string): number {
  const [those, these] = [splitPath(left as Path), splitPath(right as Path)];
  const level = those.findIndex((name, index) => name !== these[index]);
  if (level === -1) return those.length - these.length;
  const name = these[level];
  return name === undefined || String(those[level]) > name ? 1 : -1;
}

function walk(before: Root | undefined, after: Root, path: Path, options: WalkOptions = {}): NodeChange[] {
  const objects = new EncodedObjects();
  const top = {
    path,
    before: before && nodeAt(objects, objects.encode(before), path),
    after: nodeAt(objects, objects.encode(after), path),
  };
  return [...walkDifferences(objects, top, options)];
}

/** Every path that either has, and one that neither has. */
function pathsOf(before: Root, after: Root): Path[] {
  return ["/", "/never", ...new Set([...listingOf(before).keys(), ...listingOf(after).keys()])] as Path[];
}

describe("walkDifferences", () => {
  it("finds at and below a path what is there of all changes, in the order of a listing", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const [before, after] = [rootOfEdits(first), rootOfEdits(second)];
        const objects = new EncodedObjects();
        const all = changesBetween(objects, objects.encode(before), objects.encode(after), { listsRemoved: true })
          .flatMap((change) => (change.kind === "node" ? [change] : []))
          .sort((left, right) => inOrderOfListing(left.path, right.path));
        for (const path of pathsOf(before, after)) {
          const wanted = all.filter((change) => isAtOrBelow(change.path, path));
          expect(walk(before, after, path, { listsRemoved: true })).toEqual(wanted);
        }
      }),
      propertyParameters(60),
    );
  });

  it("begins behind any node as if it had been there all the time", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const [before, after] = [rootOfEdits(first), rootOfEdits(second)];
        const all = walk(before, after, "/" as Path, { listsRemoved: true });
        for (const behind of pathsOf(before, after)) {
          const rest = all.filter(({ path }) => inOrderOfListing(path, behind) > 0);
          expect(walk(before, after, "/" as Path, { listsRemoved: true, behind })).toEqual(rest);
        }
      }),
      propertyParameters(60),
    );
  });

  it("tells against nothing every node", () => {
    fc.assert(
      fc.property(edits, (list) => {
        const root = rootOfEdits(list);
        const paths = ["/", ...listingOf(root).keys()].sort(inOrderOfListing);
        expect(walk(undefined, root, "/" as Path).map(({ path }) => path)).toEqual(paths);
      }),
      propertyParameters(60),
    );
  });

  it("does not compare what is beside the path", () => {
    const rootWith = (value: string): Root =>
      rootOfEdits(
        ["x", "y", "z"].flatMap((name) =>
          Array.from({ length: 50 }, (_, index) => ({
            kind: "set" as const,
            names: ["a", name, String(index)],
            value,
            perms: [{ access: 0, domid: 0 }] as never,
          })),
        ),
      );
    const objects = new EncodedObjects();
    const [before, after] = [objects.encode(rootWith("1")), objects.encode(rootWith("2"))];
    objects.reads = 0;
    const path = "/a/y/7" as Path;
    const top = { path, before: nodeAt(objects, before, path), after: nodeAt(objects, after, path) };
    expect([...walkDifferences(objects, top)]).toMatchObject([{ path, before: { value: "1" }, after: { value: "2" } }]);
    // On either side: three directories, the perms of the last, and the value, which is read to find the node and to tell it.
    expect(objects.reads).toBe(2 * (3 + 1 + 2));
  });
});
