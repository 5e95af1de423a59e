import fc from "fast-check";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { LineBuffer } from "../../../../daemon/journal/line-buffer.js";
import { propertyParameters } from "../../../support/seed.js";

describe("LineBuffer", () => {
  it("writes lines whose checksum is right and whose JSON says what was given (line buffer invariant 1)", () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each).toString("latin1"));
    const plain = fc.string({ maxLength: 300 }).map((each) => each.replace(/[^ -~]/g, "x"));
    const integer = fc.oneof(fc.maxSafeNat(), fc.nat(0xffffffff), fc.nat(1000));
    const value = fc.oneof(bytes, plain, integer);
    fc.assert(
      fc.property(fc.array(fc.array(value, { minLength: 1, maxLength: 8 }), { maxLength: 5 }), (lines) => {
        const buffer = new LineBuffer();
        for (const line of lines) {
          buffer.beginLine();
          for (const [index, each] of line.entries()) {
            buffer.ascii(index === 0 ? "[" : ",");
            if (typeof each === "number") buffer.integer(each);
            else buffer.string(each);
          }
          buffer.ascii("]");
          buffer.endLine();
        }
        const written = buffer.bytes.toString("latin1").split("\n");
        expect(written.pop()).toBe("");
        expect(written.map((line) => JSON.parse(line.slice(9)) as unknown)).toEqual(lines);
        for (const line of written) {
          expect(line).toMatch(/^[ -~]*$/);
          expect(line.slice(0, 9)).toBe(`${crc32(line.slice(9)).toString(16).padStart(8, "0")} `);
        }
      }),
      propertyParameters(500),
    );
  });

  it("writes integers at the edges of their number of digits", () => {
    const buffer = new LineBuffer();
    buffer.beginLine();
    const edges = [0, 0x7fffffff, 0x80000000, 999_999_999, 1_000_000_000, Number.MAX_SAFE_INTEGER, 1.5e15];
    for (const value of edges) {
      buffer.integer(value);
      buffer.ascii(" ");
    }
    expect(buffer.bytes.toString("latin1", 9).trimEnd().split(" ")).toEqual(edges.map(String));
  });

  it("keeps the lines before when one is dropped or too long for it, and begins anew (line buffer invariant 2)", () => {
    const buffer = new LineBuffer();
    const write = (text: string): void => {
      buffer.beginLine();
      buffer.string(text);
      buffer.endLine();
    };
    write("first");
    const before = buffer.bytes.toString("latin1");
    buffer.beginLine();
    expect(() => {
      buffer.string("no byte: \u0100");
    }).toThrow(RangeError);
    buffer.dropLine();
    expect(buffer.bytes.toString("latin1")).toBe(before);
    write("x".repeat(5_000_000));
    expect(buffer.length).toBe(before.length + 9 + 5_000_002 + 1);
    expect(buffer.bytes.toString("latin1", 0, before.length)).toBe(before);
    buffer.clear();
    write("first");
    expect(buffer.bytes.toString("latin1")).toBe(before);
  });
});
