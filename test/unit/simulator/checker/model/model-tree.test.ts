import { describe, expect, test } from "vitest";
import { ModelTree, type ModelNode } from "../../../../../simulator/checker/model/model-tree.js";
import { parsePerms } from "../../../../../protocol/perms.js";

function node(value: string): ModelNode {
  const perms = parsePerms(["n0"]);
  if (perms === undefined) throw new Error("bad perms");
  return { value, perms };
}

/** `/`, `/a`, `/a/b` and `/c`. */
function sampleTree(): ModelTree {
  const tree = new ModelTree(node("top"));
  for (const path of ["/a", "/a/b", "/c"]) tree.set(path, node(path));
  return tree;
}

describe("ModelTree", () => {
  test("knows what is below a path, sorted, and all that lies within", () => {
    const tree = sampleTree();
    tree.set("/B", node(""));
    expect(tree.namesBelow("/")).toEqual(["B", "a", "c"]);
    expect(tree.pathsWithin("/a")).toEqual(["/a", "/a/b"]);
    expect(tree.pathsWithin("/x")).toEqual([]);
    tree.delete("/c");
    expect(tree.namesBelow("/")).toEqual(["B", "a"]);
    expect(tree.size).toBe(4);
  });

  test("has copies that change for themselves, in both directions (invariant 1)", () => {
    const tree = sampleTree();
    const copy = tree.copy();
    tree.set("/a", node("of the first"));
    copy.delete("/c");
    copy.set("/a/d", node(""));
    expect([tree.get("/a")?.value, copy.get("/a")?.value]).toEqual(["of the first", "/a"]);
    expect([tree.has("/c"), copy.has("/c")]).toEqual([true, false]);
    expect([tree.namesBelow("/a"), copy.namesBelow("/a")]).toEqual([["b"], ["b", "d"]]);
  });

  test("remembers what each path was before the first change of it (invariant 2)", () => {
    const tree = sampleTree();
    tree.beginChange(1);
    tree.set("/a", node("1"));
    tree.set("/a", node("2"));
    tree.delete("/c");
    tree.set("/e", node(""));
    expect([...tree.changes].map(([path, was]) => [path, was?.value])).toEqual([
      ["/a", "/a"],
      ["/c", "/c"],
      ["/e", undefined],
    ]);
    expect(["/a", "/c", "/e", "/a/b"].map((path) => tree.getBefore(path)?.value)).toEqual([
      "/a",
      "/c",
      undefined,
      "/a/b",
    ]);
    expect(tree.copy().changes.size).toBe(0);
  });

  test("counts as a change of a node its value, its perms and its children, and nothing else (invariant 3)", () => {
    const tree = sampleTree();
    const generations = (): number[] => ["/", "/a", "/a/b", "/c"].map((path) => tree.generationOf(path));
    tree.beginChange(5);
    tree.set("/a/b", node("/a/b"));
    expect(generations()).toEqual([0, 0, 0, 0]);
    tree.set("/a/b", node("other"));
    tree.set("/a/b", node("/a/b"));
    expect(generations()).toEqual([0, 0, 5, 0]);
    tree.beginChange(6);
    tree.set("/a/d", node(""));
    expect(generations()).toEqual([0, 6, 5, 0]);
    tree.beginChange(7);
    tree.delete("/a/d");
    expect(generations()).toEqual([0, 7, 5, 0]);
    tree.beginChange(8);
    tree.set("/c", { value: "/c", perms: parsePerms(["r0"]) ?? node("").perms });
    expect(generations()).toEqual([0, 7, 5, 8]);
  });
});
