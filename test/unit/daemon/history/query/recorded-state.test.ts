import { describe, expect, test } from "vitest";
import { recordedState } from "../../../../../daemon/history/query/recorded-state.js";
import type { Oid } from "../../../../../daemon/history/object/oid.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import type { Path } from "../../../../../protocol/identifiers.js";
import { serializePerms } from "../../../../../protocol/perms.js";
import { evaluate } from "../../../../../protocol/predicate/evaluate.js";
import { parsePredicate } from "../../../../../protocol/predicate/parse-predicate.js";
import { questionAbout, recordSteps } from "../../../../support/stepped-history.js";

const repository = recordSteps([
  {
    "/a": ["top", "n0 r5"],
    "/a/device": ["\xff", "n5"],
    "/a/device/vif": ["1", "n5 r0"],
    "/a/device-model": "m",
    "/b/__proto__": "p",
    "/c/1/x": "",
    "/c/2/x": "",
    "/c/3/y": "",
  },
]);
const { view } = questionAbout(repository).question;
const tree = view.tip(MAIN_REF)?.commit.tree as Oid;

/** The state, and what was read of it. */
function observed(): { state: ReturnType<typeof recordedState>; reads: () => number } {
  let reads = 0;
  const state = recordedState(
    {
      read: (oid) => {
        reads++;
        return view.reader.read(oid);
      },
    },
    tree,
  );
  return { state, reads: () => reads };
}

describe("recordedState", () => {
  test.each([
    ["/", "", "n0", ["a", "b", "c"]],
    ["/a", "top", "n0,r5", ["device", "device-model"]],
    ["/a/device", "\xff", "n5", ["vif"]],
    ["/a/device/vif", "1", "n5,r0", []],
    ["/a/device-model", "m", "n0", []],
    ["/b/__proto__", "p", "n0", []],
  ])("has the node %s as it was recorded", (path, value, perms, names) => {
    const node = observed().state.node(path as Path);
    expect(node?.value).toBe(value);
    expect(node && serializePerms(node.perms, ",")).toBe(perms);
    expect([...(node?.names ?? [])].sort()).toEqual(names);
  });

  test.each(["/x", "/a/x", "/a/device/vif/x", "/a/device/vif/x/y", "/a/.value", "/.perms"])(
    "has no node %s",
    (path) => {
      const { state } = observed();
      expect(state.node(path as Path)).toBeUndefined();
      // Also when the directory has been listed, and when it is asked again.
      expect(state.node("/a" as Path)?.names).toHaveLength(2);
      expect(state.node(path as Path)).toBeUndefined();
    },
  );

  test("reads what is asked for, and that once", () => {
    const { state, reads } = observed();
    const node = state.node("/a/device/vif" as Path);
    expect(reads()).toBe(3);
    expect([node?.value, node?.value]).toEqual(["1", "1"]);
    expect(reads()).toBe(4);
    expect(state.node("/a/device/vif" as Path)).toBe(node);
    expect(reads()).toBe(4);
    expect(state.node("/a/device/other" as Path)).toBeUndefined();
    expect(reads()).toBe(5);
  });

  test("lists a directory once for all the nodes in it", () => {
    const { state, reads } = observed();
    expect(evaluate(parsePredicate("count /c/* = 3"), () => state)).toBe(true);
    // The tree objects of `/` and of `/c`.
    expect(reads()).toBe(2);
    expect(evaluate(parsePredicate("count /c/*/x = 2"), () => state)).toBe(true);
    // And those of the three.
    expect(reads()).toBe(5);
  });
});
