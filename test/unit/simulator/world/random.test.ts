import { describe, expect, test } from "vitest";
import { createRandom, type Random } from "../../../../simulator/world/random.js";

const take = (random: Random): number[] => Array.from({ length: 1000 }, () => random.fraction());

describe("createRandom", () => {
  test("gives the same numbers for the same seed and stream, and others for another of either", () => {
    const first = take(createRandom({ seed: 7 }));
    expect(take(createRandom({ seed: 7, stream: 0 }))).toEqual(first);
    for (const other of [{ seed: 8 }, { seed: -7 }, { seed: 7, stream: 1 }]) {
      const same = take(createRandom(other)).filter((fraction, index) => fraction === first[index]);
      expect(same).toEqual([]);
    }
  });

  test("gives fractions from 0 up to 1, all over that range", () => {
    const fractions = take(createRandom({ seed: 7 }));
    for (const fraction of fractions) expect(fraction >= 0 && fraction < 1).toBe(true);
    for (let tenth = 0; tenth < 10; tenth++) {
      const inTenth = fractions.filter((fraction) => Math.floor(fraction * 10) === tenth);
      expect(Math.abs(inTenth.length - 100)).toBeLessThan(50);
    }
  });

  test("below gives each integer from 0 up to the end, and no other", () => {
    const random = createRandom({ seed: 7 });
    const drawn = new Set(Array.from({ length: 1000 }, () => random.below(6)));
    expect([...drawn].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(random.below(1)).toBe(0);
  });
});
