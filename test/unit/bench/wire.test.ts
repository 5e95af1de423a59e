import { describe, expect, test } from "vitest";
import { wireTarget } from "../../bench/wire.js";

describe("wireTarget", () => {
  test("allows more latency with ten connections than with others", () => {
    expect(wireTarget("read-10", 10)).toEqual({ ratio: 1.3, p99Ratio: 3 });
    expect(wireTarget("read-100", 100)).toEqual({ ratio: 1.3, p99Ratio: 2 });
  });

  test("wants no rate of a row that has none to reach, but still the latency", () => {
    expect(wireTarget("tx-1", 1)).toEqual({ p99Ratio: 2 });
  });
});
