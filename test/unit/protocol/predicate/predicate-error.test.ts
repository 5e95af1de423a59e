import { describe, expect, test } from "vitest";
import { PredicateError, renderPredicateError } from "../../../../protocol/predicate/predicate-error.js";

/** The error at the `^` of a text, and how it is shown. */
function errorAtCaret(marked: string): { error: PredicateError; shown: string } {
  const offset = marked.indexOf("^");
  const text = marked.slice(0, offset) + marked.slice(offset + 1);
  const error = new PredicateError({ text, offset, message: "No." });
  return { error, shown: renderPredicateError(text, error) };
}

describe("PredicateError", () => {
  test.each<[marked: string, line: number, column: number]>([
    ["^", 1, 1],
    ["^exists", 1, 1],
    ["exists^", 1, 7],
    ["a\n^b", 2, 1],
    ["a\n\nbc^", 3, 3],
    ["a^\nb", 1, 2],
    ["a\r\nb^c", 2, 2],
    ["\u{1f600}\u00e9^", 1, 3],
  ])("counts in %j", (marked, line, column) => {
    const { error } = errorAtCaret(marked);
    expect({ line: error.line, column: error.column, message: error.message, name: error.name }).toEqual({
      line,
      column,
      message: "No.",
      name: "PredicateError",
    });
  });
});

describe("renderPredicateError", () => {
  test("puts the caret under the place", () => {
    expect(errorAtCaret("exists ^a").shown).toBe("Column 8: No.\n  exists a\n         ^");
  });

  test("shows the line alone of a text of several, and names it", () => {
    expect(errorAtCaret("exists /a\n  and ^x\nor y").shown).toBe("Line 2, column 7: No.\n    and x\n        ^");
  });

  test("shows a place at the end, and an empty text", () => {
    expect(errorAtCaret("exists^").shown).toBe("Column 7: No.\n  exists\n        ^");
    expect(errorAtCaret("^").shown).toBe("Column 1: No.\n  \n  ^");
  });

  test("shows control characters as blanks, so that the caret stays and a terminal is safe", () => {
    expect(errorAtCaret("a\tb\u001b[2J\u009b\r^c\r\n").shown).toBe(
      "Line 1, column 10: No.\n  a b [2J  c\n           ^",
    );
  });

  test("counts a character outside the basic plane once", () => {
    expect(errorAtCaret("\u{1f600}^x").shown).toBe("Column 2: No.\n  \u{1f600}x\n   ^");
  });

  test("shows a line of 100 characters whole, and cuts one of 101", () => {
    expect(errorAtCaret(`${"a".repeat(100)}^`).shown.split("\n")[1]).toBe(`  ${"a".repeat(100)}`);
    expect(errorAtCaret(`${"a".repeat(101)}^`).shown.split("\n")[1]).toBe(`  …${"a".repeat(100)}`);
  });

  test("cuts a long line around the place", () => {
    const [message, line, caret] = errorAtCaret(`${"a".repeat(500)}^b${"c".repeat(500)}`).shown.split("\n");
    expect(message).toBe("Column 501: No.");
    expect(line).toBe(`  …${"a".repeat(60)}b${"c".repeat(39)}…`);
    expect(line?.charAt((caret ?? "").indexOf("^"))).toBe("b");
  });

  test("cuts the end alone of a long line with the place near its beginning", () => {
    const [, line, caret] = errorAtCaret(`aa^b${"c".repeat(500)}`).shown.split("\n");
    expect(line).toBe(`  aab${"c".repeat(97)}…`);
    expect(caret).toBe("    ^");
  });
});
