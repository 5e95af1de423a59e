import { expect, test } from "vitest";
import { DURATION_BOUNDS_SECONDS, DurationCounts } from "../../../../daemon/dispatch/duration-counts.js";

test("counts each duration in the first class whose bound it does not pass, and longer ones beyond the last", () => {
  const counts = new DurationCounts();
  expect(counts.figures()).toEqual({
    bounds: DURATION_BOUNDS_SECONDS,
    counts: DURATION_BOUNDS_SECONDS.map(() => 0).concat(0),
    seconds: 0,
  });
  counts.add(0);
  counts.add(DURATION_BOUNDS_SECONDS[0] ?? 0, 2);
  counts.add(0.0003);
  counts.add(99, 3);
  const expected = DURATION_BOUNDS_SECONDS.map(() => 0).concat(3);
  expected[0] = 3;
  expected[DURATION_BOUNDS_SECONDS.indexOf(0.0005)] = 1;
  expect(counts.figures().counts).toEqual(expected);
  expect(counts.figures().seconds).toBeCloseTo(2 * 0.00005 + 0.0003 + 3 * 99, 9);
});

test("has bounds that rise", () => {
  expect([...DURATION_BOUNDS_SECONDS].sort((a, b) => a - b)).toEqual(DURATION_BOUNDS_SECONDS);
});
