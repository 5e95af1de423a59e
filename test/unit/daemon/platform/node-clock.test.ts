import { describe, expect, it } from "vitest";
import { createNodeClock } from "../../../../daemon/platform/node-clock.js";

const start = 1_732_345_678_901;

/** A clock over readings that the test sets; `wall` with a fraction, of which the clock sees whole milliseconds. */
function fakeClock(): { clock: ReturnType<typeof createNodeClock>; now: { wall: number; monotonic: number } } {
  const now = { wall: start, monotonic: 5 };
  const clock = createNodeClock({
    wallMilliseconds: () => Math.floor(now.wall),
    monotonicMilliseconds: () => now.monotonic,
  });
  return { clock, now };
}

describe("createNodeClock", () => {
  it("gives integers that never go back and stay in the millisecond of the wall clock", () => {
    const { clock, now } = fakeClock();
    let last = 0;
    for (let step = 0; step < 5000; step++) {
      const microseconds = clock.nowMicroseconds();
      expect(Number.isInteger(microseconds)).toBe(true);
      expect(microseconds).toBeGreaterThanOrEqual(last);
      expect(Math.floor(microseconds / 1000)).toBe(Math.floor(now.wall));
      last = microseconds;
      now.wall += 0.0371;
      now.monotonic += 0.0371;
    }
  });

  it("tells microseconds within a millisecond", () => {
    const { clock, now } = fakeClock();
    expect(clock.nowMicroseconds()).toBe(start * 1000);
    now.monotonic += 0.25;
    expect(clock.nowMicroseconds()).toBe(start * 1000 + 250);
    now.monotonic += 0.5;
    expect(clock.nowMicroseconds()).toBe(start * 1000 + 750);
  });

  it("follows a step of the wall clock at once, in both directions, and is fine again after it", () => {
    for (const step of [3_600_000, -3_600_000]) {
      const { clock, now } = fakeClock();
      clock.nowMicroseconds();
      now.wall += step;
      expect(Math.floor(clock.nowMicroseconds() / 1000)).toBe(start + step);
      const stepped = clock.nowMicroseconds();
      now.wall += 2;
      now.monotonic += 2.125;
      const after = clock.nowMicroseconds();
      expect(after).toBeGreaterThan(stepped);
      expect(Math.floor(after / 1000)).toBe(start + step + 2);
    }
  });

  it("does not run ahead of a wall clock that is slower than the monotonic one", () => {
    const { clock, now } = fakeClock();
    let last = 0;
    for (let step = 0; step < 1000; step++) {
      const microseconds = clock.nowMicroseconds();
      expect(microseconds).toBeGreaterThanOrEqual(last);
      expect(Math.floor(microseconds / 1000)).toBe(Math.floor(now.wall));
      last = microseconds;
      now.wall += 0.4;
      now.monotonic += 0.5;
    }
  });

  it("agrees with the machine", () => {
    const clock = createNodeClock();
    const before = Date.now();
    const microseconds = clock.nowMicroseconds();
    expect(microseconds).toBeGreaterThanOrEqual(before * 1000);
    expect(microseconds).toBeLessThan((Date.now() + 1) * 1000);
    expect(clock.monotonicMilliseconds()).toBeLessThanOrEqual(clock.monotonicMilliseconds());
  });
});
