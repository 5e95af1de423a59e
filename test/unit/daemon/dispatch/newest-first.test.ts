import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newestFirst } from "../../../../daemon/dispatch/newest-first.js";

describe("newestFirst", () => {
  test("gives what sorting all would give, before any number", () => {
    const list = fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(list, { maxLength: 12 }), fc.integer({ min: 0, max: 210 }), (numbers, before) => {
        const ascending = numbers.map((each) => each.sort((left, right) => left - right).map((lastId) => ({ lastId })));
        const wanted = numbers.flat().filter((lastId) => lastId < before);
        const given = [...newestFirst(ascending, before)].map(({ lastId }) => lastId);
        expect(given).toEqual(wanted.sort((left, right) => right - left));
      }),
    );
  });

  test("looks at nothing that is not asked for", () => {
    let looked = 0;
    const item = (lastId: number): { readonly lastId: number } => ({
      get lastId() {
        looked++;
        return lastId;
      },
    });
    const lists = Array.from({ length: 50 }, (_, list) =>
      Array.from({ length: 1000 }, (__, at) => item(at * 50 + list + 1)),
    );
    const { value } = newestFirst(lists, Infinity).next();
    expect(value?.lastId).toBe(50_000);
    expect(looked).toBeLessThan(50 * 20);
  });
});
