/** The rows of a tree that is partly unfolded. */
import { describe, expect, it } from "vitest";
import {
  parentOf,
  pathsAbove,
  touchedBy,
  treeRows,
  type LoadedChildren,
} from "../../../../clients/explorer/tree/tree-rows.js";
import type { ChildJson } from "../../../../protocol/http-api/history-queries.js";

const child = (name: string, hasChildren = false): ChildJson => ({ name, hasChildren, value: name, perms: ["n0"] });
const loaded = (...children: readonly ChildJson[]): LoadedChildren => ({ children, hasMore: false });

const TREE = new Map<string, LoadedChildren>([
  ["/", loaded(child("a", true), child("b"), child("c", true))],
  ["/a", { children: [child("x"), child("y", true)], hasMore: true }],
  ["/c", loaded(child("z"))],
]);

describe("the rows", () => {
  it("are what is unfolded and loaded, in the order of the tree, with what there is more of", () => {
    const rows = treeRows({ loaded: TREE, unfolded: new Set(["/a", "/a/y", "/b"]), touched: new Map() });
    expect(rows.map(({ kind, path, level }) => `${kind} ${String(level)} ${path}`)).toEqual([
      "node 1 /a",
      "node 2 /a/x",
      "node 2 /a/y",
      "more 2 /a",
      "node 1 /b",
      "node 1 /c",
    ]);
  });

  it("say where a node stands among its siblings, where that is known", () => {
    const rows = treeRows({ loaded: TREE, unfolded: new Set(["/a"]), touched: new Map() });
    const places = rows.flatMap((row) => (row.kind === "node" ? [[row.path, row.position, row.siblings]] : []));
    expect(places).toEqual([
      ["/a", 1, 3],
      ["/a/x", 1, -1],
      ["/a/y", 2, -1],
      ["/b", 2, 3],
      ["/c", 3, 3],
    ]);
  });

  it("are there for a tree that is deeper than a stack", () => {
    const depth = 5000;
    const deep = new Map<string, LoadedChildren>();
    let path = "/";
    for (let level = 0; level < depth; level++) {
      deep.set(path, loaded(child("d", true)));
      path = path === "/" ? "/d" : `${path}/d`;
    }
    expect(treeRows({ loaded: deep, unfolded: new Set(deep.keys()), touched: new Map() })).toHaveLength(depth);
  });

  it("are marked where a commit touched them", () => {
    const touched = touchedBy([
      { kind: "node", path: "/a/x", after: { value: "", perms: ["n0"] } },
      { kind: "node", path: "/b", before: { value: "1", perms: ["n0"] }, after: { value: "2", perms: ["n0"] } },
      { kind: "node", path: "/c/gone", before: { value: "1", perms: ["n0"] } },
      { kind: "quota", name: "nodes", after: 5 },
    ]);
    expect([...touched].sort()).toEqual([
      ["/", "below"],
      ["/a", "below"],
      ["/a/x", "came"],
      ["/b", "changed"],
      ["/c", "below"],
    ]);
    const rows = treeRows({ loaded: TREE, unfolded: new Set(["/a"]), touched });
    expect(rows.map((row) => (row.kind === "node" ? row.touch : row.kind))).toEqual([
      "below",
      "came",
      undefined,
      "more",
      "changed",
      "below",
    ]);
  });
});

describe("paths above a path", () => {
  it.each([
    ["/", "/", []],
    ["/a", "/", ["/"]],
    ["/a/b/c", "/a/b", ["/", "/a", "/a/b"]],
    ["foo", "/", []],
    ["@releaseDomain", "/", []],
    ["/a//b", "/a/", []],
    ["", "/", []],
  ])("of %s", (path, parent, above) => {
    expect(parentOf(path)).toBe(parent);
    expect(pathsAbove(path)).toEqual(above);
  });
});
