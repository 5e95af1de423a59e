/** When the recorder rests: in bursts, for a bounded time. */
import { describe, expect, it } from "vitest";
import { REST_MILLISECONDS, Rest } from "../../../../../daemon/history/recorder/rest.js";

const STEP_MILLISECONDS = 20;

/** What happened in a run of a recorder that rests where it is to. */
interface Run {
  /** When it rested, in milliseconds. */
  readonly rested: readonly number[];
  /** Longest that a commit waited to be recorded. */
  readonly waitMax: number;
  /** How many were not recorded at the end. */
  readonly left: number;
}

/**
 * @param perSecond - how fast clients commit, by the time
 * @param recordedPerSecond - how fast the recorder records while it does not rest
 */
function run(
  perSecond: (milliseconds: number) => number,
  milliseconds: number,
  { recordedPerSecond = 80_000, left = 0 } = {},
): Run {
  const rest = new Rest();
  const rested: number[] = [];
  /** When each step's last commit was published. */
  const waiting: { readonly seq: number; readonly at: number }[] = [];
  let [published, recorded, waitMax] = [left, 0, 0];
  for (let now = 0; now < milliseconds; now += STEP_MILLISECONDS) {
    published += (perSecond(now) * STEP_MILLISECONDS) / 1000;
    waiting.push({ seq: published, at: now });
    if (rest.isDue(published, recorded, now)) rested.push(now);
    else recorded = Math.min(published, recorded + (recordedPerSecond * STEP_MILLISECONDS) / 1000);
    while ((waiting[0]?.seq ?? Infinity) <= recorded) waiting.shift();
    waitMax = Math.max(waitMax, now - (waiting[0]?.at ?? now));
  }
  return { rested, waitMax, left: published - recorded };
}

describe("Rest", () => {
  it("never is due while clients commit at the pace of a quiet host", () => {
    expect(run(() => 4000, 60_000).rested).toEqual([]);
    expect(run(() => 0, 60_000).rested).toEqual([]);
  });

  it("is due from when a burst is noticed, in a fifth of a second, until its end is", () => {
    const { rested, left } = run((now) => (now >= 1000 && now < 4000 ? 100_000 : 0), 20_000);
    expect(rested[0]).toBeGreaterThanOrEqual(1000);
    expect(rested[0]).toBeLessThanOrEqual(1200);
    expect(rested.at(-1)).toBeGreaterThan(3900);
    expect(rested.at(-1)).toBeLessThanOrEqual(4200);
    expect(left).toBe(0);
  });

  it("is due once where a burst does not end and the recorder does not catch up (rest invariant 1)", () => {
    const { rested } = run(() => 100_000, 60_000);
    expect(rested.at(-1)).toBeLessThan(REST_MILLISECONDS + 200);
    expect(rested.length).toBeGreaterThan((REST_MILLISECONDS - 400) / STEP_MILLISECONDS);
  });

  it("lets no commit wait longer than the rest and the catching up with what came in it (rest invariant 1)", () => {
    const { rested, waitMax, left } = run(() => 40_000, 120_000);
    expect(rested.length).toBeGreaterThan(0);
    expect(waitMax).toBeLessThanOrEqual(REST_MILLISECONDS + 200);
    // It caught up, and rested again.
    expect(rested.at(-1)).toBeGreaterThan(REST_MILLISECONDS * 2);
    expect(left).toBeLessThanOrEqual((REST_MILLISECONDS / 1000) * 40_000 * 1.05);
  });

  it("is not due before what an earlier life left is recorded (rest invariant 2)", () => {
    const { rested } = run(() => 40_000, 20_000, { left: 400_000 });
    // 400,000 at 80,000 a second; the rest may last until ten seconds after the first commit that came meanwhile.
    expect(rested[0]).toBeGreaterThan(4800);
    expect(rested[0]).toBeLessThan(5200);
    expect(rested.filter((now) => now >= REST_MILLISECONDS + 200 && now < REST_MILLISECONDS + 5000)).toEqual([]);
  });

  it("begins anew after it has caught up, and not before", () => {
    // A second burst while it catches up with the first, which lasted as long as a rest may.
    const { rested } = run((now) => (now < 12_000 || (now >= 13_000 && now < 14_000) ? 200_000 : 0), 20_000);
    expect(rested.filter((now) => now >= 12_000)).toEqual([]);
  });
});
