import { describe, expect, test } from "vitest";
import { ticksOf } from "../../../../../clients/explorer/boot/axis.js";

const labels = (from: number, to: number, most = 5): readonly string[] =>
  ticksOf({ from: 1_000_000 + from, to: 1_000_000 + to }, 1_000_000, most).map(({ label }) => label);

describe("ticksOf", () => {
  test("stand at round distances from the beginning", () => {
    expect(labels(0, 10_000_000)).toEqual(["+0 s", "+2 s", "+4 s", "+6 s", "+8 s", "+10 s"]);
    expect(labels(-100_000, 400_000)).toEqual(["−100 ms", "+0 ms", "+100 ms", "+200 ms", "+300 ms", "+400 ms"]);
  });

  test("have as many digits as tell them apart", () => {
    expect(labels(12_345_600, 12_345_700)).toEqual([
      "+12.34560 s",
      "+12.34562 s",
      "+12.34564 s",
      "+12.34566 s",
      "+12.34568 s",
      "+12.34570 s",
    ]);
  });

  test("are no more than there is room for", () => {
    expect(labels(0, 987_654, 3).length).toBeLessThanOrEqual(4);
  });
});
