/**
 * The picture of a density: a bar for each part.
 */
import uPlot from "uplot";
import { colour } from "../shell/theme.js";
import { isoOf, timeInWords } from "../words/times.js";
import { beginningsOf, countsOf, type DensityScale, type Span } from "./density-scale.js";

const HEIGHT_PIXELS = 120;
const MICROSECONDS_PER_SECOND = 1e6;
const SECONDS_PER_MINUTE = 60;
/** For the axes. */
const TIMES_PIXELS = 42;
const TIMES_SPACE_PIXELS = 100;
const COUNTS_PIXELS = 60;
const FONT = "12px system-ui, sans-serif";

/** A picture in a box, as wide as that. */
export class DensityPlot {
  readonly #box: HTMLElement;
  readonly #plot: uPlot;
  readonly #observer: ResizeObserver;

  /** @param changed - told when moments have other places */
  constructor(box: HTMLElement, changed: () => void) {
    this.#box = box;
    this.#plot = new uPlot(optionsOf(box.clientWidth, changed), [[], []], box);
    this.#observer = new ResizeObserver(() => {
      this.#plot.setSize({ width: box.clientWidth, height: HEIGHT_PIXELS });
    });
    this.#observer.observe(box);
  }

  /** Draws a stretch of a density. */
  draw(scale: DensityScale, { from, to }: Span): void {
    const counts = countsOf(scale);
    this.#plot.batch(() => {
      this.#plot.setData([[...beginningsOf(scale)], [...counts]], false);
      this.#plot.setScale("x", { min: from / MICROSECONDS_PER_SECOND, max: to / MICROSECONDS_PER_SECOND });
      this.#plot.setScale("y", { min: 0, max: Math.max(1, ...counts) });
    });
  }

  /** Where a moment is, in pixels from the box's left edge; undefined where it is outside. */
  leftOf(time: number): number | undefined {
    const left = this.#plot.valToPos(time / MICROSECONDS_PER_SECOND, "x");
    const { offsetLeft, clientWidth } = this.#plot.over;
    return left < -1 || left > clientWidth + 1 ? undefined : left + offsetLeft;
  }

  /** The moment at a place, in microseconds since the epoch; at an edge where it is outside. @param clientX - as pointer events have it */
  timeAt(clientX: number): number {
    const { left, width } = this.#plot.over.getBoundingClientRect();
    const inside = Math.min(Math.max(clientX - left, 0), width);
    return this.#plot.posToVal(inside, "x") * MICROSECONDS_PER_SECOND;
  }

  /** Takes it out of the box. */
  remove(): void {
    this.#observer.disconnect();
    this.#plot.destroy();
    this.#box.replaceChildren();
  }
}

function optionsOf(width: number, changed: () => void): uPlot.Options {
  const axis = { stroke: colour("--muted"), font: FONT, grid: { show: false }, ticks: { stroke: colour("--line") } };
  const bars = uPlot.paths.bars?.({ align: 1, size: [1, Infinity] });
  return {
    width,
    height: HEIGHT_PIXELS,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true }, y: { auto: false } },
    axes: [
      {
        ...axis,
        size: TIMES_PIXELS,
        space: TIMES_SPACE_PIXELS,
        values: (_plot, splits, _axis, _space, step) => timesOf(splits, step),
      },
      {
        ...axis,
        size: COUNTS_PIXELS,
        splits: ({ scales }) => [0, scales["y"]?.max ?? 1],
        values: (_plot, splits) => splits.map((count) => count.toLocaleString("en")),
      },
    ],
    series: [
      {},
      {
        stroke: colour("--accent"),
        fill: colour("--accent"),
        points: { show: false },
        ...(bars === undefined ? {} : { paths: bars }),
      },
    ],
    hooks: { draw: [changed] },
  };
}

/** Times of day, as exactly as their distance needs; under the first one, and where a day begins, the day. */
function timesOf(splits: readonly number[], stepSeconds: number): string[] {
  let day = "";
  return splits.map((seconds) => {
    const [date = "", clock = ""] = timeInWords(isoOf(seconds * MICROSECONDS_PER_SECOND)).split(" ");
    const isOtherDay = date !== day;
    day = date;
    const digits = stepSeconds >= SECONDS_PER_MINUTE ? "HH:MM" : stepSeconds >= 1 ? "HH:MM:SS" : "HH:MM:SS.mmm";
    const time = clock.slice(0, digits.length);
    return isOtherDay ? `${time}\n${date}` : time;
  });
}
