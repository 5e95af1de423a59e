import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteLru } from "../../../../../daemon/history/repository/byte-lru.js";
import { propertyParameters } from "../../../../support/seed.js";

/** What an entry costs besides its value. */
const OVERHEAD = 128;

describe("ByteLru", () => {
  test("forgets what was unused longest when room is needed, across shelves (byte-lru invariant 1)", () => {
    const cache = new ByteLru<string>(3 * (100 + OVERHEAD));
    const left = cache.shelf();
    const right = cache.shelf();
    left.set(1, "a", 100);
    right.set(1, "b", 100);
    left.set(2, "c", 100);
    expect(left.get(1)).toBe("a");
    right.set(2, "d", 100);
    expect([left.get(1), right.get(1), left.get(2), right.get(2)]).toEqual(["a", undefined, "c", "d"]);
  });

  test("does not keep a value larger than the whole cache, and forgets the old one under its key", () => {
    const cache = new ByteLru<string>(1000);
    const shelf = cache.shelf();
    shelf.set(1, "small", 10);
    shelf.set(1, "large", 2000);
    expect(shelf.get(1)).toBeUndefined();
    expect(cache.bytes).toBe(0);
  });

  test("agrees with a list in order of use, whatever is done (byte-lru invariants 1 and 2)", () => {
    const steps = fc.array(
      fc.record({
        shelf: fc.nat(2),
        key: fc.nat(5),
        bytes: fc.nat(600),
        act: fc.constantFrom("set", "get", "clear", "set", "get"),
      }),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const bytesMax = 1500;
        const forgotten: number[] = [];
        const stored: number[] = [];
        const cache = new ByteLru<number>(bytesMax, (value) => forgotten.push(value));
        const shelves = [cache.shelf(), cache.shelf(), cache.shelf()] as const;
        /** The most recently used one last. */
        let model: { shelf: number; key: number; value: number; cost: number }[] = [];
        for (const [step, { shelf, key, bytes, act }] of list.entries()) {
          const isIt = (entry: { shelf: number; key: number }): boolean => entry.shelf === shelf && entry.key === key;
          const chosen = shelves[shelf] as (typeof shelves)[0];
          if (act === "clear") {
            chosen.clear();
            model = model.filter((entry) => entry.shelf !== shelf);
          } else if (act === "get") {
            const entry = model.find(isIt);
            expect(chosen.get(key)).toBe(entry?.value);
            if (entry !== undefined) model = [...model.filter((other) => other !== entry), entry];
          } else {
            chosen.set(key, step, bytes);
            stored.push(step);
            model = model.filter((entry) => !isIt(entry));
            model.push({ shelf, key, value: step, cost: bytes + OVERHEAD });
            while (model.reduce((sum, { cost }) => sum + cost, 0) > bytesMax) model.shift();
          }
          expect(cache.bytes).toBe(model.reduce((sum, { cost }) => sum + cost, 0));
          // Each value is in the cache or was given back, once.
          const known = [...forgotten, ...model.map(({ value }) => value)];
          expect(known.sort((left, right) => left - right)).toEqual(stored);
        }
      }),
      propertyParameters(200),
    );
  });
});
