import { describe, expect, test } from "vitest";
import { parsePerms } from "../../../../protocol/perms.js";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import { PredicateError } from "../../../../protocol/predicate/predicate-error.js";
import type { PathPattern, Predicate } from "../../../../protocol/predicate/predicate.js";
import { mustCompile } from "../../../support/must-compile.js";

function pattern(prefix: string, wild: readonly string[] = [], base?: PathPattern): PathPattern {
  return { base, prefix, wild };
}

function exists(name: string): Predicate {
  return { kind: "exists", path: pattern(`/${name}`) };
}

const a = exists("a");
const b = exists("b");
const c = exists("c");

const bindings = new Map([
  ["D", "7"],
  ["DOMAIN_7", "/local/domain/7"],
  ["STAR", "*"],
  ["EMPTY", ""],
  ["BYTES", '\xff \0"'],
  ["WIDE", "\u20ac"],
]);

function permsOf(text: string): ReturnType<typeof parsePerms> & object {
  const perms = parsePerms(text.split(" "));
  if (perms === undefined) throw new Error(text);
  return perms;
}

describe("parsePredicate: tests", () => {
  test.each<[text: string, predicate: Predicate]>([
    ["exists /a", a],
    [" \t\r\nexists\n/a ", a],
    ["exists /", { kind: "exists", path: pattern("") }],
    ["value /a = 4", { kind: "value", path: pattern("/a"), equal: true, value: "4" }],
    ["value /a=4", { kind: "value", path: pattern("/a"), equal: true, value: "4" }],
    ["value /a != 4", { kind: "value", path: pattern("/a"), equal: false, value: "4" }],
    ["value /a = =", { kind: "value", path: pattern("/a"), equal: true, value: "=" }],
    ["value /a = and", { kind: "value", path: pattern("/a"), equal: true, value: "and" }],
    ["value /a ~ ^vif", { kind: "match", path: pattern("/a"), expression: mustCompile("^vif") }],
    ["perms /a = n5,r0", { kind: "perms", path: pattern("/a"), equal: true, perms: permsOf("n5 r0") }],
    ["perms /a != b65535", { kind: "perms", path: pattern("/a"), equal: false, perms: permsOf("b65535") }],
    ["count /a/* > 3", { kind: "count", path: pattern("/a", ["*"]), comparison: ">", nodes: 3 }],
    ["count /a/* >= 0", { kind: "count", path: pattern("/a", ["*"]), comparison: ">=", nodes: 0 }],
    ["count /a/* < 3", { kind: "count", path: pattern("/a", ["*"]), comparison: "<", nodes: 3 }],
    ["count /a/* <= 3", { kind: "count", path: pattern("/a", ["*"]), comparison: "<=", nodes: 3 }],
    ["count /a/* = 3", { kind: "count", path: pattern("/a", ["*"]), comparison: "=", nodes: 3 }],
    ["count /a/* != 9999999999", { kind: "count", path: pattern("/a", ["*"]), comparison: "!=", nodes: 9_999_999_999 }],
    ["same /a /b/c", { kind: "same", left: pattern("/a"), right: pattern("/b/c") }],
    ["distinct /a/*/n", { kind: "distinct", path: pattern("/a", ["*", "n"]) }],
  ])("%j", (text, predicate) => {
    expect(parsePredicate(text)).toEqual(predicate);
  });
});

