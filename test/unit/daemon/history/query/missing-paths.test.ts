import { describe, expect, test } from "vitest";
import { missingPaths } from "../../../../../daemon/history/query/missing-paths.js";
import { parsePredicate } from "../../../../../protocol/predicate/parse-predicate.js";
import { stateOf } from "../../../../support/states.js";

const state = stateOf({
  "/local/domain/7/device/vbd": "",
  "/local/domain/12/name": "x",
  ...Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`/many/n${String(index)}x`, ""])),
});
const before = stateOf({ "/gone/node": "" });

function missing(text: string): readonly string[] {
  return missingPaths(parsePredicate(text), [state, before]);
}

describe("missingPaths", () => {
  test("says nothing of paths that are in one of the states", () => {
    expect(missing("exists /local/domain/7/device/* and exists /gone/node and exists /")).toEqual([]);
  });

  test.each([
    ["exists /local/domian/7/name", "there is no /local/domian/7/name at either: did you mean /local/domain/7/name?"],
    [
      "exists /local/domain/7/devices/*",
      "there is no /local/domain/7/devices at either: did you mean /local/domain/7/device?",
    ],
    // No number is a misspelt other.
    ["exists /local/domain/8/name", "there is no /local/domain/8/name at either: below /local/domain there is 12, 7"],
    [
      "exists /local/domain/7/device/vbd/1",
      "there is no /local/domain/7/device/vbd/1 at either: /local/domain/7/device/vbd has no nodes below it",
    ],
    [
      "exists /many/other",
      "there is no /many/other at either: below /many there is n0x, n1x, n2x, n3x, n4x, n5x, n6x, n7x, …",
    ],
    ["value {/lokal/x}/name = 1", "there is no /lokal/x at either: did you mean /local/x?"],
  ])("tells of %s where it was meant to lead", (text, line) => {
    expect(missing(text)).toEqual([line]);
  });

  test("tells of each path once", () => {
    expect(missing("same /x/a /y/a and exists /x/a")).toHaveLength(2);
  });
});
