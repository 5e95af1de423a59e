import { describe, expect, test } from "vitest";
import { compileExpression } from "../../../../protocol/predicate/regular-expression.js";

const NESTED =
  "A regular expression cannot repeat, without bound, a group that repeats something without bound: it could take forever. Give one of them a bound, for example {1,9}.";

function problemOf(source: string): string | undefined {
  const compiled = compileExpression(source);
  return compiled.ok ? undefined : compiled.problem;
}

describe("compileExpression", () => {
  test.each<[source: string, value: string, found: boolean]>([
    ["^vif", "vif5.0", true],
    ["^vif", "a vif", false],
    ["if", "a vif", true],
    ["", "", true],
    ["^.$", "\xff", true],
    ["^\\xff\\x00$", "\xff\0", true],
    ["^([0-9]{1,3}\\.){3}[0-9]{1,3}$", "10.0.0.1", true],
    ["^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$", "00:16:3e:00:00:01", true],
  ])("%s in %j: %s", (source, value, found) => {
    const compiled = compileExpression(source);
    expect(compiled.ok && compiled.expression.test(value)).toBe(found);
  });

  test.each([
    "(a+)+",
    "(a*)*",
    "(a{2,})+",
    "(a+){2,}",
    "(?:a+)*",
    "(?<name>a+)*",
    "((a+))*",
    "(x(a+)y)*",
    "(x(?=a+)y)*",
    "(a+b)*",
    "([)]+)*",
    "(\\)+)*",
    "[(](a+)+",
    "\\((a+)+",
    "(a+?)+?",
  ])("refuses a repeated repetition: %s", (source) => {
    expect(problemOf(source)).toBe(NESTED);
  });

  test.each([
    "(a+)(b+)",
    "(a+)?",
    "(a+){1,9}",
    "(a{1,9})+",
    "(a)+",
    "(a+)b+",
    "(a+b)c*",
    "([a+*]b)*",
    "(\\+\\*)*",
    "\\(a+\\)+",
    "[(]a+[)]+",
    "(a|b)+c*",
    "(a+)|(b)+",
  ])("accepts one that repeats no repetition: %s", (source) => {
    expect(problemOf(source)).toBeUndefined();
  });

  test.each<[source: string, problem: string]>([
    ["(", "This is no regular expression: Unterminated group."],
    [")", "This is no regular expression: Unmatched ')'."],
    ["a+)+", "This is no regular expression: Unmatched ')'."],
    ["[", "This is no regular expression: Unterminated character class."],
    ["*", "This is no regular expression: Nothing to repeat."],
    ["caf\u00e9", "A regular expression is ASCII: write each byte of another character as \\xNN."],
    ["a".repeat(1025), "A regular expression has at most 1024 characters."],
  ])("refuses %s", (source, problem) => {
    expect(problemOf(source)).toBe(problem);
  });

  test("accepts 1,024 characters", () => {
    expect(problemOf("a".repeat(1024))).toBeUndefined();
  });
});
