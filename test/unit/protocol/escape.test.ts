import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeValue, readEscape, unescapeValue } from "../../../protocol/escape.js";
import { propertyParameters } from "../../support/seed.js";

const everyByte = String.fromCharCode(...Array(256).keys());

describe("escapeValue", () => {
  test("writes every byte as xenstore-read does", () => {
    const hex = (from: number, to: number): string =>
      Array.from({ length: to - from + 1 }, (_, index) => `\\x${(from + index).toString(16).padStart(2, "0")}`).join(
        "",
      );
    const printable = everyByte.slice(0x20, 0x7f).replace("\\", "\\\\");
    expect(escapeValue(everyByte)).toBe(
      "\\000\\001\\002\\003\\004\\005\\006\\007\\x08\\t\\n\\x0b\\x0c\\r" +
        hex(0x0e, 0x1f) +
        printable +
        hex(0x7f, 0xff),
    );
  });
});

describe("unescapeValue", () => {
  // Each pair was observed on xenstore-write of Xen 4.17.
  test.each([
    ["\\1", "\x01"],
    ["\\12", "\n"],
    ["\\123", "S"],
    ["\\1234", "S4"],
    ["\\400", "\0"],
    ["\\8", "8"],
    ["\\x1", "\x01"],
    ["\\x123", "\x123"],
    ["\\xg", "xg"],
    ["\\x", "x"],
    ["\\e\\q", "eq"],
    ["tail\\", "tail\0"],
    ["\\t\\n\\r\\\\", "\t\n\r\\"],
    ["plain \xff", "plain \xff"],
  ])("%j is what xenstore-write makes of it", (text, value) => {
    expect(unescapeValue(text)).toBe(value);
  });

  test("is the inverse of escapeValue", () => {
    const bytes = fc.array(fc.integer({ min: 0, max: 255 })).map((codes) => String.fromCharCode(...codes));
    fc.assert(
      fc.property(bytes, (value) => {
        expect(unescapeValue(escapeValue(value))).toBe(value);
      }),
      propertyParameters(500),
    );
    expect(unescapeValue(escapeValue(everyByte))).toBe(everyByte);
  });
});

describe("readEscape", () => {
  test("tells where the text goes on", () => {
    expect(readEscape("a\\x41b", 1)).toEqual({ byte: "A", end: 5 });
    expect(readEscape("\\", 0)).toEqual({ byte: "\0", end: 1 });
  });
});
