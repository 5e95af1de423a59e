/**
 * A bisection as a story: what was left to search after each step.
 *
 * Owns the counting; without a browser, so that it can be tested.
 */
import type { BisectAnswer } from "../../../protocol/http-api/bisect.js";

/** A commit that was looked at. */
export interface HalvingStep {
  readonly seq: number;
  readonly isBad: boolean;
  /** What is left: the newest that is good, and the oldest that is bad. */
  readonly good: number;
  readonly bad: number;
}

/** The steps, in their order. */
export function halvingSteps({
  good,
  bad,
  tried,
}: Pick<BisectAnswer, "good" | "bad" | "tried">): readonly HalvingStep[] {
  let left = { good: good.seq ?? 0, bad: bad.seq ?? 0 };
  return tried.map(({ seq, isBad }) => {
    left = isBad ? { ...left, bad: Math.min(left.bad, seq) } : { ...left, good: Math.max(left.good, seq) };
    return { seq, isBad, ...left };
  });
}
