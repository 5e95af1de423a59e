/**
 * The ends of a timeline's parts are what a walk over all commits counts, also with clocks that are set back.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { densityAnswer } from "../../daemon/history/query/density.js";
import { openHistory } from "../../daemon/history/query/history.js";
import { emptyRoot } from "../../daemon/store/root.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { diskWithRepository, openRecorder, REPOSITORY } from "../support/recorded-history.js";
import { propertyParameters } from "../support/seed.js";
import { commitBetween } from "./history-generator.js";

const SECOND = 1_000_000;
const START = 1_780_000_000 * SECOND;

/** Microseconds from one commit to the next: bursts, and quiet hours. */
const forwards = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 1000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 2 * SECOND }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3600 * SECOND }) },
);
const backwards = fc.integer({ min: 1, max: 5 * SECOND }).map((step) => -step);
const parts = fc.integer({ min: 1, max: 60 });
const ends = fc.tuple(fc.nat(), fc.nat());

/** Records a commit for each time, and asks. */
function endsOf(
  times: readonly number[],
  { first, last, count }: { readonly first: number; readonly last: number; readonly count: number },
): readonly number[] {
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  for (const [index, time] of times.entries()) {
    recorder.record(commitBetween(emptyRoot(), emptyRoot(), index + 1, { time: time as Microseconds }));
  }
  recorder.seal();
  recorder.close();
  const history = openHistory(memory, REPOSITORY);
  const question = { view: history.view(), now: START as Microseconds, clock: { monotonicMilliseconds: () => 0 } };
  const query = { from: `@{${String(first)}}`, to: `@{${String(last)}}`, parts: count };
  const answer = densityAnswer(question, query);
  history.close();
  return answer.ends;
}

function timesOf(steps: readonly number[]): number[] {
  let time = START;
  return steps.map((step) => (time += step));
}

/** Two seqs of a history, in order. */
function rangeOf(commits: number, [left, right]: readonly [number, number]): { first: number; last: number } {
  const [one, other] = [1 + (left % commits), 1 + (right % commits)];
  return { first: Math.min(one, other), last: Math.max(one, other) };
}

describe("densityAnswer", () => {
  it("counts what a walk over all commits counts", () => {
    fc.assert(
      fc.property(fc.array(forwards, { minLength: 1, maxLength: 60 }), parts, ends, (steps, count, chosen) => {
        const times = timesOf(steps);
        const { first, last } = rangeOf(times.length, chosen);
        const [start = 0, end = 0] = [times[first - 1], times[last - 1]];
        const counted = Array.from({ length: count }, (_, part) => {
          const until = start + (part + 1) * ((end - start) / count);
          const isIn = (time: number, index: number): boolean => index < last && time <= until;
          return part === count - 1 ? last : times.filter(isIn).length;
        });
        expect(endsOf(times, { first, last, count })).toEqual(counted);
      }),
      propertyParameters(60),
    );
  });

  it("with a clock that is set back tells commits around the moment, in order", () => {
    const steps = fc.array(fc.oneof({ weight: 5, arbitrary: forwards }, { weight: 1, arbitrary: backwards }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, parts, ends, (each, count, chosen) => {
        const times = timesOf(each);
        const { first, last } = rangeOf(times.length, chosen);
        // What the history says of a commit's second never goes back; within a second it may.
        let newest = 0;
        const made = times.map((time) => {
          newest = Math.max(newest, Math.floor(time / SECOND));
          return Math.max(time, newest * SECOND);
        });
        const [start = 0, end = 0] = [made[first - 1], made[last - 1]];
        const told = endsOf(times, { first, last, count });
        expect(told.toSorted((left, right) => left - right)).toEqual(told);
        expect([told.length, told.at(-1)]).toEqual([count, last]);
        for (const [part, seq] of told.slice(0, -1).entries()) {
          const until = start + (part + 1) * (Math.max(0, end - start) / count);
          expect(seq).toBeGreaterThanOrEqual(first);
          expect(made[seq - 1]).toBeLessThanOrEqual(until);
          if (seq < last) expect(made[seq]).toBeGreaterThan(until);
        }
      }),
      propertyParameters(60),
    );
  });
});
