import { describe, expect, it } from "vitest";
import { BackOff } from "../../../../../daemon/history/recorder/back-off.js";

describe("BackOff", () => {
  it("waits twice as long after each failure, up to the most, and begins anew when it has worked", () => {
    const backOff = new BackOff({ leastMilliseconds: 10, mostMilliseconds: 35 });
    expect(backOff.notBefore).toBe(0);
    expect([backOff.failed(100), backOff.notBefore]).toEqual([10, 110]);
    expect([backOff.failed(200), backOff.failed(300), backOff.failed(400)]).toEqual([20, 35, 35]);
    expect(backOff.notBefore).toBe(435);
    backOff.worked();
    expect(backOff.notBefore).toBe(435);
    expect([backOff.failed(500), backOff.notBefore]).toEqual([10, 510]);
  });
});
