import { describe, expect, test } from "vitest";
import { describeLines } from "../../bench/boot.js";
import type { RowResult } from "../../bench/comparison.js";

/** A row that took ours so many seconds. */
function row(name: string, value: number): RowResult {
  return {
    row: { name, unit: "s", target: {} },
    cells: new Map([["ours", { samples: [{ value }], failure: undefined }]]),
  };
}

describe("describeLines", () => {
  test("reckons the time of a machine among 200 against that among 50", () => {
    expect(describeLines([row("published-50", 1), row("published-200", 5)], ["ours"])).toEqual([
      "published, ours: a machine among 200 takes 1.25 times as long as among 50, wanted ≤ 1.25: reached",
    ]);
    expect(describeLines([row("storm-50", 1), row("storm-200", 8)], ["ours"])).toEqual([
      "storm, ours: a machine among 200 takes 2.00 times as long as among 50, wanted ≤ 1.25: FALLS SHORT",
    ]);
  });

  test("says nothing where one of the two was not measured", () => {
    expect(describeLines([row("published-200", 5), row("storm-50", 1)], ["ours"])).toEqual([]);
  });
});
