import { describe, expect, test } from "vitest";
import { parseDaemonOptions } from "../../../daemon/options.js";
import { parseKeepAge, parseKeepCommits } from "../../../daemon/retention-option.js";

describe("parseKeepCommits", () => {
  test("takes a positive number and says what would be right for anything else", () => {
    expect([parseKeepCommits("1"), parseKeepCommits("1000000000")]).toEqual([1, 1_000_000_000]);
    for (const bad of ["0", "-1", "01", "1.5", "1e3", "", "x", "1000000001", "99999999999999999999", " 1"]) {
      expect(() => parseKeepCommits(bad), bad).toThrow("from 1 to 1000000000");
    }
  });
});

describe("parseKeepAge", () => {
  test("takes seconds, minutes, hours, days and weeks", () => {
    expect(["45s", "90m", "12h", "30d", "2w"].map(parseKeepAge)).toEqual([45, 5400, 43_200, 2_592_000, 1_209_600]);
  });

  test("says what would be right for anything else", () => {
    for (const bad of ["", "30", "d", "0d", "030d", "-1d", "1.5d", "30D", "1y", "30 d", "30d ", "999999999d"]) {
      expect(() => parseKeepAge(bad), bad).toThrow("such as 30d or 12h");
    }
  });
});

describe("parseDaemonOptions", () => {
  test("keeps all history unless told how much, by commits, by age, or both", () => {
    const parse = (...argv: string[]) => parseDaemonOptions(argv, {}, "1");
    expect(parse()).toMatchObject({ keepCommits: undefined, keepSeconds: undefined });
    expect(parse("--keep-commits", "500000", "--keep-age", "30d")).toMatchObject({
      keepCommits: 500_000,
      keepSeconds: 2_592_000,
    });
  });
});
