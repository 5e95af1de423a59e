import { describe, expect, test } from "vitest";
import { evaluate } from "../../../../protocol/predicate/evaluate.js";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import { commitsNeeded } from "../../../../protocol/predicate/predicate.js";
import { stateOf } from "../../../support/states.js";

/** One letter for each commit, the last one now: the state has `/a`, `/b` or (`-`) neither. */
function holdsAfter(text: string, history: string): { holding: boolean; asked: number[] } {
  const asked: number[] = [];
  const states = new Map(
    [...new Set(history)].map((letter) => [letter, stateOf(letter === "-" ? {} : { [`/${letter}`]: "" })]),
  );
  const holding = evaluate(parsePredicate(text), (commitsBack) => {
    asked.push(commitsBack);
    return states.get(history.charAt(history.length - 1 - commitsBack));
  });
  return { holding, asked };
}

const windows: readonly (readonly [text: string, history: string, holding: boolean])[] = [
  ["exists /a", "a", true],
  ["exists /a", "ab", false],
  ["exists /a for 1 commit", "ba", true],
  ["exists /a for 3 commits", "aa", false],
  ["exists /a for 3 commits", "aaa", true],
  ["exists /a for 3 commits", "baaa", true],
  ["exists /a for 3 commits", "abaa", false],
  ["exists /a for 3 commits", "aaab", false],
  ["not exists /a for 3 commits", "aa", true],
  ["not exists /a for 3 commits", "aaa", false],
  ["(not exists /a) for 3 commits", "bb", false],
  ["(not exists /a) for 3 commits", "b-b", true],
  ["(exists /a or exists /b) for 3 commits", "aba", true],
  ["exists /a for 3 commits or exists /b for 3 commits", "aba", false],
  // Nested: two commits running with /a, at each of three commits running.
  ["(exists /a for 2 commits) for 3 commits", "aaaa", true],
  ["(exists /a for 2 commits) for 3 commits", "aaa", false],
  ["(exists /a for 2 commits) for 3 commits", "baaa", false],
  // At none of the last three commits had there been /a twice running, also because the history begins there.
  ["(not exists /a for 2 commits) for 3 commits", "aba", true],
  ["(not exists /a for 2 commits) for 3 commits", "aab", false],
  ["(not exists /a for 2 commits) for 3 commits", "baba", true],
  ["(not exists /a for 2 commits) for 3 commits", "bbaab", false],
  ["(exists /a for 2 commits or exists /b) for 3 commits", "aabb", true],
  ["(exists /a for 2 commits or exists /b) for 3 commits", "babb", false],
];

describe("evaluate", () => {
  test.each(windows)("%s after %s: %s", (text, history, holding) => {
    expect(holdsAfter(text, history).holding).toBe(holding);
  });

  test("nothing holds before the history, not even a not", () => {
    expect(evaluate(parsePredicate("not exists /a"), () => undefined)).toBe(false);
    expect(evaluate(parsePredicate("not exists /a for 2 commits"), () => undefined)).toBe(false);
  });

  test("goes back no further than it must", () => {
    expect(holdsAfter("exists /a for 5 commits", "aaaaaaaa").asked).toEqual([0, 0, 1, 2, 3, 4]);
    expect(holdsAfter("exists /a for 5 commits", "aaaaaabaa").asked).toEqual([0, 0, 1, 2]);
    expect(holdsAfter("exists /b and exists /a for 5 commits", "aaaaaaaa").asked).toEqual([0]);
  });

  test("asks for less than commitsNeeded commits, and for the last of them", () => {
    const text = "(exists /a for 3 commits or exists /b) for 5 commits";
    const { holding, asked } = holdsAfter(text, "aaaaaaaaaaaa");
    expect(holding).toBe(true);
    expect(Math.max(...asked)).toBe(commitsNeeded(parsePredicate(text)) - 1);
  });

  test("a window within a window asks for each commit once, not once for each commit of the outer one", () => {
    const text = "((exists /a for 300 commits) for 300 commits) for 300 commits";
    const { holding, asked } = holdsAfter(text, "a".repeat(1000));
    expect(holding).toBe(true);
    // The innermost window looks at 898 commits; the outer two at 599 and 300.
    expect(asked).toHaveLength(1 + 300 + 599 + 898);
  });

  test("a commit at which an operand did not hold is not asked for again by the next commit of an outer window", () => {
    const { holding, asked } = holdsAfter("(not exists /a for 2 commits) for 4 commits", "babab");
    expect(holding).toBe(true);
    // For the whole 0; for each commit of the outer window, itself and what the inner one does not know yet.
    expect(asked).toEqual([0, ...[0, 0], ...[1, 1, 2], ...[2], ...[3, 3, 4]]);
  });

  test("a window that does not hold is not looked for again within an outer one", () => {
    const { holding, asked } = holdsAfter("(not exists /a for 500 commits) for 400 commits", `b${"a".repeat(450)}`);
    expect(holding).toBe(true);
    expect(asked.length).toBeLessThan(1 + 400 + 500 + 1);
  });
});
