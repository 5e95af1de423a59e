import { describe, expect, test } from "vitest";
import { compileExpression } from "../../../../protocol/predicate/regular-expression.js";
import { mustCompile } from "../../../support/must-compile.js";

const AROUND =
  "An expression looks neither ahead nor behind, as (?=a), (?!a), (?<=a) and (?<!a) would: write what may stand there, such as [^a], or ask for each part by itself.";
const BACK =
  "An expression cannot refer back to what a group has matched: write out what may stand there, such as (aa|bb) for ([ab])\\1.";
const BYTES = "An expression is about bytes and knows no Unicode: write a byte as \\xNN, a class as [a-z].";
const BRACKET = "A ] right behind [ or [^ is a member of the class: any byte is (?s:.), and no class is empty.";
const TIMES = "A repetition, multiplied by those around it, is one of at most 1000 times.";
const NESTED = "A repetition of a repetition has parentheses, such as (?:a{2}){3}.";
const ASCII = "A regular expression is printable ASCII: write each byte of another character as \\xNN.";

/** A class that no byte is in: what ends in it is found nowhere, and no literal tells so beforehand. */
const NO_BYTE = "[^\\x00-\\xff]";

function problemOf(source: string): string | undefined {
  const compiled = compileExpression(source);
  return compiled.ok ? undefined : compiled.problem;
}

const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));

/** The bytes that an expression matches whole. */
function matched(source: string): string {
  const expression = mustCompile(`^(?:${source})$`);
  return bytes.filter((byte) => expression.test(byte)).join("");
}

const without = (excluded: string): string => bytes.filter((byte) => !excluded.includes(byte)).join("");

