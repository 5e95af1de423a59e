/** How fast a page asks: few at a time, none too soon after the other, in their order, and on after what failed. */
import { describe, expect, it } from "vitest";
import { Pace } from "../../../../clients/explorer/api/pace.js";

describe("the pace", () => {
  it("lets four requests be under way, in the order in which they came", async () => {
    const pace = new Pace({ now: () => 0, delay: () => Promise.resolve() });
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const all = Array.from({ length: 10 }, (_, number) =>
      pace.run(async () => {
        begun.push(number);
        await new Promise<void>((resolve) => ends.push(resolve));
      }),
    );
    const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    await settle();
    expect(begun).toEqual([0, 1, 2, 3]);
    ends[2]?.();
    await settle();
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    while (begun.length < 10) {
      for (const end of ends) end();
      await settle();
    }
    for (const end of ends) end();
    await Promise.all(all);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("lets a hundred begin in a second, and none of them sooner for one that failed", async () => {
    let now = 0;
    const pace = new Pace({
      now: () => now,
      delay: (milliseconds) => {
        now += milliseconds;
        return Promise.resolve();
      },
    });
    const times: number[] = [];
    for (let number = 0; number < 100; number++) {
      const act = (): Promise<void> => {
        times.push(now);
        return number % 3 === 0 ? Promise.reject(new Error("no")) : Promise.resolve();
      };
      await pace.run(act).catch(() => undefined);
    }
    expect(times).toEqual(Array.from({ length: 100 }, (_, number) => number * 10));
    now += 5000;
    await pace.run(() => Promise.resolve(times.push(now)));
    expect(times.at(-1)).toBe(now);
  });
});
