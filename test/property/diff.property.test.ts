/**
 * Differences: `applyChanges(before, diffRoots(before, after))` is `after`, and a difference tells no more than it must.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Seq } from "../../protocol/identifiers.js";
import { isAtOrBelow, joinPath, type SpecialPath } from "../../protocol/path.js";
import { parsePerms, samePerms, type Perms } from "../../protocol/perms.js";
import type { Change } from "../../daemon/store/commit.js";
import { applyChanges, diffRoots, sameNode, sameRoot } from "../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { edits, editRoot, nodesOf, rebuiltRoot, textOfRoot } from "../support/model/root-generator.js";
import { propertyParameters } from "../support/seed.js";

const SEQ = 7 as Seq;

/** Two states: the second made from the first by edits, or from nothing. */
const pairs = fc.record({ first: edits, second: edits, related: fc.boolean() }).map(({ first, second, related }) => {
  const before = editRoot(emptyRoot(), first, 1);
  return { before, after: editRoot(related ? before : emptyRoot(), second, 2) };
});

function nodeChanges(changes: readonly Change[]) {
  return changes.flatMap((change) => (change.kind === "node" ? [change] : []));
}

describe("diffRoots and applyChanges", () => {
  test("lead from any state to any other", () => {
    fc.assert(
      fc.property(pairs, ({ before, after }) => {
        const applied = applyChanges(before, diffRoots(before, after), SEQ);
        expect(textOfRoot(applied)).toBe(textOfRoot(after));
        expect(diffRoots(applied, after)).toEqual([]);
      }),
      propertyParameters(1500),
    );
  });

  test("do not depend on nodes being shared", () => {
    fc.assert(
      fc.property(pairs, ({ before, after }) => {
        expect(sortedText(diffRoots(before, rebuiltRoot(after)))).toEqual(sortedText(diffRoots(before, after)));
        expect(diffRoots(after, rebuiltRoot(after))).toEqual([]);
        expect(sameRoot(after, rebuiltRoot(after))).toBe(true);
        expect(sameNode(after.node, rebuiltRoot(after).node)).toBe(true);
      }),
      propertyParameters(500),
    );
  });

  test("tell every node once, parents before children, and nothing below a removed node", () => {
    fc.assert(
      fc.property(pairs, ({ before, after }) => {
        const changes = nodeChanges(diffRoots(before, after));
        const paths = changes.map(({ path }) => path);
        expect(new Set(paths).size).toBe(paths.length);
        changes.forEach((change, index) => {
          for (const later of changes.slice(index + 1)) {
            expect(isAtOrBelow(change.path, later.path), "a parent after its child").toBe(false);
            if (change.after === undefined) expect(isAtOrBelow(later.path, change.path)).toBe(false);
          }
        });
      }),
      propertyParameters(300),
    );
  });

  test("tell the states before and after, and no node that is as it was", () => {
    fc.assert(
      fc.property(pairs, ({ before, after }) => {
        const [old, now] = [nodesOf(before), nodesOf(after)];
        const changes = new Map(nodeChanges(diffRoots(before, after)).map((change) => [change.path, change]));
        for (const [path, node] of now) {
          const was = old.get(path);
          const differs = was?.value !== node.value || !samePerms(was.perms, node.perms);
          expect(changes.get(path)?.after, path).toEqual(
            differs ? { value: node.value, perms: node.perms } : undefined,
          );
        }
        for (const [path, change] of changes) {
          const was = old.get(path);
          expect(change.before).toEqual(was === undefined ? undefined : { value: was.value, perms: was.perms });
        }
      }),
      propertyParameters(500),
    );
  });

  test("sameRoot is true of equal contents alone", () => {
    fc.assert(
      fc.property(pairs, ({ before, after }) => {
        expect(sameRoot(before, after)).toBe(textOfRoot(before) === textOfRoot(after));
      }),
      propertyParameters(500),
    );
  });
});

function sortedText(changes: readonly Change[]): string[] {
  return changes
    .map((change) => JSON.stringify(change, (_, value: unknown) => (value instanceof Map ? [...value] : value)))
    .sort();
}

const PERMS = parsePerms(["n0"]) as Perms;

/** A chain of this many nodes. */
function chain(levels: number, value: string): Root {
  const names = Array.from({ length: levels }, () => "a");
  return editRoot(emptyRoot(), [{ kind: "set", path: joinPath(names), value, perms: PERMS }], 1);
}

describe("diffRoots and applyChanges on deep paths", () => {
  test("go to 1,500 levels, as deep as a path can be, without recursion (XSA-418)", () => {
    const before = chain(1500, "old");
    const after = chain(1500, "new");
    expect(diffRoots(emptyRoot(), before)).toHaveLength(1500);
    expect(textOfRoot(applyChanges(emptyRoot(), diffRoots(emptyRoot(), before), SEQ))).toBe(textOfRoot(before));
    expect(diffRoots(before, after)).toHaveLength(1);
    expect(diffRoots(before, emptyRoot())).toHaveLength(1);
  });
});

describe("applyChanges", () => {
  test("throws for a change that does not fit, as a damaged journal would have", () => {
    const state = { value: "", perms: PERMS };
    const orphan: Change = { kind: "node", path: joinPath(["a", "b"]), before: undefined, after: state };
    expect(() => applyChanges(emptyRoot(), [orphan], SEQ)).toThrow(/\/a\/b does not fit/);
    const missing: Change = { kind: "node", path: joinPath(["a"]), before: state, after: undefined };
    expect(() => applyChanges(emptyRoot(), [missing], SEQ)).toThrow(/\/a does not fit/);
  });

  test("stamps the seq on the nodes that change and on parents whose child list changes, and on no other", () => {
    const before = editRoot(
      emptyRoot(),
      [
        { kind: "set", path: joinPath(["a", "b"]), value: "1", perms: PERMS },
        { kind: "set", path: joinPath(["c"]), value: "1", perms: PERMS },
      ],
      1,
    );
    const path = joinPath(["a", "b"]);
    const written = applyChanges(
      before,
      [{ kind: "node", path, before: undefined, after: { value: "2", perms: PERMS } }],
      SEQ,
    );
    const stamps = (root: Root) => [...nodesOf(root)].map(([at, node]) => `${at} ${String(node.modified)}`).sort();
    expect(stamps(written)).toEqual(["/ 1", "/a 1", "/a/b 7", "/c 1"]);
    const removed = applyChanges(before, [{ kind: "node", path, before: undefined, after: undefined }], SEQ);
    expect(stamps(removed)).toEqual(["/ 1", "/a 7", "/c 1"]);
  });

  test("drops a domain's record that says nothing, and a quota without a value", () => {
    const root = applyChanges(
      emptyRoot(),
      [
        { kind: "quota", name: "nodes", before: undefined, after: 5 },
        { kind: "quota", name: "nodes", before: 5, after: undefined },
        { kind: "special", path: "@releaseDomain" satisfies SpecialPath, before: PERMS, after: PERMS },
      ],
      SEQ,
    );
    expect(root.quotas.size).toBe(0);
    expect(root.special.get("@releaseDomain")).toEqual(PERMS);
  });
});
