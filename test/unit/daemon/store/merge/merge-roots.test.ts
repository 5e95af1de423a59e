import { describe, expect, test } from "vitest";
import type { Domid, Path, Seq } from "../../../../../protocol/identifiers.js";
import { parsePath } from "../../../../../protocol/path.js";
import { parsePerms, type Perms } from "../../../../../protocol/perms.js";
import { applyChanges, withEntry } from "../../../../../daemon/store/diff.js";
import { describeConflict, mergeRoots, type MergeOptions } from "../../../../../daemon/store/merge/merge-roots.js";
import { mergeNode, type MergeNode } from "../../../../../daemon/store/merge/node-merge.js";
import { emptyRoot, NO_RECORD, type DomainRecord, type Root } from "../../../../../daemon/store/root.js";
import { editRoot, nodesOf, type Edit } from "../../../../support/model/root-generator.js";

function pathOf(text: string): Path {
  const path = parsePath(text, 0 as Domid);
  if (path === undefined) throw new Error(`bad path ${text}`);
  return path;
}

/** Edits such as `/a=1`, `/a=1 n5` and `-/a`. */
function edited(root: Root, ...texts: readonly string[]): Root {
  const list = texts.map((text): Edit => {
    if (text.startsWith("-")) return { kind: "remove", path: pathOf(text.slice(1)) };
    const [path = "", value = "", ...perms] = text.split(/[= ]/);
    return { kind: "set", path: pathOf(path), value, perms: parsePerms(perms.length === 0 ? ["n0"] : perms) as Perms };
  });
  return editRoot(root, list, 1);
}

/** The nodes as edits would make them; the root is left out. */
function textsOf(root: Root): string[] {
  return [...nodesOf(root)]
    .filter(([path]) => path !== "/")
    .map(([path, { value }]) => `${path}=${value}`)
    .sort();
}

const BASE = edited(emptyRoot(), "/a=1", "/a/b=2");

/** What the merge makes of ours, or its conflicts. */
function merged(ours: Root, theirs: Root, options: MergeOptions = {}): string[] {
  const { changes, conflicts } = mergeRoots({ base: BASE, ours, theirs }, options);
  return conflicts.length > 0
    ? conflicts.map((conflict) => describeConflict(conflict))
    : textsOf(applyChanges(ours, changes, 2 as Seq));
}

const CASES: readonly (readonly [ours: string, theirs: string, result: readonly string[]])[] = [
  ["/a=9", "/a/b=8", ["/a/b=8", "/a=9"]],
  ["-/a/b", "-/a", []],
  ["-/a", "-/a/b", []],
  ["-/a", "/a/b=8", ["/a: ours removed what theirs changed"]],
  ["-/a", "/a/c/d=8", ["/a: ours removed what theirs changed"]],
  ["-/a", "/a=8", ["/a: ours removed what theirs changed"]],
  ["/a/c=3", "-/a", ["/a: ours changed what theirs removed"]],
  ["/a=3", "-/a", ["/a: ours changed what theirs removed"]],
  ["/a/c=3", "/a/d=4", ["/a/b=2", "/a/c=3", "/a/d=4", "/a=1"]],
  ["/c=3", "/c=3", ["/a/b=2", "/a=1", "/c=3"]],
  ["/c=3", "/c=4", ["/c: both changed its value"]],
  ["/a=1 n5", "/a=4", ["/a/b=2", "/a=4"]],
  ["/a=3 n5", "/a=4 n6", ["/a: both changed its value", "/a: both changed its perms"]],
];

describe("mergeRoots", () => {
  test.each(CASES)("of %s and %s", (ours, theirs, result) => {
    expect(merged(edited(BASE, ours), edited(BASE, theirs))).toEqual(result);
  });

  test("takes the preferred side's whole subtree where one removed what the other changed", () => {
    const [gone, changed] = [edited(BASE, "-/a"), edited(BASE, "/a/c/d=4", "/a/b=3", "/e=5")];
    const whole = ["/a/b=3", "/a/c/d=4", "/a/c=", "/a=1", "/e=5"];
    expect(merged(gone, changed, { prefer: "theirs" })).toEqual(whole);
    expect(merged(changed, gone, { prefer: "ours" })).toEqual(whole);
    expect(merged(gone, changed, { prefer: "ours" })).toEqual(["/e=5"]);
    expect(merged(changed, gone, { prefer: "theirs" })).toEqual(["/e=5"]);
  });

  test("tells a subtree that was removed once, whatever was changed in it", () => {
    const theirs = edited(BASE, "/a/b=3", "/a/c=4", "/a=5");
    expect(merged(edited(BASE, "-/a"), theirs)).toEqual(["/a: ours removed what theirs changed"]);
  });

  test("merges a node as the function says that is chosen by its path", () => {
    const sum: MergeNode = ({ base, ours, theirs }) => {
      const value = String(Number(ours.value) + Number(theirs.value) - Number(base?.value ?? "0"));
      return { node: { value, perms: ours.perms }, conflicts: [] };
    };
    const mergeNodeAt = (path: Path): MergeNode => (path === "/a/b" ? sum : mergeNode);
    const [ours, theirs] = [edited(BASE, "/a/b=5"), edited(BASE, "/a/b=7")];
    expect(merged(ours, theirs, { mergeNodeAt })).toEqual(["/a/b=10", "/a=1"]);
    expect(merged(theirs, ours, { mergeNodeAt })).toEqual(["/a/b=10", "/a=1"]);
    expect(merged(edited(BASE, "/a=5"), edited(BASE, "/a=7"), { mergeNodeAt })).toEqual(["/a: both changed its value"]);
  });
});

