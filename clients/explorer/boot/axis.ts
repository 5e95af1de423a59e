/**
 * The ticks of a time axis that counts from a beginning.
 */
import type { Span } from "../timeline/density-scale.js";

/** A tick: at `time`, `+1.25 s`. */
export interface Tick {
  readonly time: number;
  readonly label: string;
}

const STEPS = [1, 2, 5, 10] as const;
const MICROSECONDS_PER_SECOND = 1_000_000;
const MICROSECONDS_PER_MILLISECOND = 1000;

/** Ticks of a stretch, at most so many, at round distances from `origin`. */
export function ticksOf({ from, to }: Span, origin: number, most: number): readonly Tick[] {
  const step = roundStep((to - from) / Math.max(1, most));
  const inSeconds = Math.max(Math.abs(to - origin), Math.abs(from - origin)) >= MICROSECONDS_PER_SECOND;
  const unit = inSeconds ? MICROSECONDS_PER_SECOND : MICROSECONDS_PER_MILLISECOND;
  const digits = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
  const ticks: Tick[] = [];
  for (let count = Math.ceil((from - origin) / step); origin + count * step <= to; count++) {
    const offset = count * step;
    const size = (Math.abs(offset) / unit).toFixed(digits);
    ticks.push({ time: origin + offset, label: `${offset < 0 ? "−" : "+"}${size} ${inSeconds ? "s" : "ms"}` });
  }
  return ticks;
}

/** The next of 1, 2, 5, 10, 20 .. microseconds. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  const factor = STEPS.find((each) => each * power >= least) ?? 10;
  return factor * power;
}