describe("parsePredicate: precedence", () => {
  test.each<[text: string, predicate: Predicate]>([
    ["exists /a and exists /b and exists /c", { kind: "and", operands: [a, b, c] }],
    ["exists /a or exists /b or exists /c", { kind: "or", operands: [a, b, c] }],
    ["exists /a or exists /b and exists /c", { kind: "or", operands: [a, { kind: "and", operands: [b, c] }] }],
    ["exists /a and exists /b or exists /c", { kind: "or", operands: [{ kind: "and", operands: [a, b] }, c] }],
    ["(exists /a or exists /b)and exists /c", { kind: "and", operands: [{ kind: "or", operands: [a, b] }, c] }],
    ["exists /a and (exists /b and exists /c)", { kind: "and", operands: [a, { kind: "and", operands: [b, c] }] }],
    ["not exists /a and exists /b", { kind: "and", operands: [{ kind: "not", operand: a }, b] }],
    ["not(exists /a and exists /b)", { kind: "not", operand: { kind: "and", operands: [a, b] } }],
    ["not not exists /a", { kind: "not", operand: { kind: "not", operand: a } }],
    ["((exists /a))", a],
    ["exists /a for 3 commits", { kind: "window", operand: a, commits: 3 }],
    ["exists /a for 1 commit", { kind: "window", operand: a, commits: 1 }],
    ["not exists /a for 2 commits", { kind: "not", operand: { kind: "window", operand: a, commits: 2 } }],
    ["(not exists /a) for 2 commits", { kind: "window", operand: { kind: "not", operand: a }, commits: 2 }],
    [
      "exists /a and exists /b for 1000000 commits or exists /c",
      {
        kind: "or",
        operands: [{ kind: "and", operands: [a, { kind: "window", operand: b, commits: 1_000_000 }] }, c],
      },
    ],
    [
      "(exists /a for 2 commits) for 3 commits",
      { kind: "window", operand: { kind: "window", operand: a, commits: 2 }, commits: 3 },
    ],
  ])("%s", (text, predicate) => {
    expect(parsePredicate(text)).toEqual(predicate);
  });
});

describe("parsePredicate: paths", () => {
  test.each<[text: string, path: PathPattern]>([
    ["/A-z_0/@x/__proto__", pattern("/A-z_0/@x/__proto__")],
    ["/*", pattern("", ["*"])],
    ["/**", pattern("", ["**"])],
    ["/a/vif*/b/**/c", pattern("/a", ["vif*", "b", "**", "c"])],
    ["/a/*x*y*", pattern("/a", ["*x*y*"])],
    ["{/a}", pattern("", [], pattern("/a"))],
    ["{/a/b}/c/*", pattern("/c", ["*"], pattern("/a/b"))],
    ["{{/a}/b}/c", pattern("/c", [], pattern("/b", [], pattern("/a")))],
    ["{/}/c", pattern("/c", [], pattern(""))],
    ['"/a/*"', pattern("/a", ["*"])],
    ['"{/a}/b"', pattern("/b", [], pattern("/a"))],
    ["/local/domain/$D/vif$D", pattern("/local/domain/7/vif7")],
    ["$DOMAIN_7/name", pattern("/local/domain/7/name")],
    ["{$DOMAIN_7/vm}/name", pattern("/name", [], pattern("/local/domain/7/vm"))],
    ["/a$EMPTY/b", pattern("/a/b")],
    [`/${"a".repeat(3071)}`, pattern(`/${"a".repeat(3071)}`)],
  ])("%s", (text, path) => {
    expect(parsePredicate(`exists ${text}`, bindings)).toEqual({ kind: "exists", path });
  });

  test("same takes braces, and quoted paths without a blank between them", () => {
    const base = pattern("/local/domain/7/vm");
    expect(parsePredicate("same {/local/domain/$D/vm}/name /b", bindings)).toEqual({
      kind: "same",
      left: pattern("/name", [], base),
      right: pattern("/b"),
    });
    expect(parsePredicate('same "/a""/b"')).toEqual({ kind: "same", left: pattern("/a"), right: pattern("/b") });
  });
});

