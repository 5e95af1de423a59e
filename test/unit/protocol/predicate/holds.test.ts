import { describe, expect, test } from "vitest";
import type { Domid, Path, Seq } from "../../../../protocol/identifiers.js";
import { internPerms } from "../../../../protocol/perms.js";
import { holds } from "../../../../protocol/predicate/holds.js";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import type { Window } from "../../../../protocol/predicate/predicate.js";
import type { StateView } from "../../../../protocol/predicate/state-view.js";
import { setNode } from "../../../../daemon/store/edit.js";
import { emptyRoot, getNode, type Root } from "../../../../daemon/store/root.js";
import { stateOf } from "../../../support/states.js";

const state = stateOf({
  "/a": ["4", "n5 r0"],
  "/empty": "",
  "/bytes": "caf\xc3\xa9\xff\0",
  "/d/1/name": ["x", "n1"],
  "/d/2/name": ["y", "n2"],
  "/d/3/name": ["x", "n3"],
  "/d/4": "",
  "/x": "x",
  "/link": "/d/1",
});

function holdsAt(text: string, view: StateView = state): boolean {
  return holds(parsePredicate(text), view, () => {
    throw new Error("no window here");
  });
}

describe("holds", () => {
  test.each<[text: string, holding: boolean]>([
    ["exists /", true],
    ["exists /a", true],
    ["exists /b", false],
    ["exists /d/*/name", true],
    ["exists /d/*/other", false],
    ["value /a = 4", true],
    ["value /a = 40", false],
    ["value /a != 4", false],
    ["value /a != 5", true],
    ['value /empty = ""', true],
    ['value /bytes = "caf\u00e9\\xff\\x00"', true],
    ["value /bytes = caf\u00e9", false],
    ["value /d/*/name = y", true],
    ["value /d/*/name = z", false],
    ["value /d/*/name != x", true],
    ["value /d/4/** != x", true],
    ["value /a ~ 4", true],
    ["value /a ~ ^$", false],
    ["value /empty ~ ^$", true],
    ["value /bytes ~ \\xa9.\\x00$", true],
    ["value /d/*/name ~ ^[yz]$", true],
    ["value /d/*/name ~ [zw]", false],
    ["perms /a = n5,r0", true],
    ["perms /a = n5", false],
    ["perms /a = r0,n5", false],
    ["perms /a = n5,b0", false],
    ["perms /a != n5,r0", false],
    ["perms /a != n5", true],
    ["perms /d/*/name = n2", true],
    ["perms /d/*/name = n4", false],
    ["perms /d/*/name != n1", true],
    ["count /d/*/name = 3", true],
    ["count /d/*/name = 2", false],
    ["count /d/*/name != 3", false],
    ["count /d/*/name != 4", true],
    ["count /d/*/name > 2", true],
    ["count /d/*/name > 3", false],
    ["count /d/*/name >= 3", true],
    ["count /d/*/name >= 4", false],
    ["count /d/*/name < 4", true],
    ["count /d/*/name < 3", false],
    ["count /d/*/name <= 3", true],
    ["count /d/*/name <= 2", false],
    ["count /missing/** = 0", true],
    ["count /a = 1", true],
    ["count /d/** = 8", true],
    ["same /x /d/1/name", true],
    ["same /x /d/2/name", false],
    ["same /x {/link}/name", true],
    ["same /x /missing", false],
    ["same /missing /x", false],
    ["same /missing /missing", false],
    ["same /empty /d/4", true],
    ["distinct /d/*/name", false],
    ["distinct /d/*", false],
    ["distinct /*", false],
    ["distinct /d/*1*/name", true],
    ["distinct /missing/*", true],
    ["distinct /x", true],
    ["not exists /a", false],
    ["not exists /b", true],
    ["exists /a and exists /x and exists /d", true],
    ["exists /a and exists /x and exists /b", false],
    ["exists /b or exists /c or exists /a", true],
    ["exists /b or exists /c", false],
  ])("%s: %s", (text, holding) => {
    expect(holdsAt(text)).toBe(holding);
  });

  test.each(["value /missing = 4", "value /missing != 4", "value /missing ~ 4", 'value /missing = ""'])(
    "a missing node has no value: %s",
    (text) => {
      expect(holdsAt(text)).toBe(false);
      expect(holdsAt(`not ${text}`)).toBe(true);
    },
  );

  test.each(["perms /missing = n0", "perms /missing != n0"])("a missing node has no perms: %s", (text) => {
    expect(holdsAt(text)).toBe(false);
    expect(holdsAt(`not ${text}`)).toBe(true);
  });

  test("an expression keeps nothing from one test to the next", () => {
    const predicate = parsePredicate("value /a ~ 4");
    const answers = [1, 2, 3].map(() => holds(predicate, state, () => false));
    expect(answers).toEqual([true, true, true]);
  });

  test("asks its caller about windows, as they are in the predicate", () => {
    const predicate = parsePredicate("exists /a and (exists /b for 3 commits or exists /c for 2 commits)");
    const asked: Window[] = [];
    const answer = holds(predicate, state, (window) => {
      asked.push(window);
      return window.commits === 2;
    });
    expect(answer).toBe(true);
    expect(asked.map(({ commits }) => commits)).toEqual([3, 2]);
  });

  test("a root of the store is a view in one line", () => {
    const empty = emptyRoot();
    const perms = internPerms([{ access: 0, domid: 5 as Domid }]);
    const parent = setNode(empty.node, "/a" as Path, { value: "", perms }, 1 as Seq) ?? empty.node;
    const node = setNode(parent, "/a/b" as Path, { value: "4", perms }, 2 as Seq) ?? parent;
    const root: Root = { ...empty, node };
    const view: StateView = { node: (path) => getNode(root, path) };
    expect(holdsAt("value /*/b = 4 and perms /a/b = n5 and count /** = 3", view)).toBe(true);
  });
});
