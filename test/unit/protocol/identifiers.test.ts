/**
 * Decimals and domain ids as the wire spells them.
 */
import { describe, expect, test } from "vitest";
import { parseDecimal, parseDomid } from "../../../protocol/identifiers.js";

const malformed = ["", "-1", "+1", " 1", "1 ", "1\n", "01", "00", "1.0", "1e3", "0x10", "a", "١", "\0", "1\0"];

describe("parseDecimal", () => {
  test.each([
    ["0", 0],
    ["7", 7],
    ["4294967295", 4294967295],
    ["9999999999", 9999999999],
  ])("reads %s", (text, value) => {
    expect(parseDecimal(text)).toBe(value);
  });

  test.each([...malformed, "10000000000"])("refuses %j", (text) => {
    expect(parseDecimal(text)).toBeUndefined();
  });
});

describe("parseDomid", () => {
  test.each([
    ["0", 0],
    ["5", 5],
    ["32757", 32757],
    ["65535", 65535],
  ])("reads %s", (text, value) => {
    expect(parseDomid(text)).toBe(value);
  });

  test.each([...malformed, "65536", "4294967296", "9999999999"])("refuses %j", (text) => {
    expect(parseDomid(text)).toBeUndefined();
  });
});