describe("parsePredicate: values", () => {
  test.each<[text: string, value: string]>([
    ['""', ""],
    ["$EMPTY", ""],
    ["a*{}[]=~'|;#,b", "a*{}[]=~'|;#,b"],
    ['"a b(c)"', "a b(c)"],
    ['"\\"\\\\\\x00\\xfF\\x24"', '"\\\0\xff$'],
    ['"a\nb"', "a\nb"],
    ["caf\u00e9", "caf\xc3\xa9"],
    ['"\u{1f600}"', "\xf0\x9f\x98\x80"],
    ["vif$D.0", "vif7.0"],
    ['"<$D $D>"', "<7 7>"],
    ["$STAR", "*"],
    ["$BYTES", '\xff \0"'],
    ["a".repeat(4000), "a".repeat(4000)],
  ])("%j", (text, value) => {
    expect(parsePredicate(`(value /a = ${text})`, bindings)).toEqual({
      kind: "value",
      path: pattern("/a"),
      equal: true,
      value,
    });
  });

  test.each<[text: string, source: string]>([
    ["^a$", "^a$"],
    ["$D", "$D"],
    ["\\d+|x", "\\d+|x"],
    ['"a b(c|d)"', "a b(c|d)"],
    ['"\\"\\\\"', '\\"\\\\'],
    ['""', ""],
  ])("the expression %s keeps backslashes and dollar signs", (text, source) => {
    expect(parsePredicate(`(value /a ~ ${text})`, bindings)).toEqual({
      kind: "match",
      path: pattern("/a"),
      expression: mustCompile(source),
    });
  });

  test("variables stand in perms and numbers", () => {
    const perms = permsOf("n7 r0");
    expect(parsePredicate("perms /a = n$D,r0", bindings)).toEqual({
      kind: "perms",
      path: pattern("/a"),
      equal: true,
      perms,
    });
    expect(parsePredicate("count /a/* > $D", bindings)).toMatchObject({ nodes: 7 });
    expect(parsePredicate("exists /a for $D commits", bindings)).toMatchObject({ commits: 7 });
  });
});

const TESTS = 'Expected a test (exists, value, perms, count, same or distinct), "not" or "(".';
const BEGINNING = `${TESTS} For example: exists /local/domain/1`;
const PATH = 'Expected a path, which begins with "/", for example /local/domain/1/name.';
const EMPTY_NAME = "A path has a name between two slashes and after the last one.";
const AFTER_TEST =
  'Expected "and", "or", "for N commits", ")" or the end. A value with blanks stands in quotation marks.';
const VALUE = 'Expected a value, for example 4, or "" for an empty one.';
const PERMS =
  'Permissions are "n", "r", "w" or "b" and a domain id, with commas between them and no blanks, for example n5,r0.';
const NUMBER = "A number of nodes is decimal, with at most ten digits, without sign or leading zeros.";
const WINDOW = "A window has from 1 to 1000000 commits, in decimal.";
const DOLLAR =
  'After "$" comes the name of a variable, in capitals, digits and "_". For a dollar sign write \\x24 in quotation marks.';
const QUOTE = "This quotation mark is never closed.";
const ESCAPE = 'After a backslash comes a quotation mark, a backslash, or "x" and two hexadecimal digits.';
const DEEP = "Nothing is nested more than 100 levels deep.";
const ALL = "$D, $DOMAIN_7, $STAR, $EMPTY, $BYTES, $WIDE";

