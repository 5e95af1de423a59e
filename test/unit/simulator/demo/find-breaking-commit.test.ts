import { describe, expect, test } from "vitest";
import { findBreakingCommit } from "../../../../simulator/demo/find-breaking-commit.js";

describe("findBreakingCommit", () => {
  test("finds the first bad commit wherever it is, and looks at no commit twice", () => {
    for (let bad = 1; bad <= 100; bad++) {
      for (let first = 1; first <= bad; first++) {
        const { seq, steps } = findBreakingCommit({ good: 0, bad }, (at) => at >= first);
        expect(seq).toBe(first);
        expect(steps.length).toBeLessThanOrEqual(Math.ceil(Math.log2(bad)));
        expect(new Set(steps.map((step) => step.seq)).size).toBe(steps.length);
        expect(steps.every((step) => step.isBad === step.seq >= first)).toBe(true);
      }
    }
  });

  test("needs no look when the two are neighbours", () => {
    expect(findBreakingCommit({ good: 4, bad: 5 }, () => false)).toEqual({ seq: 5, steps: [] });
  });
});
