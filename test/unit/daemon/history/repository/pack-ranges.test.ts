import { describe, expect, it } from "vitest";
import { PackRanges } from "../../../../../daemon/history/repository/pack-ranges.js";

describe("PackRanges", () => {
  it("guesses nothing before anything was seen", () => {
    expect(new PackRanges().guess(5)).toBeUndefined();
  });

  it("guesses the pack around a seq, else the nearest", () => {
    const ranges = new PackRanges();
    for (const [seq, pack] of [
      [100, "a"],
      [250, "b"],
      [150, "a"],
      [300, "b"],
    ] as const) {
      ranges.note(seq, pack);
    }
    const guesses = [1, 100, 120, 150, 190, 210, 260, 999].map((seq) => ranges.guess(seq));
    expect(guesses.join("")).toBe("aaaaabbb");
  });

  it("prefers, of two packs around a seq, the one with fewer commits: the other holds everything", () => {
    const ranges = new PackRanges();
    for (const seq of [1, 1000]) ranges.note(seq, "all");
    for (const seq of [400, 500]) ranges.note(seq, "some");
    expect([450, 501].map((seq) => ranges.guess(seq))).toEqual(["some", "all"]);
    ranges.forget("some");
    expect(ranges.guess(450)).toBe("all");
  });

  it("knows a bounded number of packs", () => {
    const ranges = new PackRanges();
    for (let seq = 0; seq < 10_000; seq++) ranges.note(seq, `pack ${String(seq)}`);
    const known = new Set(Array.from({ length: 10_000 }, (_, seq) => ranges.guess(seq)));
    expect(known.size).toBeLessThanOrEqual(256);
    expect(ranges.guess(9_999)).toBe("pack 9999");
  });
});