/** The text, with `‸` before the place of the error. */
const errors: readonly (readonly [marked: string, message: string])[] = [
  // Beginnings.
  ["‸", BEGINNING],
  ["  ‸", BEGINNING],
  ["(‸", BEGINNING],
  ["(‸)", BEGINNING],
  ["not ‸", BEGINNING],
  ["exists /a and ‸", BEGINNING],
  ['‸"exists" /a', BEGINNING],
  ["‸exist /a", '"exist" is no test. Did you mean "exists"?'],
  ["‸EXISTS /a", '"EXISTS" is no test. Did you mean "exists"?'],
  ["‸nto exists /a", '"nto" is no test. Did you mean "not"?'],
  ["exists /a or ‸vlaue /a = 4", '"vlaue" is no test. Did you mean "value"?'],
  ["‸/a", `"/a" is no test. ${TESTS}`],
  ["‸and exists /a", `"and" is no test. ${TESTS}`],
  [`‸${"x".repeat(41)}`, `"${"x".repeat(40)}…" is no test. ${TESTS}`],
  ["‸x\u001b[2J", `"x [2J" is no test. ${TESTS}`],
  // After a test.
  ["exists /a ‸adn exists /b", '"adn" cannot stand here. Did you mean "and"?'],
  ["exists /a ‸OR exists /b", '"OR" cannot stand here. Did you mean "or"?'],
  ["exists /a ‸fro 3 commits", '"fro" cannot stand here. Did you mean "for"?'],
  ["exists /a\n‸exists /b", `"exists" cannot stand here. ${AFTER_TEST}`],
  ["value /a = hello ‸world", `"world" cannot stand here. ${AFTER_TEST}`],
  ['exists /a ‸"b"', `A quotation mark cannot stand here. ${AFTER_TEST}`],
  ["exists /a ‸(exists /b)", `"(" cannot stand here. ${AFTER_TEST}`],
  ["exists /a‸)", 'There is no "(" for this ")".'],
  ["(exists /a)‸)", 'There is no "(" for this ")".'],
  ["‸(exists /a", 'This "(" is never closed.'],
  ["(exists /a and ‸(exists /b or exists /c", 'This "(" is never closed.'],
  ["(exists /a ‸exists /b)", `"exists" cannot stand here. ${AFTER_TEST}`],
  // Paths.
  ["exists‸", PATH],
  ["exists ‸a", PATH],
  ["exists ‸@releaseDomain", PATH],
  ["exists ‸$D/a", PATH],
  ["exists ‸$EMPTY", PATH],
  ["(exists ‸)", PATH],
  ['exists "‸"', PATH],
  ["same /a‸", PATH],
  ["exists /‸/", EMPTY_NAME],
  ["exists /a/‸/b", EMPTY_NAME],
  ["exists /a/‸", EMPTY_NAME],
  ["exists /a/‸ and exists /b", EMPTY_NAME],
  ["exists {/a}/‸", EMPTY_NAME],
  ["exists /a/$EMPTY‸/b", EMPTY_NAME],
  ["exists /a‸**/b", '"**" stands between slashes for any number of names; within a name write "*".'],
  ["exists /‸***", '"**" stands between slashes for any number of names; within a name write "*".'],
  ["exists /a‸.b", 'A path has no ".": names are made of letters, digits, "-", "_" and "@", and "*" is the wildcard.'],
  [
    "exists /caf‸\u00e9",
    'A path has no "\u00e9": names are made of letters, digits, "-", "_" and "@", and "*" is the wildcard.',
  ],
  ['exists "/a‸ b"', '" " cannot stand in a path.'],
  ['exists ‸"/a', QUOTE],
  [`exists ‸/${"a".repeat(3072)}`, "A path has at most 3072 bytes; this one has 3073."],
  ["exists {‸}", PATH],
  ["exists {/a‸", 'Expected "}" at the end of the path in braces.'],
  ["exists {/a‸ }", 'Expected "}" at the end of the path in braces.'],
  ["exists {/a}‸b", 'Expected "/" or the end of the path after the braces.'],
  ["exists {/‸*}/b", "The path in braces is that of one node: it has no wildcards."],
  ["exists /a‸{/b}", "Braces stand at the beginning of a path, for example {/local/domain/1/vm}/name."],
  ["exists /a‸}", `"}" cannot stand here. ${AFTER_TEST}`],
  ["same /a/‸* /b", "same compares two nodes, so its paths have no wildcards; see distinct."],
  ["same /a /b/c‸*", "same compares two nodes, so its paths have no wildcards; see distinct."],
  ["same {/a/‸*} /b", "The path in braces is that of one node: it has no wildcards."],
  // Variables.
  ["exists /a/‸$VM", `The variable $VM is not bound. Bound: ${ALL}.`],
  ["exists /a/‸$D_0", `The variable $D_0 is not bound. Bound: ${ALL}.`],
  ["value /a = ‸$VM", `The variable $VM is not bound. Bound: ${ALL}.`],
  ['value /a = "x ‸$VM"', `The variable $VM is not bound. Bound: ${ALL}.`],
  ["perms /a = n0,r‸$VM", `The variable $VM is not bound. Bound: ${ALL}.`],
  ["exists /a‸$", DOLLAR],
  ["exists /a‸$d", DOLLAR],
  ["value /a = 5‸$", DOLLAR],
  ['value /a = "‸$ 5"', DOLLAR],
  ["exists /a/‸$STAR", '$STAR stands for "*", which cannot be part of a path.'],
  ["exists /a/‸$BYTES", '$BYTES stands for "\xff  "", which cannot be part of a path.'],
  ["value /a = ‸$WIDE", "What $WIDE stands for is no byte string: a character in it is no byte."],
  // Operators and values.
  ["value /a‸", "Expected =, != or ~, as in: value /local/domain/1/name = vm1"],
  ["value /a ‸4", "Expected =, != or ~, as in: value /local/domain/1/name = vm1"],
  ["value /a ‸== 4", '"==" is no operator of this test. Write =, != or ~, as in: value /local/domain/1/name = vm1'],
  ["value /a ‸> 4", '">" is no operator of this test. Write =, != or ~, as in: value /local/domain/1/name = vm1'],
  ["perms /a ‸~ n0", '"~" is no operator of this test. Write = or !=, as in: perms /local/domain/1 = n0,r1'],
  ["count /a ‸", "Expected =, !=, <, <=, > or >=, as in: count /local/domain/* > 3"],
  ["count /a ‸=> 4", '"=>" is no operator of this test. Write =, !=, <, <=, > or >=, as in: count /local/domain/* > 3'],
  ["value /a =‸", VALUE],
  ["(value /a = ‸)", VALUE],
  ["value /a = a‸(b)", 'A word with "(" stands in quotation marks.'],
  ["value /a = ‸(b)", 'A word with "(" stands in quotation marks.'],
  ["value /a = a‸\\x20", 'A word with "\\" stands in quotation marks.'],
  [
    'value /a = a‸"b"',
    'A quotation mark stands at the beginning of a word and at its end; within it, write \\" and quote the whole.',
  ],
  ['value /a = ‸"b', QUOTE],
  ['value /a = ‸"b\\"', QUOTE],
  ['value /a = "b‸\\n"', ESCAPE],
  ['value /a = "b‸\\x2"', ESCAPE],
  ['value /a = "b‸\\', ESCAPE],
  ["value /a ~‸", 'Expected a regular expression, for example ^vif or "[0-9]+ MiB".'],
  ["value /a ~ ‸(b)", 'A word with "(" stands in quotation marks.'],
  [
    'value /a ~ b‸"c"',
    'A quotation mark stands at the beginning of a word and at its end; within it, write \\" and quote the whole.',
  ],
  ['value /a ~ ‸"b', QUOTE],
  ['value /a ~ ‸"b\\"', QUOTE],
  ['value /a ~ ‸"(b"', 'This is no regular expression: missing closing ): "(b".'],
  ["value /a ~ ‸*", 'This is no regular expression: missing argument to repetition operator: "*".'],
  ["value /a ~ ‸\u00e9", "A regular expression is printable ASCII: write each byte of another character as \\xNN."],
  ["perms /a =‸", "Expected a list of permissions, for example n5,r0."],
  ["perms /a = ‸x5", PERMS],
  ["perms /a = ‸n5,", PERMS],
  ["perms /a = ‸n65536", PERMS],
  ['perms /a = ‸""', PERMS],
  ["count /a >‸", "Expected a number of nodes, for example 3."],
  ["count /a > ‸-1", NUMBER],
  ["count /a > ‸03", NUMBER],
  ["count /a > ‸10000000000", NUMBER],
  // Windows.
  ["exists /a for‸", "Expected a number of commits, for example 20."],
  ["exists /a for ‸0 commits", WINDOW],
  ["exists /a for ‸1000001 commits", WINDOW],
  ["exists /a for ‸x commits", WINDOW],
  ["exists /a for 3‸", 'Expected the word "commits", as in: for 3 commits'],
  ["exists /a for 3 ‸comits", 'Expected the word "commits", as in: for 3 commits'],
  [
    "exists /a for 3 commits ‸for 2 commits",
    'A second "for" needs parentheses, as in: (exists /a for 2 commits) for 3 commits',
  ],
  // Limits.
  [`${"(".repeat(100)}‸(exists /a${")".repeat(101)}`, DEEP],
  [`${"not ".repeat(100)}‸not exists /a`, DEEP],
  [`${"not(".repeat(50)}exists ‸{/a}${")".repeat(50)}`, DEEP],
  [`exists ${"{".repeat(100)}‸{/a${"}".repeat(101)}`, DEEP],
  [
    `value /a ~ a${" or value /a ~ a".repeat(31)} or ‸value /b ~ b`,
    "A predicate has at most 32 regular expressions; this is one more.",
  ],
  [`${" ".repeat(4096)}‸ `, "A predicate has at most 4096 characters; this one has 4097."],
  ["value /a = ‸\ud800", "This is half of a character (a surrogate), which stands for no bytes."],
];

