/**
 * Edits: path copying shares what did not change, and goes to any depth.
 */
import { describe, expect, test } from "vitest";
import { removeNode, setNode } from "../../../../daemon/store/edit.js";
import { getChild, indexOfName, leaf, type Node } from "../../../../daemon/store/node.js";
import type { Path, Seq } from "../../../../protocol/identifiers.js";
import { joinPath } from "../../../../protocol/path.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";

const PERMS = parsePerms(["n0"]) as Perms;
const state = (value: string) => ({ value, perms: PERMS });
const seq = (value: number) => value as Seq;
const path = (text: string) => text as Path;

/** Sets paths one after the other; the seq counts them. */
function build(...paths: string[]): Node {
  return paths.reduce<Node>(
    (top, each, index) => {
      const next = setNode(top, path(each), state(each), seq(index + 1));
      if (next === undefined) throw new Error(each);
      return next;
    },
    leaf("", PERMS, seq(0)),
  );
}

describe("setNode", () => {
  test("keeps names sorted by code unit, whatever the order in which they came", () => {
    const top = build("/b", "/a", "/__proto__", "/A", "/a-b", "/a0", "/constructor");
    expect(top.names).toEqual(["A", "__proto__", "a", "a-b", "a0", "b", "constructor"]);
    expect(top.names.map((name) => getChild(top, name)?.value)).toEqual(top.names.map((name) => `/${name}`));
    expect(getChild(top, "toString")).toBeUndefined();
    expect(indexOfName(top.names, "aa")).toBe(-6);
  });

  test("leaves the old top as it was, and shares every node that it did not touch", () => {
    const before = build("/a", "/a/x", "/b", "/b/y");
    const after = setNode(before, path("/a/x"), state("new"), seq(9));
    if (after === undefined) throw new Error("no top");
    expect(getChild(getChild(before, "a") as Node, "x")?.value).toBe("/a/x");
    expect(getChild(after, "b")).toBe(getChild(before, "b"));
    expect(after.names).toBe(before.names);
    expect([after.modified, getChild(after, "a")?.modified]).toEqual([before.modified, 2]);
    expect(getChild(getChild(after, "a") as Node, "x")?.modified).toBe(9);
  });

  test("returns the same top when nothing differs, also for an equal list that is another object", () => {
    const top = build("/a");
    expect(setNode(top, path("/a"), state("/a"), seq(9))).toBe(top);
    expect(setNode(top, path("/a"), { value: "/a", perms: [{ access: 0, domid: PERMS[0].domid }] }, seq(9))).toBe(top);
    expect(setNode(top, path("/"), { value: "", perms: PERMS }, seq(9))).toBe(top);
  });

  test("keeps the children of a node that gets another value", () => {
    const top = setNode(build("/a", "/a/x"), path("/a"), state("new"), seq(9));
    expect(getChild(top as Node, "a")).toMatchObject({ value: "new", names: ["x"], modified: 9 });
  });

  test("is undefined when the parent is missing", () => {
    expect(setNode(build("/a"), path("/b/c"), state(""), seq(9))).toBeUndefined();
    expect(setNode(build("/a"), path("/a/b/c"), state(""), seq(9))).toBeUndefined();
  });
});

describe("removeNode", () => {
  test("takes the node with all below it, and stamps the parent alone", () => {
    const before = build("/a", "/a/x", "/a/x/y", "/b");
    const after = removeNode(before, path("/a/x"), seq(9));
    expect(getChild(after as Node, "a")).toEqual({ value: "/a", perms: PERMS, names: [], children: [], modified: 9 });
    expect([after?.modified, after?.names]).toEqual([4, ["a", "b"]]);
    expect(getChild(before, "a")?.names).toEqual(["x"]);
  });

  test("is undefined for what is missing, and for /", () => {
    const top = build("/a");
    for (const each of ["/b", "/a/b", "/b/c", "/"]) expect(removeNode(top, path(each), seq(9)), each).toBeUndefined();
  });
});

describe("edits of deep paths", () => {
  test("go to 1,500 levels (XSA-418)", () => {
    let top = leaf("", PERMS, seq(0));
    const names: string[] = [];
    for (let level = 0; level < 1500; level++) {
      names.push("a");
      top = setNode(top, joinPath(names), state(""), seq(1)) as Node;
    }
    const written = setNode(top, joinPath(names), state("deep"), seq(2));
    const removed = removeNode(written as Node, joinPath(names), seq(3));
    expect(removed?.names).toEqual(["a"]);
    expect(removeNode(removed as Node, path("/a"), seq(4))?.names).toEqual([]);
  });
});
