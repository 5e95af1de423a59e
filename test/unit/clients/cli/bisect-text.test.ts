import { describe, expect, test } from "vitest";
import { bisectText, flipsWarning } from "../../../../clients/cli/bisect-text.js";
import type { BisectAnswer, FlipsJson } from "../../../../protocol/http-api/bisect.js";

function answer(flips: FlipsJson, steps = 3): BisectAnswer {
  const summary = { oid: "12".repeat(20), subject: "dom0: WRITE /a" };
  const first = { ...summary, seq: 5, parents: [], requests: ['WRITE /a "1"'], changes: [] };
  return {
    predicate: "exists /a",
    good: { ...summary, seq: 1 },
    bad: { ...summary, seq: 9 },
    first,
    steps,
    tried: [],
    flips,
  };
}

function linesOf(flips: FlipsJson, steps?: number): readonly string[] {
  return bisectText(answer(flips, steps)).split("\n").slice(0, 4);
}

describe("bisectText", () => {
  test("tells the commit, the steps and the flips, and then what xs show tells", () => {
    expect(linesOf({ count: 1, looked: 8, commits: 8 })).toEqual([
      "@{5} is the first bad commit, found in 3 steps between @{1} (good) and @{9} (bad)",
      "the predicate flips once in these 8 commits",
      "",
      `commit      ${"12".repeat(20)}`,
    ]);
    expect(linesOf({ count: 1, looked: 1, commits: 1 }, 1)[0]).toContain("found in 1 step between");
  });

  test.each([
    [{ count: 3, looked: 8, commits: 8 }, "the predicate flips 3 times in these 8 commits"],
    [{ count: 0, looked: 5, commits: 8 }, "flips looked for in the last 5 of 8 commits: none there"],
    [{ count: 1, looked: 5, commits: 8 }, "flips looked for in the last 5 of 8 commits: the predicate flips once"],
    [{ count: 0, looked: 0, commits: 8 }, "flips were not looked for in these 8 commits (--flips)"],
  ])("of %j says where flips were looked for", (flips, line) => {
    expect(linesOf(flips)[1]).toBe(line);
  });
});

describe("flipsWarning", () => {
  test("warns where the predicate turns more than once", () => {
    expect(flipsWarning({ count: 3, looked: 8, commits: 8 })).toMatch(
      /^the predicate is not monotone: it flips 3 times, /,
    );
    expect(flipsWarning({ count: 2, looked: 5, commits: 8 })).toMatch(/it flips 2 times in the last 5 commits alone, /);
  });

  test("has nothing to say of one, and none in what was looked at", () => {
    expect(flipsWarning({ count: 1, looked: 8, commits: 8 })).toBeUndefined();
    expect(flipsWarning({ count: 0, looked: 8, commits: 8 })).toBeUndefined();
  });

  test("says that it does not know where it did not look", () => {
    expect(flipsWarning({ count: 0, looked: 2, commits: 8 })).toBe(
      "how often the predicate flips in these 8 commits is known only of the last 2: --flips looks in more of them",
    );
    expect(flipsWarning({ count: 0, looked: 0, commits: 8 })).toMatch(/these 8 commits is not known: --flips/);
  });
});