describe("parsePredicate: errors", () => {
  test.each(errors.map(([marked, message]) => ({ marked, message, shown: marked.slice(0, 60) })))(
    "at the mark of $shown",
    ({ marked, message }) => {
      const place = marked.indexOf("‸");
      const text = marked.slice(0, place) + marked.slice(place + 1);
      const lineStart = text.lastIndexOf("\n", place - 1) + 1;
      const error = errorOf(text);
      expect({ line: error.line, column: error.column, message: error.message }).toEqual({
        line: text.slice(0, place).split("\n").length,
        column: place - lineStart + 1,
        message,
      });
    },
  );

  test("an unbound variable where none is bound", () => {
    expect(() => parsePredicate("exists /$D")).toThrow("The variable $D is not bound. No variable is.");
  });

  test("a text that is longer than the limit once its bytes are escaped", () => {
    const test = "value /a = $Z or ";
    const text = `${test.repeat(4)}exists /a`;
    const zeros = (length: number) => new Map([["Z", "\0".repeat(length)]]);
    expect(() => parsePredicate(text, zeros(250))).not.toThrow();
    expect(() => parsePredicate(text, zeros(256))).toThrow(
      "A predicate has at most 4096 characters; this one has more when its variables are bound and its bytes escaped.",
    );
  });
});

describe("parsePredicate: limits", () => {
  test.each<[claim: string, text: string]>([
    ["4,096 characters", "exists /a".padStart(4096)],
    ["32 regular expressions", `value /a ~ a${" or value /a ~ a".repeat(31)}`],
    ["100 levels of parentheses", `${"(".repeat(100)}exists /a${")".repeat(100)}`],
    ["100 levels of not", `${"not ".repeat(100)}exists /a`],
    ["100 levels of braces", `exists ${"{".repeat(100)}/a${"}".repeat(100)}`],
  ])("accepts %s", (_claim, text) => {
    expect(() => parsePredicate(text)).not.toThrow();
  });
});

function errorOf(text: string): PredicateError {
  try {
    parsePredicate(text, bindings);
  } catch (error) {
    if (error instanceof PredicateError) return error;
    throw error;
  }
  throw new Error(`no error: ${text}`);
}
