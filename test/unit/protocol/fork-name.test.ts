import { describe, expect, test } from "vitest";
import { forkNameProblem } from "../../../protocol/fork-name.js";

describe("forkNameProblem", () => {
  test.each(["a", "before-the-failure", "v1.2_x", "7", "0123abc", "x".repeat(64)])("takes %s", (name) => {
    expect(forkNameProblem(name)).toBeUndefined();
  });

  // Each would be a file elsewhere, another file's name, or no name of a branch.
  test.each([
    "",
    "..",
    ".hidden",
    "a/b",
    "../domains/7",
    "a..b",
    "a.",
    "a.lock",
    "try.domains",
    "try.new",
    "main.old",
    "main.walk",
    "-delete",
    "a b",
    "a\0b",
    "a\n",
    "ä",
    "@{1}",
    "x".repeat(65),
    "0123456789abcdef0123456789abcdef01234567",
    "0123456789ABCDEF0123456789ABCDEF01234567",
  ])("refuses %j, and says what would be right", (name) => {
    expect(forkNameProblem(name)).toContain("can be no fork's name: write letters, digits");
  });

  test.each(["main", "HEAD", "FETCH_HEAD"])("refuses %s, which is something else", (name) => {
    expect(forkNameProblem(name)).toMatch(/cannot be called/);
  });
});
