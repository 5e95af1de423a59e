import { describe, expect, test } from "vitest";
import { textFromBytes } from "../../../../protocol/bytes.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import {
  jsonArray,
  jsonLine,
  listingLine,
  permsText,
  type ListedNode,
  type ListingStyle,
} from "../../../../clients/cli/format.js";

function node(name: string, value: string | undefined, more: Partial<ListedNode> = {}): ListedNode {
  return { path: `/t/${name}`, name, depth: 0, value, perms: undefined, ...more };
}

const tree: ListingStyle = { fullPaths: false, perms: false, width: 80, colours: false };
const n0 = parsePerms(["n0"]) as Perms;
const ten = "abcdefghij";

describe("listingLine", () => {
  // Each line was printed by xenstore-ls of Xen 4.17.
  test("cuts a value at the width as xenstore-ls does", () => {
    expect(listingLine(node("l69", ten.repeat(6) + "123456789"), tree)).toBe(`l69 = "${ten.repeat(6)}123456789"`);
    expect(listingLine(node("l70", ten.repeat(7)), tree)).toBe(`l70 = "${ten.repeat(6)}abcdefghi\\..."`);
    expect(listingLine(node("long", ten.repeat(12)), tree)).toBe(`long = "${ten.repeat(6)}abcdefgh\\..."`);
    expect(listingLine(node("long", ten.repeat(12), { depth: 1 }), tree)).toBe(
      ` long = "${ten.repeat(6)}abcdefg\\..."`,
    );
  });

  test("counts the bytes of a value, not the characters of its escapes", () => {
    const value = `${ten.repeat(6)}123\x01\x02`;
    expect(listingLine(node("l66x", value), tree)).toBe(`l66x = "${ten.repeat(6)}123\\001\\002"`);
  });

  test("cuts a long name", () => {
    const name = "verylongname".repeat(7);
    expect(listingLine(node(name, "v"), tree)).toBe(`${"verylongname".repeat(6)} = "\\..."`);
  });

  test("does not cut anything where no width is left for it", () => {
    expect(listingLine(node("n", "v".repeat(9), { depth: 73 }), tree)).toBe(`${" ".repeat(73)}n = "vvvvvvvvv\\..."`);
  });

  test("follows the width of the terminal", () => {
    expect(listingLine(node("l70", ten.repeat(7)), { ...tree, width: 38 })).toBe(
      `l70 = "${ten.repeat(2)}abcdefg\\..."`,
    );
    expect(listingLine(node("l70", ten.repeat(7)), { ...tree, width: Infinity })).toBe(`l70 = "${ten.repeat(7)}"`);
  });

  test("aligns permissions with dots", () => {
    const style = { ...tree, perms: true };
    expect(listingLine(node("a", "", { perms: n0 }), style)).toBe(`a = "" ${". ".repeat(26)}.  (n0)`);
    expect(listingLine(node("q", 'he said "hi" \\ x', { perms: n0 }), style)).toBe(
      `q = "he said "hi" \\\\ x"  ${". ".repeat(17)}.  (n0)`,
    );
    const perms = parsePerms(["n0", "r5", "b7", "w1"]) as Perms;
    expect(listingLine(node("b", "", { depth: 1, perms }), style)).toBe(` b = ""  ${". ".repeat(25)}.  (n0,r5,b7,w1)`);
    expect(listingLine(node("l67", ten.repeat(6) + "1234567", { perms: n0 }), style)).toBe(
      `l67 = "${ten.repeat(6)}1234567"   (n0)`,
    );
    expect(listingLine(node("l70", ten.repeat(7), { perms: n0 }), style)).toBe(
      `l70 = "${ten.repeat(6)}abcdefghi\\..."  (n0)`,
    );
  });

  test("shows full paths and whole values", () => {
    const style = { ...tree, fullPaths: true };
    expect(listingLine(node("long", ten.repeat(12), { depth: 3 }), style)).toBe(`/t/long = "${ten.repeat(12)}"`);
    expect(listingLine(node("a", "", { perms: n0 }), { ...style, perms: true })).toBe('/t/a = ""   (n0)');
  });

  test("shows a node that may not be read without a value", () => {
    expect(listingLine(node("a", undefined), { ...tree, perms: true })).toBe("a:");
  });

  test("colours names and permissions only, and leaves the layout alone", () => {
    const style = { ...tree, perms: true };
    const line = listingLine(node("a", "v", { perms: n0 }), { ...style, colours: true });
    expect(line).toContain("\x1b[36ma\x1b[0m");
    expect(line.replace(/\x1b\[\d+m/g, "")).toBe(listingLine(node("a", "v", { perms: n0 }), style));
  });
});

describe("permsText", () => {
  test("joins the entries", () => {
    expect(permsText(parsePerms(["n0", "b5"]) as Perms)).toBe("n0 b5");
  });
});

describe("jsonArray", () => {
  test("has one element on each line, as bytes", () => {
    expect(jsonArray([])).toBe("[]\n");
    expect(jsonArray([{ a: 1 }, { a: "ż" }])).toBe('[\n  {"a":1},\n  {"a":"\xc5\xbc"}\n]\n');
  });
});

describe("jsonLine", () => {
  test("escapes every control character, also those that JSON lets stand", () => {
    const text = String.fromCharCode(...Array.from({ length: 0xa1 }, (_, code) => code));
    const line = jsonLine({ text });
    const controls = Buffer.from(line.slice(0, -1), "latin1").filter((byte) => byte < 0x20 || byte === 0x7f);
    expect(controls.length).toBe(0);
    expect(line).not.toMatch(/\xc2[\x80-\x9f]/);
    expect(line).toContain("\\u007f\\u0080");
    expect(JSON.parse(textFromBytes(line))).toEqual({ text });
    expect(jsonArray([{ text }])).toContain("\\u009b");
  });

  test("is one line, as bytes", () => {
    expect(jsonLine({ a: "ż" })).toBe('{"a":"\xc5\xbc"}\n');
  });
});
