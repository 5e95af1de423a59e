import { describe, expect, test } from "vitest";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import { commitsNeeded } from "../../../../protocol/predicate/predicate.js";

describe("commitsNeeded", () => {
  test.each<[text: string, commits: number]>([
    ["exists /a", 1],
    ["exists /a for 1 commit", 1],
    ["exists /a for 20 commits", 20],
    ["not exists /a for 20 commits", 20],
    ["exists /a for 3 commits and exists /b for 7 commits and exists /c", 7],
    ["exists /a for 9 commits or exists /b for 7 commits", 9],
    ["(exists /a for 3 commits or exists /b) for 5 commits", 7],
    ["((exists /a for 1000000 commits) for 1000000 commits) for 1000000 commits", 2_999_998],
  ])("%s: %i", (text, commits) => {
    expect(commitsNeeded(parsePredicate(text))).toBe(commits);
  });
});
