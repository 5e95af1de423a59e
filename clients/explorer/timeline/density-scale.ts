/**
 * Where commits lie on a timeline.
 *
 * Owns the way from a density (`protocol/http-api/density.ts`) to moments and back; without a browser, so that it can be tested.
 */
import type { DensityAnswer } from "../../../protocol/http-api/density.js";
import { microsecondsOf } from "../words/times.js";

/** A density with its times as numbers, in microseconds since the epoch. */
export interface DensityScale {
  readonly from: number;
  readonly to: number;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly ends: readonly number[];
}

/** A stretch of time. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The scale of an answer. */
export function scaleOf({ from, to, ends }: DensityAnswer): DensityScale {
  const times = { from: microsecondsOf(from.time ?? ""), to: microsecondsOf(to.time ?? "") };
  return { ...times, fromSeq: from.seq ?? 1, toSeq: to.seq ?? 1, ends };
}

/** How many commits each part has. */
export function countsOf({ fromSeq, ends }: DensityScale): readonly number[] {
  return ends.map((end, index) => end - (ends[index - 1] ?? fromSeq - 1));
}

/** The beginning of each part, in seconds since the epoch as uPlot has times. */
export function beginningsOf({ from, to, ends }: DensityScale): readonly number[] {
  const part = (to - from) / ends.length;
  return ends.map((_end, index) => (from + index * part) / 1e6);
}

/** About when a commit was made: in the middle of its part. Undefined where it is outside of the scale. */
export function timeOfSeq({ from, to, fromSeq, toSeq, ends }: DensityScale, seq: number): number | undefined {
  if (seq < fromSeq || seq > toSeq) return undefined;
  const part = ends.findIndex((end) => end >= seq);
  return part < 0 ? to : from + ((part + 0.5) / ends.length) * (to - from);
}

/** A stretch that is `factor` times as long, with the moment `around` at the same place of it; within `whole`, and never shorter than `least`. */
export function zoomed(span: Span, { factor, around, whole, least }: Zoom): Span {
  const length = Math.min(Math.max((span.to - span.from) * factor, least), whole.to - whole.from);
  const share = span.to > span.from ? (around - span.from) / (span.to - span.from) : 0.5;
  return within({ from: around - share * length, to: around + (1 - share) * length }, whole);
}

/** How to zoom. */
export interface Zoom {
  readonly factor: number;
  readonly around: number;
  readonly whole: Span;
  readonly least: number;
}

/** The stretch moved so that it lies within the whole. */
export function within({ from, to }: Span, whole: Span): Span {
  const length = Math.min(to - from, whole.to - whole.from);
  const start = Math.min(Math.max(from, whole.from), whole.to - length);
  return { from: start, to: start + length };
}
