import { describe, expect, test } from "vitest";
import { backoffMilliseconds, machinePacing } from "../../../../clients/xenstore/backoff.js";

const range = { firstMilliseconds: 4, mostMilliseconds: 100 };

describe("backoffMilliseconds", () => {
  test("doubles after each attempt up to the limit", () => {
    const most = [1, 2, 3, 4, 5, 6, 7, 1000, 100_000].map((attempt) => backoffMilliseconds(attempt, range, () => 1));
    expect(most).toEqual([4, 8, 16, 32, 64, 100, 100, 100, 100]);
  });

  test("is jittered over the whole range", () => {
    expect(backoffMilliseconds(3, range, () => 0)).toBe(0);
    expect(backoffMilliseconds(3, range, () => 0.25)).toBe(4);
  });
});

describe("machinePacing", () => {
  test("delay rejects with the signal's own reason", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const waiting = machinePacing.delay(60_000, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  test("delay resolves after its time", async () => {
    await expect(machinePacing.delay(1)).resolves.toBeUndefined();
  });

  test("random is from 0 to below 1", () => {
    const value = machinePacing.random();
    expect(value >= 0 && value < 1).toBe(true);
  });
});
