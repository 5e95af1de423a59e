import { describe, expect, test } from "vitest";
import { compileExpression } from "../../../../protocol/predicate/regular-expression.js";

const NESTED =
  "A regular expression cannot repeat a group often that itself repeats something in many ways: it could take forever. Write the inner repetition with one length, such as {2}, or both with small bounds, such as ([0-9]{1,3}\\.){3} or (/[a-z]+){1,4}.";

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
    "(a{1,9})+",
    "(a+){1,9}",
    "(a{0,30}){30}",
    "((a{1,3}){3}){4}",
    "(a{1,9}b{1,9}){3}",
    "(x(a{1,3}){2})+",
    "((a+){2}){4}",
    "(a{1,2}){13}(a{1,2}){13}b",
    "a{1,9}b{1,9}c{1,9}d{1,9}e{1,9}f{1,9}",
  ])("refuses a repetition that is repeated too often: %s", (source) => {
    expect(problemOf(source)).toBe(NESTED);
  });

  test.each([
    "(a+)(b+)",
    "(a+)?",
    "(a+){3}",
    "^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$",
    "^(/[a-z0-9-]+){1,4}$",
    "(a{3})+",
    "(a{1,9}){4}",
    "(a{1,9}){1}",
    "(a+b+c+d+e+)f",
    "(a?b)+",
    "(a)+",
    "(a+)b+",
    "(a+b)c*",
    "([a+*]b)*",
    "(\\+\\*)*",
    "\\(a+\\)+",
    "[(]a+[)]+",
    "(a|b)+c*",
    "(a+)|(b)+",
  ])("accepts what matches in few ways: %s", (source) => {
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

  test("leaves nothing of these shapes that goes back without end", () => {
    const shapes = ["a", "a+", "a{1,3}", "a{2}", "(a+){2}", "(a{1,3}){3}"];
    const outer = ["+", "{2,}", "{4}", "{1,9}", "{30}"];
    const sources = shapes.flatMap((shape) => outer.map((quantifier) => `^(?:${shape})${quantifier}$`));
    let accepted = 0;
    for (const source of sources) {
      const compiled = compileExpression(source);
      if (!compiled.ok) continue;
      accepted++;
      const started = performance.now();
      expect(compiled.expression.test(`${"a".repeat(60)}!`), source).toBe(false);
      // Those that are refused take years.
      expect(performance.now() - started, source).toBeLessThan(5000);
    }
    expect(accepted).toBeGreaterThan(9);
  });
});
