import { rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { HistoryView } from "../../../../../daemon/history/query/history.js";
import { lineTo } from "../../../../../daemon/history/query/commit-line.js";
import { rememberingSource, walkingCommitsTouching } from "../../../../../daemon/history/query/touching-commits.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import type { FoundCommit } from "../../../../../daemon/history/repository/find-commit.js";
import type { Path } from "../../../../../protocol/identifiers.js";
import { questionAbout, recordSteps, type Step } from "../../../../support/stepped-history.js";

const STEPS: readonly Step[] = [
  { "/a/b/c": "1" },
  { "/x": "1" },
  { "/a/b/c": "2" },
  { "/a/b/d": "1" },
  { "/a/b/c": ["2", "n5"] },
  {},
  { "/a/b/c/below": "1" },
  { "/x": "2" },
  { "/a": undefined },
  { "/x": "3" },
];
const { view: indexed } = questionAbout(recordSteps(STEPS)).question;
const unindexed = recordSteps(STEPS);
rmSync(`${unindexed}/xenstore-tng/paths`, { recursive: true });
const { view: walked } = questionAbout(unindexed).question;

function touching(
  view: HistoryView,
  paths: readonly string[],
  { from = 2, to = STEPS.length, budget = Infinity } = {},
): { seqs: readonly number[]; lookedFrom: number } {
  const line = lineTo(view, view.tip(MAIN_REF) as FoundCommit);
  const range = { from, to };
  let left = budget;
  const find = walkingCommitsTouching(view, line, {
    source: rememberingSource(view.reader),
    mayGoOn: () => left-- > 0,
  });
  const seqs: number[] = [];
  const walk = find(new Set(paths as readonly Path[]), range);
  for (;;) {
    const { done, value } = walk.next();
    if (done === true) return { seqs, lookedFrom: value };
    seqs.push(value);
  }
}

describe("walkingCommitsTouching", () => {
  test.each([
    // A new sibling that has the directory's perms says nothing of the node; perms beside it may.
    [["/a/b/c"], [9, 7, 5, 3]],
    [["/a/b/c/below"], [9, 7]],
    [["/a/b"], [9, 7, 5, 4, 3]],
    [["/a"], [9, 7, 5, 4, 3]],
    [["/x"], [10, 8, 2]],
    [["/nowhere", "/a/b/c/below/x"], []],
    [
      ["/x", "/a/b/c/below"],
      [10, 9, 8, 7, 2],
    ],
    [["/"], [10, 9, 8, 7, 5, 4, 3, 2]],
  ])("finds those that changed something at or below %j, newest first", (paths, seqs) => {
    for (const view of [indexed, walked]) expect(touching(view, paths)).toEqual({ seqs, lookedFrom: 2 });
  });

  test("looks at the range alone, and takes the first commit of all for one that touches all", () => {
    for (const view of [indexed, walked]) {
      expect(touching(view, ["/a/b/c"], { from: 4, to: 7 })).toEqual({ seqs: [7, 5], lookedFrom: 4 });
      expect(touching(view, ["/nowhere"], { from: -3, to: 4 })).toEqual({ seqs: [1], lookedFrom: 1 });
      expect(touching(view, ["/x"], { from: 20, to: 22 })).toEqual({ seqs: [], lookedFrom: 23 });
    }
  });

  test.each([
    [0, [], 11],
    [1, [10], 10],
    [2, [10], 9],
    [3, [10, 8], 8],
    [8, [10, 8], 3],
    [9, [10, 8, 2], 2],
  ])("gives up when it may not go on: after %i commits", (budget, seqs, lookedFrom) => {
    expect(touching(walked, ["/x"], { budget })).toEqual({ seqs, lookedFrom });
  });

  test("does not look at commits of which the index of paths says that they touched none", () => {
    expect(touching(indexed, ["/x"], { budget: 2 })).toEqual({ seqs: [10, 8], lookedFrom: 3 });
    expect(touching(indexed, ["/x"], { budget: 3 })).toEqual({ seqs: [10, 8, 2], lookedFrom: 2 });
    expect(touching(indexed, ["/x", "/a/b/c/below"], { budget: 5 })).toEqual({ seqs: [10, 9, 8, 7, 2], lookedFrom: 2 });
  });
});

describe("rememberingSource", () => {
  test("reads an object once, and again when much was read since", () => {
    const reads: string[] = [];
    const data = Buffer.alloc(1024 * 1024);
    const source = rememberingSource({
      read: (oid) => {
        reads.push(oid);
        return { type: "blob", data };
      },
    });
    const read = (oid: string): unknown => source.read(oid as never);
    expect(read("a")).toBe(read("a"));
    expect(reads).toEqual(["a"]);
    for (const oid of ["b", "c", "d", "e", "b", "a"]) read(oid);
    expect(reads.filter((oid) => oid === "a")).toHaveLength(2);
    expect(reads.length).toBeLessThan(8);
  });
});
