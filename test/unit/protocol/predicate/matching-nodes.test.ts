import { describe, expect, test } from "vitest";
import { parsePath } from "../../../../protocol/path.js";
import { DOM0 } from "../../../../protocol/identifiers.js";
import { getMatchingNode, matchingNodes } from "../../../../protocol/predicate/matching-nodes.js";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import type { PathPattern } from "../../../../protocol/predicate/predicate.js";
import type { StateView } from "../../../../protocol/predicate/state-view.js";
import { recordLookups, stateFromMap, stateOf } from "../../../support/states.js";

function patternOf(text: string): PathPattern {
  const predicate = parsePredicate(`exists ${text}`);
  if (predicate.kind !== "exists") throw new Error(text);
  return predicate.path;
}

/** The values of the nodes that match, sorted. */
function matches(text: string, view: StateView): string[] {
  return [...matchingNodes(patternOf(text), view)].map(({ value }) => value).sort();
}

/** Each node's value is its path, but for those that name another. */
const paths = [
  "/a",
  "/a/b",
  "/a/b/b",
  "/a/b/b/c",
  "/a/vif",
  "/a/vif0",
  "/a/vif0/c",
  "/a/xvif1",
  "/a/vif10x",
  "/__proto__/c",
  "/__proto__",
];
const state = stateFromMap(
  new Map([
    ["/", "/"],
    ...paths.map((path) => [path, path] as const),
    ["/link", "/a/b"],
    ["/link2", "/link"],
    ["/root", "/"],
    ["/relative", "a/b"],
    ["/special", "@releaseDomain"],
    ["/illegal", "/a/"],
    ["/long", `/a${"/b".repeat(1535)}`],
    ["/empty", ""],
  ]),
);

