import { describe, expect, test } from "vitest";
import { machinePacing } from "../../../clients/xenstore/backoff.js";
import { interruptible, withTimeLimit, type TimeLimit } from "../../../simulator/time-limit.js";
import { World } from "../../../simulator/world/world.js";

const never = new Promise<never>(() => undefined);

function limitOf(clock: TimeLimit["clock"], millisecondsMax: number): TimeLimit {
  return { millisecondsMax, clock, error: (limit) => new RangeError(`it took longer than ${limit}`) };
}

describe("withTimeLimit in virtual time", () => {
  test("gives the result, and leaves no timer for which time would go on", async () => {
    const world = new World(1);
    const { scheduler, environment } = world;
    const result = scheduler.delay(9_999).then(() => "done");
    expect(await world.runUntil(withTimeLimit(result, limitOf(environment, 10_000)))).toBe("done");
    expect(await scheduler.run(() => false)).toBe(false);
    expect(scheduler.monotonicMilliseconds()).toBeLessThan(10_000);
  });

  test("hands an error on as it is, and leaves no timer then either", async () => {
    const world = new World(1);
    const { scheduler, environment } = world;
    const error = new TypeError("refused");
    const failing = scheduler.delay(20).then(() => Promise.reject(error));
    await expect(world.runUntil(withTimeLimit(failing, limitOf(environment, 10_000)))).rejects.toBe(error);
    expect(await scheduler.run(() => false)).toBe(false);
    expect(scheduler.monotonicMilliseconds()).toBeLessThan(10_000);
  });

  test("rejects when the time is over, not before, with the error that names the limit", async () => {
    const world = new World(1);
    await expect(world.runUntil(withTimeLimit(never, limitOf(world.environment, 1500)))).rejects.toThrow(
      new RangeError("it took longer than 1.5 seconds"),
    );
    expect(world.scheduler.monotonicMilliseconds()).toBeCloseTo(1500, 1);
  });

  test("nobody hears of what fails after the time was over", async () => {
    const world = new World(1);
    const { scheduler, environment } = world;
    const failing = scheduler.delay(2000).then(() => Promise.reject(new Error("too late")));
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    try {
      await expect(world.runUntil(withTimeLimit(failing, limitOf(environment, 1000)))).rejects.toThrow(RangeError);
      await scheduler.run(() => false);
      expect(scheduler.monotonicMilliseconds()).toBeGreaterThanOrEqual(2000);
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", note);
    }
  });

  test("rejects with the reason of a delay that its owner ends", async () => {
    const world = new World(1);
    const interruption = new AbortController();
    const clock = { delay: (milliseconds: number) => world.scheduler.delay(milliseconds, interruption.signal) };
    const waiting = withTimeLimit(never, limitOf(clock, 1000));
    interruption.abort(new Error("interrupted"));
    await expect(waiting).rejects.toThrow("interrupted");
  });
});

describe("withTimeLimit in real time", () => {
  test("gives the result, and aborts the delay that nobody waits for any more", async () => {
    const signals: AbortSignal[] = [];
    const clock: TimeLimit["clock"] = {
      delay: (milliseconds, signal) => {
        if (signal !== undefined) signals.push(signal);
        return machinePacing.delay(milliseconds, signal);
      },
    };
    expect(await withTimeLimit(Promise.resolve(7), limitOf(clock, 60_000))).toBe(7);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  test("rejects when the time is over", async () => {
    await expect(withTimeLimit(never, limitOf(machinePacing, 10))).rejects.toThrow(
      new RangeError("it took longer than 0.01 seconds"),
    );
  });
});

describe("interruptible", () => {
  test("ends a delay with either signal, and else lets it take its time", async () => {
    const { scheduler } = new World(1);
    const interruption = new AbortController();
    const delay = interruptible((milliseconds, ended) => scheduler.delay(milliseconds, ended), interruption.signal);
    const finished = delay(10);
    const ended = new AbortController();
    const endedAlone = delay(5000, ended.signal);
    const reason = new Error("ended");
    ended.abort(reason);
    await expect(endedAlone).rejects.toBe(reason);
    await scheduler.run(() => false);
    await expect(finished).resolves.toBeUndefined();
    const plain = delay(5000);
    const twice = delay(5000, new AbortController().signal);
    interruption.abort(reason);
    await expect(plain).rejects.toBe(reason);
    await expect(twice).rejects.toBe(reason);
    expect(scheduler.monotonicMilliseconds()).toBeLessThan(5000);
  });
});
