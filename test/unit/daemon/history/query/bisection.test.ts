import { describe, expect, test } from "vitest";
import { bisect, Bisection, type Verdict } from "../../../../../daemon/history/query/bisection.js";

/** A search in which all from `first` on are bad, and what was looked at. */
function search(ends: { good: number; bad: number }, first: number, skipped: (seq: number) => boolean = () => false) {
  const looked: number[] = [];
  const verdictOf = (seq: number): Verdict => (skipped(seq) ? "skip" : seq >= first ? "bad" : "good");
  const { end, tried } = bisect(ends, (seq) => {
    looked.push(seq);
    return verdictOf(seq);
  });
  expect(tried).toEqual(looked.map((seq) => ({ seq, verdict: verdictOf(seq) })));
  expect(new Set(looked).size).toBe(looked.length);
  return { end, looked };
}

describe("bisect", () => {
  test("finds every first bad commit, in as few steps as halving takes", () => {
    for (let bad = 2; bad <= 70; bad++) {
      for (let first = 2; first <= bad; first++) {
        const { end, looked } = search({ good: 1, bad }, first);
        expect(end).toEqual({ kind: "found", seq: first });
        expect(looked.length).toBeLessThanOrEqual(Math.ceil(Math.log2(bad - 1)));
      }
    }
  });

  test("needs no step where the two are neighbours, and twenty for a million", () => {
    expect(search({ good: 4, bad: 5 }, 5)).toEqual({ end: { kind: "found", seq: 5 }, looked: [] });
    expect(search({ good: 1, bad: 1_000_000 }, 777_777).looked.length).toBeLessThanOrEqual(20);
  });

  test("finds the commit beside any that cannot be judged", () => {
    for (let first = 2; first <= 40; first++) {
      // Neither the first bad commit nor the one before it.
      const skipped = (seq: number): boolean => seq !== first && seq !== first - 1 && seq % 3 !== 0;
      expect(search({ good: 1, bad: 40 }, first, skipped).end).toEqual({ kind: "found", seq: first });
    }
  });

  test("leaves a stretch that cannot be judged behind in a few steps", () => {
    const { end, looked } = search({ good: 1, bad: 100_000 }, 90_000, (seq) => seq > 40_000 && seq < 60_000);
    expect(end).toEqual({ kind: "found", seq: 90_000 });
    expect(looked.length).toBeLessThan(60);
    // Also where it reaches nearly to an end, above the middle or below.
    for (const [first, from, to] of [
      [20_000, 30_000, 99_990],
      [90_000, 10, 80_000],
    ] as const) {
      const far = search({ good: 1, bad: 100_000 }, first, (seq) => seq > from && seq < to);
      expect(far.end).toEqual({ kind: "found", seq: first });
      expect(far.looked.length).toBeLessThan(80);
    }
  });

  test("names the candidates where none of them can be judged", () => {
    const { end, looked } = search({ good: 1, bad: 20 }, 10, (seq) => seq >= 8 && seq <= 11);
    expect(end).toEqual({ kind: "skipped", candidates: [8, 9, 10, 11, 12] });
    for (const seq of [8, 9, 10, 11]) expect(looked).toContain(seq);
    expect(search({ good: 3, bad: 6 }, 6, () => true)).toEqual({
      end: { kind: "skipped", candidates: [4, 5, 6] },
      looked: [4, 5],
    });
  });
});

describe("Bisection", () => {
  test("tells about how many steps are left", () => {
    const bisection = new Bisection({ good: 0, bad: 100 });
    expect(bisection.stepsLeft).toBe(7);
    expect(bisection.next()).toBe(50);
    bisection.take(50, "bad");
    expect([bisection.stepsLeft, bisection.steps]).toEqual([6, 1]);
  });

  test("proposes the same commit until it has the verdict, and takes none on others", () => {
    const bisection = new Bisection({ good: 0, bad: 4 });
    expect([bisection.next(), bisection.next()]).toEqual([2, 2]);
    bisection.take(2, "skip");
    expect(() => {
      bisection.take(2, "good");
    }).toThrow(RangeError);
    expect(() => {
      bisection.take(4, "good");
    }).toThrow(RangeError);
    expect(bisection.next()).toBe(3);
  });

  test("takes the middle again once a commit could be judged", () => {
    const bisection = new Bisection({ good: 0, bad: 100 });
    bisection.take(50, "skip");
    expect(bisection.next()).toBe(51);
    bisection.take(51, "good");
    expect(bisection.next()).toBe(75);
  });

  test("refuses ends with nothing between them", () => {
    expect(() => new Bisection({ good: 5, bad: 5 })).toThrow(RangeError);
    expect(() => new Bisection({ good: 6, bad: 5 })).toThrow(RangeError);
  });
});
