import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AsciiBuffer, isPlain } from "../../../protocol/ascii-buffer.js";
import { propertyParameters } from "../../support/seed.js";

const bytes = fc
  .oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ max: 0x1f, maxLength: 40 }))
  .map((each) => Buffer.from(each).toString("latin1"));

/** What JSON.stringify makes, with what is not ASCII escaped too. */
function stringified(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\xff]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

describe("AsciiBuffer", () => {
  it("writes any byte string as JSON.stringify does, in ASCII (ASCII buffer invariant 1)", () => {
    fc.assert(
      fc.property(bytes, (text) => {
        const buffer = new AsciiBuffer();
        buffer.string(text);
        const written = buffer.bytes.toString("latin1");
        expect(written).toBe(stringified(text));
        expect(written).toMatch(/^[ -~]*$/);
        expect(JSON.parse(written)).toBe(text);
        expect(isPlain(text)).toBe(written === `"${text}"`);
      }),
      propertyParameters(500),
    );
  });

  it("writes bytes as it writes the string of them", () => {
    fc.assert(
      fc.property(bytes, fc.nat({ max: 5 }), (text, before) => {
        const memory = Buffer.from(`${"#".repeat(before)}${text}###`, "latin1");
        const buffer = new AsciiBuffer();
        buffer.stringOf({ bytes: memory, start: before, end: before + text.length });
        expect(buffer.bytes.toString("latin1")).toBe(stringified(text));
      }),
      propertyParameters(500),
    );
  });

  it.each([1, 95, 96, 97, 4096])("writes %d plain characters, and as many that are not", (length) => {
    const buffer = new AsciiBuffer();
    for (const text of ["x".repeat(length), "\xff".repeat(length), `/path\0${"v".repeat(length)}`]) {
      buffer.clear();
      buffer.string(text);
      expect(buffer.bytes.toString("latin1")).toBe(stringified(text));
    }
  });

  it("refuses characters that are no bytes and is as before then (ASCII buffer invariant 2)", () => {
    const buffer = new AsciiBuffer();
    buffer.ascii("before");
    for (const text of ["\u0100", "x".repeat(200) + "\uffff"]) {
      expect(() => {
        buffer.string(text);
      }).toThrow(/it is no byte string/);
      expect(buffer.bytes.toString("latin1")).toBe("before");
    }
  });

  it("grows, takes back, and begins anew", () => {
    const buffer = new AsciiBuffer();
    buffer.ascii("first");
    buffer.string("x".repeat(5_000_000));
    expect(buffer.length).toBe(5 + 5_000_002);
    buffer.truncate(5);
    buffer.truncate(100);
    buffer.integer(42);
    expect(buffer.bytes.toString("latin1")).toBe("first42");
    buffer.clear();
    expect(buffer.length).toBe(0);
  });
});
