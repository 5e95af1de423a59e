/**
 * What stands at a place of the picture.
 */
import {
  BAR_PIXELS,
  barHeight,
  BRACKET_PIXELS,
  lanesBetween,
  MARK_PIXELS,
  markMiddle,
  type Layout,
  type LanePlace,
} from "./layout.js";
import { firstFrom, type Mark, type Seen } from "./visible.js";
import type { Entry, Scene } from "./scene.js";

/** What was hit: a thing, or the first of so many that stand together. */
export interface Hit {
  readonly entry: Entry;
  readonly count: number;
}

/** A place in pixels; what is hit is told by that from the left edge of the stretch and the top of the first lane. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A mark is hit so far from its middle. */
const NEAR_PIXELS = 7;

/** The thing at a place; undefined where there is none. */
export function entryAt(scene: Scene, seen: Seen, layout: Layout, point: Point): Hit | undefined {
  const { first: lane } = lanesBetween(layout, point.y, point.y + 1);
  const place = layout.places[lane];
  if (place === undefined || place.top > point.y) return undefined;
  return (
    markAt(scene, seen, layout, { ...point, lane, place }) ?? stretchAt(scene, seen, layout, { ...point, lane, place })
  );
}

interface LanePoint extends Point {
  readonly lane: number;
  readonly place: LanePlace;
}

function markAt(scene: Scene, { marks }: Seen, layout: Layout, { x, y, lane, place }: LanePoint): Hit | undefined {
  let nearest: Mark | undefined;
  let least = NEAR_PIXELS;
  for (const mark of marks) {
    if (mark.lane !== lane || Math.abs(markMiddle(layout, place, mark.kind) - y) > MARK_PIXELS / 2) continue;
    const distance = Math.abs(mark.x - x);
    if (distance >= least) continue;
    nearest = mark;
    least = distance;
  }
  if (nearest === undefined) return undefined;
  const time = scene.arrows[nearest.arrow]?.time ?? 0;
  return { entry: { kind: "arrow", index: nearest.arrow, time }, count: nearest.count };
}

function stretchAt(
  scene: Scene,
  { brackets, bars }: Seen,
  layout: Layout,
  { x, y, lane, place }: LanePoint,
): Hit | undefined {
  if (layout.height !== "tall") return undefined;
  const covers = (from: number, to: number): boolean => x >= from - 2 && x <= to + 2;
  const row = Math.floor((y - place.bracketsTop) / BRACKET_PIXELS);
  const bracket = brackets.find(
    (each) => each.bracket.lane === lane && each.bracket.row === row && covers(each.x, each.endX),
  );
  if (bracket !== undefined && y < place.barsTop) {
    const { start, end = start } = bracket.bracket;
    return { entry: { kind: "bracket", index: bracket.index, time: end }, count: bracket.count };
  }
  const barRow = Math.floor((y - place.barsTop) / BAR_PIXELS);
  if (y - place.barsTop - barRow * BAR_PIXELS > barHeight(layout)) return undefined;
  const bar = bars.findLast((each) => each.bar.lane === lane && each.bar.row === barRow && covers(each.x, each.endX));
  const time = bar === undefined ? undefined : scene.bars[bar.index]?.from;
  return bar === undefined || time === undefined
    ? undefined
    : { entry: { kind: "bar", index: bar.index, time }, count: bar.count };
}

/** The place of an entry among all of its scene; -1 where it is none of them. */
export function placeOfEntry({ entries }: Scene, { kind, index, time }: Entry): number {
  const timeAt = (place: number): number => entries[place]?.time ?? 0;
  for (let place = firstFrom(entries.length, timeAt, time); place < entries.length; place++) {
    const entry = entries[place];
    if (entry === undefined || entry.time > time) return -1;
    if (entry.kind === kind && entry.index === index) return place;
  }
  return -1;
}
