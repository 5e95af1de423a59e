/** The lag's arithmetic, against a plain list of every commit. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { LagMeter, RUNS_MAX, type LagStart } from "../../../../../daemon/history/recorder/lag.js";
import { propertyParameters } from "../../../../support/seed.js";

const RUN_BYTES = 1000;
const RUN_MILLISECONDS = 50;

function meter(start: Partial<LagStart> = {}): LagMeter {
  return new LagMeter({
    sealedSeq: 0 as Seq,
    position: { segment: "1", offset: 0, seq: 0 as Seq },
    segments: [],
    runBytesMax: RUN_BYTES,
    nowMilliseconds: 0,
    ...start,
  });
}

const segment = (first: number, bytes: number) => ({ first: first as Seq, bytes });
const at = (seq: number, offset: number, segment = "1") => ({ segment, offset, seq: seq as Seq });

describe("LagMeter", () => {
  it("counts commits and bytes since the last seal, and the age of the oldest", () => {
    const lag = meter();
    expect(lag.measure(5)).toEqual({ commits: 0, bytes: 0, seconds: 0 });
    expect(lag.appended(at(2, 300), 1000)).toBe(300);
    expect(lag.appended(at(3, 500), 4000)).toBe(200);
    expect(lag.measure(5000)).toEqual({ commits: 3, bytes: 500, seconds: 4 });
    lag.sealed(2 as Seq);
    expect(lag.measure(5000)).toEqual({ commits: 1, bytes: 200, seconds: 1 });
    lag.sealed(3 as Seq);
    expect(lag.measure(9000)).toEqual({ commits: 0, bytes: 0, seconds: 0 });
  });

  it("counts a new segment from its beginning", () => {
    const lag = meter();
    lag.appended(at(1, 400), 0);
    expect(lag.appended(at(2, 150, "2"), 100)).toBe(150);
    expect(lag.bytes).toBe(550);
    lag.sealed(1 as Seq);
    expect(lag.bytes).toBe(150);
  });

  it("starts with the whole journal unsealed where that is ahead of the history, and with nothing where it is not", () => {
    const segments = [segment(1, 1000), segment(6, 700)];
    const behind = meter({ sealedSeq: 4 as Seq, position: at(9, 700), segments, nowMilliseconds: 2000 });
    expect(behind.measure(3000)).toEqual({ commits: 5, bytes: 1700, seconds: 1 });
    behind.sealed(9 as Seq);
    expect(behind.measure(3000)).toEqual({ commits: 0, bytes: 0, seconds: 0 });
    const level = meter({ sealedSeq: 9 as Seq, position: at(9, 700), segments });
    expect(level.measure(3000)).toEqual({ commits: 0, bytes: 0, seconds: 0 });
    level.appended(at(10, 800), 3000);
    expect(level.bytes).toBe(100);
  });

  it("takes the segments that were left for sealed one after the other, and not all with the last commit", () => {
    const segments = [segment(1, 500), segment(6, 700), segment(11, 300), segment(16, 60)];
    const lag = meter({ sealedSeq: 7 as Seq, position: at(15, 60, "16"), segments });
    expect(lag.bytes, "the first segment is sealed").toBe(1060);
    lag.sealed(9 as Seq);
    expect(lag.bytes).toBe(1060);
    lag.sealed(10 as Seq);
    expect(lag.bytes).toBe(360);
    lag.appended(at(16, 100, "16"), 1000);
    expect(lag.bytes).toBe(400);
    lag.sealed(15 as Seq);
    expect(lag.measure(1000)).toEqual({ commits: 1, bytes: 40, seconds: 0 });
  });

  it("keeps few entries and stays on the safe side when nothing is sealed for days (lag invariants 1 and 3)", () => {
    const lag = meter();
    const count = 20 * RUNS_MAX;
    for (let seq = 1; seq <= count; seq++) lag.appended(at(seq, 10 * seq), seq * 1000);
    expect(lag.measure(count * 1000)).toEqual({ commits: count, bytes: 10 * count, seconds: count - 1 });
    const sealed = 3 * RUNS_MAX + 7;
    lag.sealed(sealed as Seq);
    const { commits, bytes, seconds } = lag.measure(count * 1000);
    expect(commits).toBe(count - sealed);
    expect(bytes).toBeGreaterThanOrEqual(10 * commits);
    expect(bytes).toBeLessThanOrEqual(10 * commits + RUN_BYTES);
    expect(seconds, "few entries know no single commit's age").toBeGreaterThan(count - sealed - 1);
    expect(seconds).toBeLessThanOrEqual(count - sealed - 1 + RUN_BYTES / 10);
    lag.sealed(count as Seq);
    expect(lag.bytes).toBe(0);
  });

  it("is never smaller than the truth, and larger by one run at most (lag invariants 1 and 2)", () => {
    const step = fc.record({
      commits: fc.integer({ min: 1, max: 20 }),
      bytes: fc.integer({ min: 1, max: 3 * RUN_BYTES }),
      pause: fc.integer({ min: 0, max: 2 * RUN_MILLISECONDS }),
      isNewSegment: fc.boolean(),
      /** How much of what is not sealed is sealed then, or nothing. */
      seal: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 2 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const lag = meter();
        let position = at(0, 0);
        let now = 0;
        let sealed = 0;
        let unsealed: { seq: number; bytes: number; time: number }[] = [];
        for (const { commits, bytes, pause, isNewSegment, seal } of steps) {
          now += pause;
          position = isNewSegment
            ? at(position.seq + commits, bytes, `${position.segment}+`)
            : at(position.seq + commits, position.offset + bytes, position.segment);
          lag.appended(position, now);
          unsealed.push({ seq: position.seq, bytes, time: now });
          if (seal !== null) {
            sealed += Math.round(seal * (position.seq - sealed));
            lag.sealed(sealed as Seq);
            unsealed = unsealed.filter(({ seq }) => seq > sealed);
          }
          const told = lag.measure(now);
          const trueBytes = unsealed.reduce((sum, each) => sum + each.bytes, 0);
          const trueAge = unsealed[0] === undefined ? 0 : now - unsealed[0].time;
          expect(told.commits).toBe(position.seq - sealed);
          expect(told.bytes).toBeGreaterThanOrEqual(trueBytes);
          expect(told.bytes).toBeLessThanOrEqual(unsealed.length === 0 ? 0 : trueBytes + 4 * RUN_BYTES);
          expect(told.seconds * 1000).toBeGreaterThanOrEqual(trueAge - 1e-6);
          expect(told.seconds * 1000).toBeLessThanOrEqual(trueAge + RUN_MILLISECONDS);
        }
      }),
      propertyParameters(200),
    );
  });
});
