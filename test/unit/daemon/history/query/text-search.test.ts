import { describe, expect, test } from "vitest";
import { searchFor } from "../../../../../daemon/history/query/text-search.js";
import { bytesFromText } from "../../../../../protocol/bytes.js";

describe("searchFor", () => {
  test.each([
    ["state", "/local/STATE", true],
    ["StAtE", "xstatex", true],
    ["state", "stat", false],
    ["a.c", "abc", false],
    ["a.c", "A.C", true],
    ["[x]*", "[X]*", true],
    ["\\x41", "\\X41", true],
    ["1\x002", "1\x002", true],
    ["k", "\u212a", false],
  ])("finds %j in %j: %s", (wanted, text, isFound) => {
    expect(searchFor(bytesFromText(wanted))(bytesFromText(text))).toBe(isFound);
  });

  test("takes no byte beyond ASCII for a letter", () => {
    expect(searchFor("\xe9")("\xe9")).toBe(true);
    expect(searchFor("\xe9")("\xc9")).toBe(false);
  });
});