describe("compileExpression", () => {
  test.each<[source: string, value: string, found: boolean]>([
    ["^vif", "vif5.0", true],
    ["^vif", "a vif", false],
    ["if", "a vif", true],
    ["", "", true],
    ["^$", "\n", false],
    ["^.$", "\xff", true],
    ["^\\xff\\x00$", "\xff\0", true],
    ["caf\\xc3\\xa9", "a caf\xc3\xa9", true],
    ["a$", "a\n", false],
    ["(?m)^a$", "b\na\nb", true],
    ["\\bx", "\xe9x", true],
    ["(?i)^ERROR$", "error", true],
    ["a{,5}", "a{,5}", true],
    ["^([0-9]{1,3}\\.){3}[0-9]{1,3}$", "10.0.0.1", true],
    ["^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$", "00:16:3e:00:00:01", true],
    ["^(/[a-z0-9-]+)+$", "/local/domain/7/device", true],
  ])("%s in %j: %s", (source, value, found) => {
    expect(mustCompile(source).test(value)).toBe(found);
  });

  test.each<[source: string, matches: string]>([
    [".", without("\n")],
    ["(?s:.)", without("")],
    ["[^a]", without("a")],
    ["[^\\x80-\\xff]", bytes.slice(0, 128).join("")],
    ["[\\xe0-\\xe9]", bytes.slice(0xe0, 0xea).join("")],
    ["\\xe9", "\xe9"],
    ["\\s", "\t\n\f\r "],
    ["\\S", without("\t\n\f\r ")],
    ["\\w", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"],
    ["\\d", "0123456789"],
    ["[[:alpha:]]", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"],
    ["(?i)k", "Kk"],
    ["(?i)[^k]", without("Kk")],
    ["\\n", "\n"],
    ["\\/", "/"],
  ])("%s is about bytes", (source, matches) => {
    expect(matched(source)).toBe(matches);
  });

  test.each<[source: string, problem: string]>([
    ["(b", 'This is no regular expression: missing closing ): "(b".'],
    [")", 'This is no regular expression: unexpected ): ")".'],
    ["[", 'This is no regular expression: missing closing ]: "[".'],
    ["*", 'This is no regular expression: missing argument to repetition operator: "*".'],
    ["a\\", "This is no regular expression: trailing backslash at end of expression."],
    ["\\q", 'This is no regular expression: invalid escape sequence: "\\q".'],
    ["(?=a)b", `This is no regular expression: invalid or unsupported Perl syntax: "(?=". ${AROUND}`],
    ["(?!a)b", `This is no regular expression: invalid or unsupported Perl syntax: "(?!". ${AROUND}`],
    ["a(?<=b)", `This is no regular expression: invalid named capture: "(?<=b)". ${AROUND}`],
    ["a(?<!b)", `This is no regular expression: invalid named capture: "(?<!b)". ${AROUND}`],
    ["(a)\\1", `This is no regular expression: invalid escape sequence: "\\1". ${BACK}`],
    ["(?<x>a)\\k<x>", `This is no regular expression: invalid escape sequence: "\\k". ${BACK}`],
    ["\\u00e9", `This is no regular expression: invalid escape sequence: "\\u". ${BYTES}`],
    ["\\pL", `This is no regular expression: invalid escape sequence: "\\p". ${BYTES}`],
    ["a[^]b", `This is no regular expression: missing closing ]: "[^]b". ${BRACKET}`],
    ["a[]", `This is no regular expression: missing closing ]: "[]". ${BRACKET}`],
    ["a{1001}", `This is no regular expression: invalid repeat count: "{1001}". ${TIMES}`],
    ["((a{100}){100}){100}", `This is no regular expression: invalid repeat count: "{100}". ${TIMES}`],
    ["a{2}{3}", `This is no regular expression: invalid nested repetition operator: "{2}{3}". ${NESTED}`],
    ["a++", `This is no regular expression: invalid nested repetition operator: "++". ${NESTED}`],
    ["caf\u00e9", ASCII],
    ["a\nb", ASCII],
    ["a".repeat(1025), "A regular expression has at most 1024 characters."],
    [
      "[ab]{1000}[ab]{1000}",
      "This regular expression is too long when its repetitions are written out: it has 2002 steps, and 2000 are the most. Make their numbers smaller.",
    ],
  ])("refuses %s", (source, problem) => {
    expect(problemOf(source)).toBe(problem);
  });

  test.each([
    "a".repeat(1024),
    "()".repeat(512),
    "a?".repeat(512),
    "\\B".repeat(512),
    "(".repeat(512) + ")".repeat(512),
  ])("accepts 1,024 characters without numbers of repetitions (%#)", (source) => {
    expect(problemOf(source)).toBeUndefined();
  });

  test.each(["a{0,1000}".repeat(113), `(?:${"^".repeat(1010)}){1000}`, `(?:${"a*".repeat(500)}){1000}`])(
    "refuses soon what would be large (%#)",
    (source) => {
      const started = performance.now();
      expect(problemOf(source)).toBeDefined();
      expect(performance.now() - started).toBeLessThan(10_000);
    },
  );

  test("makes expressions that are equal when their sources are, whatever they have been searched in", () => {
    const [searched, fresh] = [mustCompile("a+"), mustCompile("a+")];
    searched.test("aaa");
    expect(searched).toEqual(fresh);
    expect(searched).not.toEqual(mustCompile("a*"));
  });
});

describe("an expression", () => {
  test.each(["(a|a)+b", "(a?a)+b", "(a+)+b", "(.*)*b", "(a{0,30}){30}b", ".*.*.*.*.*b"])(
    "%s does not go back over a long value",
    (source) => {
      const started = performance.now();
      for (const end of ["!", "\xff"]) expect(mustCompile(source).test("a".repeat(4095) + end)).toBe(false);
      expect(mustCompile(source.replace(/b$/, NO_BYTE)).test("a".repeat(4096))).toBe(false);
      expect(performance.now() - started).toBeLessThan(5000);
    },
  );

  test.each([
    "a[ab]{1000}[ab]{900}",
    "(?:[ab]{0,30}a){30}",
    "(?s)(?:(?:[ab]{30})*)(?:(?:a*[^a]){0,10}){7}(?:b.*){0,300}(?:\\B.(?:a*|[ab])|(?:[^a].){0,60})",
  ])("%s, as large as one may be, takes a bounded time on a value that is made for it", (source) => {
    let state = 1;
    const value = Array.from({ length: 4096 }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (state >> 16) % 2 === 0 ? "a" : "b";
    }).join("");
    const started = performance.now();
    expect(mustCompile(source + NO_BYTE).test(value)).toBe(false);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
