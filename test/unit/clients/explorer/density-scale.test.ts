/** Where commits lie on a timeline. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  beginningsOf,
  countsOf,
  scaleOf,
  timeOfSeq,
  within,
  zoomed,
} from "../../../../clients/explorer/timeline/density-scale.js";
import { parseSpan, serializeSpan } from "../../../../clients/explorer/timeline/span.js";
import { isoOf, microsecondsOf } from "../../../../clients/explorer/words/times.js";
import { propertyParameters } from "../../../support/seed.js";

const commit = (
  seq: number,
  time: string,
): { readonly oid: string; readonly subject: string; readonly seq: number; readonly time: string } => ({
  oid: String(seq),
  subject: "",
  seq,
  time,
});

const SCALE = scaleOf({
  from: commit(11, "2026-11-23T07:00:00.000000Z"),
  to: commit(30, "2026-11-23T07:00:04.000000Z"),
  ends: [15, 15, 25, 30],
});

describe("a density", () => {
  it("has as many commits as there are between its ends", () => {
    expect(countsOf(SCALE)).toEqual([5, 0, 10, 5]);
    expect(countsOf(SCALE).reduce((sum, count) => sum + count)).toBe(20);
  });

  it("has parts of one length, in seconds", () => {
    const begin = Date.parse("2026-11-23T07:00:00Z") / 1000;
    expect(beginningsOf(SCALE)).toEqual([begin, begin + 1, begin + 2, begin + 3]);
  });

  it("tells about when a commit was made", () => {
    const begin = microsecondsOf("2026-11-23T07:00:00.000000Z");
    expect(timeOfSeq(SCALE, 11)).toBe(begin + 500_000);
    expect(timeOfSeq(SCALE, 16)).toBe(begin + 2_500_000);
    expect(timeOfSeq(SCALE, 30)).toBe(begin + 3_500_000);
    expect(timeOfSeq(SCALE, 10)).toBeUndefined();
    expect(timeOfSeq(SCALE, 31)).toBeUndefined();
  });
});

describe("zooming", () => {
  const whole = { from: 0, to: 1000 };

  it("keeps the moment around which it zooms in its place", () => {
    const span = zoomed(whole, { factor: 0.5, around: 250, whole, least: 1 });
    expect(span).toEqual({ from: 125, to: 625 });
  });

  it("never leaves the whole, nor goes below the least", () => {
    const spans = fc.tuple(fc.double({ min: 0, max: 999, noNaN: true }), fc.double({ min: 1, max: 1000, noNaN: true }));
    fc.assert(
      fc.property(
        spans,
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        ([from, length], factor, share) => {
          const span = { from, to: Math.min(1000, from + length) };
          const around = span.from + share * (span.to - span.from);
          const next = zoomed(span, { factor, around, whole, least: 10 });
          expect(next.from).toBeGreaterThanOrEqual(-1e-6);
          expect(next.to).toBeLessThanOrEqual(1000 + 1e-6);
          expect(next.to - next.from).toBeGreaterThanOrEqual(10 - 1e-6);
        },
      ),
      propertyParameters(300),
    );
  });

  it("moves what would be outside", () => {
    expect(within({ from: -100, to: 100 }, whole)).toEqual({ from: 0, to: 200 });
    expect(within({ from: 900, to: 1100 }, whole)).toEqual({ from: 800, to: 1000 });
    expect(within({ from: -100, to: 5000 }, whole)).toEqual(whole);
  });
});

describe("times", () => {
  it("are the same to the microsecond as text and as numbers", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000_000 }), (microseconds) => {
        expect(microsecondsOf(isoOf(microseconds))).toBe(microseconds);
      }),
      propertyParameters(300),
    );
  });

  it("stand in an address as a stretch", () => {
    const span = { from: 1_000_000, to: 2_500_000 };
    expect(serializeSpan(span)).toBe("1970-01-01T00:00:01.000000Z~1970-01-01T00:00:02.500000Z");
    expect(parseSpan(serializeSpan(span))).toEqual(span);
    for (const text of ["", "nonsense", "~", "1970-01-01T00:00:02Z~1970-01-01T00:00:01Z"])
      expect(parseSpan(text)).toBeUndefined();
  });
});
