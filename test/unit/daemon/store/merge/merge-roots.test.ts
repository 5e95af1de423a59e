import { describe, expect, test } from "vitest";
import type { Domid, Microseconds, Path, Seq } from "../../../../../protocol/identifiers.js";
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
      "/c: theirs names domain 5, which ours released",
      "/d: theirs names domain 5, which ours released",
    ]);
    expect(conflicts(named, released).sort()).toEqual([
      "/c: ours names domain 5, which theirs released",
      "/d: ours names domain 5, which theirs released",
    ]);
    expect(conflicts(released, targeted)).toEqual(["domain 6: theirs names domain 5, which ours released"]);
    expect(conflicts(targeted, released)).toEqual(["domain 6: ours names domain 5, which theirs released"]);
    expect(conflicts(withDomain(named, 5, undefined), named), "both made it").toEqual([]);
    const [removed, below] = [edited(released, "-/a"), edited(base, "/a/c=1 n5")];
    expect(conflicts(removed, below)).toEqual(["/a: ours removed what theirs changed"]);
    expect(conflicts(below, removed), "not told twice in this order either").toEqual([
      "/a: ours changed what theirs removed",
    ]);
  });

  /** Domain 5 as the commit with this seq introduced it. */
  const introduced = (seq: number, { gfn = 1, time = seq } = {}): DomainRecord => ({
    ...NO_RECORD,
    introduction: { gfn, port: 1, commit: { seq: seq as Seq, time: time as Microseconds } },
  });

  test("tells a domain from the next with its number, though both are introduced alike (XSA-322)", () => {
    const from = withDomain(base, 5, introduced(3));
    const next = withDomain(from, 5, introduced(9));
    const named = edited(from, "/d=2 n0 r5");
    const told = (ours: Root, theirs: Root): readonly string[] =>
      mergeRoots({ base: from, ours, theirs }).conflicts.map((conflict) => describeConflict(conflict));
    expect(told(next, named)).toEqual(["/d: theirs names domain 5, which ours released"]);
    expect(told(named, next)).toEqual(["/d: ours names domain 5, which theirs released"]);
    const { conflicts: kept } = mergeRoots({ base: from, ours: next, theirs: named }, { prefer: "theirs" });
    expect(kept, "nobody can be preferred").toHaveLength(1);
    const repeated = withDomain(from, 5, introduced(3, { gfn: 2 }));
    expect(told(repeated, named), "a repeated INTRODUCE is of the same domain").toEqual([]);
    for (const more of [{ target: 6 as Domid }, { shutdown: true }, { quotas: new Map([["nodes", 3]] as const) }]) {
      const changed = withDomain(from, 5, { ...introduced(3), ...more });
      expect(told(next, changed), "nor is what was changed of it for the next").toEqual(["domain 5: both changed it"]);
      expect(told(changed, next)).toEqual(["domain 5: both changed it"]);
    }
  });

  test("takes domains that two sides introduced under one number for two, though both did it alike", () => {
    const unknown = withDomain(base, 5, undefined);
    const told = (ours: DomainRecord, theirs: DomainRecord): readonly string[] => {
      const sides = { base: unknown, ours: withDomain(base, 5, ours), theirs: withDomain(base, 5, theirs) };
      return mergeRoots(sides).conflicts.map((conflict) => describeConflict(conflict));
    };
    expect(told(introduced(7), introduced(8))).toEqual(["domain 5: both changed it"]);
    expect(told(introduced(7, { time: 70 }), introduced(7, { time: 71 })), "a fork's seqs are its own").toHaveLength(1);
    expect(told(introduced(7), introduced(7))).toEqual([]);
  });

  test.each([
    ["neither had one before", undefined],
    ["both released the one before", introduced(3)],
  ])("gives what one side made for its domain to no other of that number, whichever is kept: %s", (_, before) => {
    const from = withDomain(base, 5, before);
    const [ours, theirs] = [withDomain(base, 5, introduced(7)), edited(withDomain(base, 5, introduced(8)), "/d=2 n5")];
    const kinds = (sides: { ours: Root; theirs: Root }, prefer: "ours" | "theirs"): unknown =>
      mergeRoots({ base: from, ...sides }, { prefer }).conflicts.map(({ subject, kind }) => [subject, kind]);
    expect(kinds({ ours, theirs }, "ours")).toEqual([["/d", "ours released"]]);
    expect(kinds({ ours, theirs }, "theirs"), "it comes with its own domain").toEqual([]);
    expect(kinds({ ours: theirs, theirs: ours }, "theirs")).toEqual([["/d", "theirs released"]]);
    expect(kinds({ ours: theirs, theirs: ours }, "ours")).toEqual([]);
  });

  test("tells domains that 0.1.0 introduced by frame and port, and from all that came later", () => {
    const named = edited(base, "/d=2 n0 r5");
    const other: DomainRecord = { ...NO_RECORD, introduction: { gfn: 2, port: 1 } };
    expect(conflicts(withDomain(base, 5, other), named)).toHaveLength(1);
    expect(conflicts(withDomain(base, 5, introduced(9)), named)).toHaveLength(1);
    expect(conflicts(withDomain(base, 5, { ...INTRODUCED, shutdown: true }), named)).toEqual([]);
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