const INTRODUCED: DomainRecord = { ...NO_RECORD, introduction: { gfn: 1, port: 1 } };

function withDomain(root: Root, domid: number, record: DomainRecord | undefined): Root {
  return { ...root, domains: withEntry(root.domains, domid as Domid, record) };
}

describe("mergeRoots of what is beside the tree", () => {
  const base = withDomain(withDomain(BASE, 5, INTRODUCED), 6, INTRODUCED);
  const conflicts = (ours: Root, theirs: Root) =>
    mergeRoots({ base, ours, theirs }).conflicts.map((conflict) => describeConflict(conflict));

  test("merges the fields of a domain's record one by one, its quotas among them", () => {
    const ours = withDomain(base, 5, { ...INTRODUCED, target: 6 as Domid, quotas: new Map([["nodes", 3]]) });
    const theirs = withDomain(base, 5, { ...INTRODUCED, shutdown: true, quotas: new Map([["watches", 4]]) });
    for (const sides of [
      { base, ours, theirs },
      { base, ours: theirs, theirs: ours },
    ]) {
      const { changes, conflicts: none } = mergeRoots(sides);
      expect(none).toEqual([]);
      expect(applyChanges(sides.ours, changes, 2 as Seq).domains.get(5 as Domid)).toEqual({
        ...INTRODUCED,
        target: 6,
        shutdown: true,
        quotas: new Map([
          ["nodes", 3],
          ["watches", 4],
        ]),
      });
    }
    const other = withDomain(base, 5, { ...INTRODUCED, quotas: new Map([["nodes", 9]]) });
    expect(conflicts(ours, other)).toEqual(["domain 5: both changed it"]);
    expect(conflicts(ours, withDomain(base, 5, undefined))).toEqual(["domain 5: both changed it"]);
  });

  test("does not bring a released domain back by what the other side made for it (XSA-322)", () => {
    const released = withDomain(base, 5, undefined);
    const named = edited(base, "/c=1 n5", "/d=2 n0 r5", "/e=3");
    const targeted = withDomain(base, 6, { ...INTRODUCED, target: 5 as Domid });
    expect(conflicts(released, named)).toEqual([
      "/c: theirs names a domain that ours released",
      "/d: theirs names a domain that ours released",
    ]);
    expect(conflicts(named, released).sort()).toEqual([
      "/c: ours names a domain that theirs released",
      "/d: ours names a domain that theirs released",
    ]);
    expect(conflicts(released, targeted)).toEqual(["domain 6: theirs names a domain that ours released"]);
    expect(conflicts(targeted, released)).toEqual(["domain 6: ours names a domain that theirs released"]);
    expect(conflicts(withDomain(named, 5, undefined), named), "both made it").toEqual([]);
    const [removed, below] = [edited(released, "-/a"), edited(base, "/a/c=1 n5")];
    expect(conflicts(removed, below)).toEqual(["/a: ours removed what theirs changed"]);
    expect(conflicts(below, removed), "not told twice in this order either").toEqual([
      "/a: ours changed what theirs removed",
    ]);
  });

  test("has conflicts of default quotas and of special paths", () => {
    const withQuota = (value: number): Root => ({ ...base, quotas: new Map([["nodes", value]]) });
    expect(conflicts(withQuota(3), withQuota(4))).toEqual(["quota nodes: both changed it"]);
    expect(conflicts(withQuota(3), withQuota(3))).toEqual([]);
    const withSpecial = (text: string): Root => ({
      ...base,
      special: withEntry(base.special, "@releaseDomain", parsePerms([text]) as Perms),
    });
    expect(conflicts(withSpecial("n0"), withSpecial("w0"))).toEqual(["@releaseDomain: both changed its perms"]);
    expect(conflicts(withSpecial("n0"), base)).toEqual([]);
  });
});
