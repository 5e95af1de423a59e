import { describe, expect, test } from "vitest";
import { nearestWord } from "../../../../protocol/predicate/nearest-word.js";

const WORDS = ["exists", "value", "perms", "same", "and", "or", "for"];

describe("nearestWord", () => {
  test.each([
    ["exist", "exists"],
    ["exsits", "exists"],
    ["EXISTS", "exists"],
    ["vlaeu", "value"],
    ["perm", "perms"],
    ["adn", "and"],
    ["nad", "and"],
    ["anf", "and"],
    ["ort", "or"],
    ["fo", "for"],
    ["dfor", "for"],
  ])("takes %s for %s", (written, word) => {
    expect(nearestWord(written, WORDS)).toBe(word);
  });

  test.each(["", "exi", "x", "nadd", "world", "valued-one"])("takes %s for no word", (written) => {
    expect(nearestWord(written, WORDS)).toBeUndefined();
  });

  test("does not look at what is long", () => {
    expect(nearestWord(`exists${" ".repeat(65_536)}`, WORDS)).toBeUndefined();
  });

  test("prefers the nearest to the first", () => {
    expect(nearestWord("sane", ["safety", "sand", "same"])).toBe("sand");
    expect(nearestWord("some", ["sand", "same"])).toBe("same");
  });
});
