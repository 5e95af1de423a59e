import { describe, expect, test } from "vitest";
import { FAULT_NAMES, FAULTS } from "../../../../protocol/predicate/faults.js";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import { commitsNeeded } from "../../../../protocol/predicate/predicate.js";

describe("FAULTS", () => {
  test.each(FAULT_NAMES)("%s has a predicate about one state", (name) => {
    expect(commitsNeeded(parsePredicate(FAULTS[name].predicate, new Map([["D", "7"]])))).toBe(1);
  });

  test("has names that are words of lower case and hyphens", () => {
    expect(FAULT_NAMES.filter((name) => !/^[a-z]+(-[a-z]+)+$/.test(name))).toEqual([]);
  });
});