describe("matchingNodes", () => {
  test.each<[text: string, values: string[]]>([
    ["/", ["/"]],
    ["/a/b", ["/a/b"]],
    ["/a/c", []],
    ["/__proto__/c", ["/__proto__/c"]],
    ["/constructor", []],
    // A star stands within one name.
    ["/a/*", ["/a/b", "/a/vif", "/a/vif0", "/a/vif10x", "/a/xvif1"]],
    ["/a/*/c", ["/a/vif0/c"]],
    ["/*/c", ["/__proto__/c"]],
    ["/a/vif*", ["/a/vif", "/a/vif0", "/a/vif10x"]],
    ["/a/*vif*", ["/a/vif", "/a/vif0", "/a/vif10x", "/a/xvif1"]],
    ["/a/*1*", ["/a/vif10x", "/a/xvif1"]],
    ["/a/*0", ["/a/vif0"]],
    ["/a/v*0x", ["/a/vif10x"]],
    ["/a/v*f*1*x", ["/a/vif10x"]],
    ["/a/*/*/c", ["/a/b/b/c"]],
    ["/x/*", []],
    // Two stars stand for any number of names, and each node comes once.
    ["/a/b/**", ["/a/b", "/a/b/b", "/a/b/b/c"]],
    ["/a/**/c", ["/a/b/b/c", "/a/vif0/c"]],
    ["/**/c", ["/__proto__/c", "/a/b/b/c", "/a/vif0/c"]],
    ["/**/b", ["/a/b", "/a/b/b"]],
    ["/**/b/**", ["/a/b", "/a/b/b", "/a/b/b/c"]],
    ["/**/b/**/b/**/**", ["/a/b/b", "/a/b/b/c"]],
    ["/a/**/vif*/**", ["/a/vif", "/a/vif0", "/a/vif0/c", "/a/vif10x"]],
    ["/a/**/*/c", ["/a/b/b/c", "/a/vif0/c"]],
    ["/x/**", []],
    // Braces.
    ["{/link}", ["/a/b"]],
    ["{/link}/b", ["/a/b/b"]],
    ["{/link}/*", ["/a/b/b"]],
    ["{/link}/**/c", ["/a/b/b/c"]],
    ["{{/link2}}/b", ["/a/b/b"]],
    ["{/root}", ["/"]],
    ["{/root}/a", ["/a"]],
    ["{/root}/*/c", ["/__proto__/c"]],
    ["{{/root}/link}/b", ["/a/b/b"]],
    ["{/missing}", []],
    ["{/missing}/a", []],
    ["{/missing}/**", []],
    ["{{/missing}/x}/a", []],
    ["{/relative}", []],
    ["{/relative}/b", []],
    ["{/special}", []],
    ["{/illegal}", []],
    ["{/illegal}/b", []],
    ["{/empty}", []],
    ["{/empty}/a", []],
    ["{/long}/bb", []],
  ])("%s", (text, values) => {
    expect(matches(text, state)).toEqual(values);
  });

  test("/** is every node, each once", () => {
    const values = matches("/**", state);
    expect(values).toEqual(expect.arrayContaining(["/", ...paths]));
    expect(values).toHaveLength(1 + paths.length + 8);
  });

  test.each<[text: string, lookups: string[]]>([
    ["/a/b", ["/a/b"]],
    ["/a/*/c", ["/a", "/a/xvif1/c", "/a/vif10x/c", "/a/vif0/c", "/a/vif/c", "/a/b/c"]],
    ["/a/b/*/x/y", ["/a/b", "/a/b/b/x/y"]],
    ["/a/vif0*/c", ["/a", "/a/vif0/c"]],
    ["{/link}/b", ["/link", "/a/b/b"]],
    ["{/relative}/b", ["/relative"]],
    ["/missing/*/c", ["/missing"]],
  ])("%s looks at no node that it need not", (text, lookups) => {
    const recorded = recordLookups(state);
    matches(text, recorded.state);
    expect(new Set(recorded.lookups)).toEqual(new Set(lookups));
    expect(recorded.lookups).toHaveLength(lookups.length);
  });

  test("stops where its caller stops", () => {
    const recorded = recordLookups(state);
    for (const node of matchingNodes(patternOf("/**"), recorded.state)) {
      expect(node.value).toBe("/");
      break;
    }
    expect(recorded.lookups).toEqual(["/"]);
  });

  test("walks a tree of 1,536 levels without recursion", () => {
    const deep = stateOf({ ["/a".repeat(1536)]: "deepest" });
    expect(matches("/**/a/**/a/**/a", deep)).toHaveLength(1534);
    expect(matches(`/a/**${"/a".repeat(1530)}/**`, deep)).toHaveLength(6);
  });

  test("takes no time exponential in the number of ** or of stars", () => {
    const deep = stateOf({ ["/a".repeat(300)]: "", [`/b/${"a".repeat(2000)}`]: "" });
    expect(matches(`/${"**/a/".repeat(40)}**/b`, deep)).toEqual([]);
    expect(matches(`/b/${"*a".repeat(1000)}*b`, deep)).toEqual([]);
  });

  test("never asks for a path that is too long to be one", () => {
    const long = "x".repeat(3000);
    const recorded = recordLookups(stateOf({ [`/a/${long}`]: "", [`/${"y".repeat(70)}`]: "" }));
    expect(matches(`/*/${"z".repeat(3000)}`, recorded.state)).toEqual([]);
    expect(matches(`/*/${"z".repeat(3060)}`, recorded.state)).toEqual([]);
    for (const path of recorded.lookups) expect(parsePath(path, DOM0)).toBe(path);
    expect(recorded.lookups).toContain(`/a/${"z".repeat(3060)}`);
  });

  test("a path of 3,072 bytes can be matched", () => {
    const name = "x".repeat(3071);
    expect(matches("/*", stateOf({ [`/${name}`]: "longest" }))).toEqual(["longest"]);
  });
});

describe("getMatchingNode", () => {
  test.each<[text: string, value: string | undefined]>([
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a/c", undefined],
    ["{{/link2}}/b/c", "/a/b/b/c"],
    ["{/missing}/b", undefined],
  ])("%s", (text, value) => {
    expect(getMatchingNode(patternOf(text), state)?.value).toBe(value);
  });

  test.each<[text: string, lookups: string[]]>([
    ["{/link}/b", ["/link", "/a/b/b"]],
    ["{/illegal}/b", ["/illegal"]],
    ["{/long}/bb", ["/long"]],
    ["{{/long}/bb}/c", ["/long"]],
  ])("%s is never looked up where it is no path", (text, lookups) => {
    const recorded = recordLookups(state);
    getMatchingNode(patternOf(text), recorded.state);
    expect(recorded.lookups).toEqual(lookups);
  });
});
