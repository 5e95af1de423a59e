/**
 * Where lanes stand from top to bottom.
 *
 * Owns their heights. Tall lanes have a row for each kind of arrow, for brackets and for each device's end; low ones have one for all arrows
 * and one for the lowest state; thin ones, of which a hundred fit on a page, have both in one.
 */
import type { ArrowKind, Scene, SceneLane } from "./scene.js";

/** How high lanes are. */
export type LaneHeight = "tall" | "low" | "thin";

/** The heights, in the order in which they are offered. */
export const LANE_HEIGHTS = ["tall", "low", "thin"] as const satisfies readonly LaneHeight[];

/** The time axis and the store's row, which always stand on top. */
export const AXIS_PIXELS = 22;
export const STORE_PIXELS = 24;
/** Both. */
export const HEAD_PIXELS = AXIS_PIXELS + STORE_PIXELS;
/** The column of names, which always stands at the left. */
export const GUTTER_PIXELS = 150;
/** A row of arrows' marks. */
export const MARK_PIXELS = 11;
/** A row of brackets. */
export const BRACKET_PIXELS = 10;
/** A row of states. */
export const BAR_PIXELS = 16;

/** The rows of a tall lane. */
const MARK_ROWS: Readonly<Record<ArrowKind, number>> = { change: 0, read: 1, event: 2, failed: 3, conflict: 3 };
const MARK_ROWS_COUNT = 4;
const MARGIN_PIXELS = 4;
const LOW_BAR_PIXELS = 12;
const THIN_PIXELS = 5;
/** More lanes are low unless the reader wants it otherwise. */
const TALL_LANES_MAX = 12;

/** A lane's place, in pixels from the top of the first lane. */
export interface LanePlace {
  readonly top: number;
  readonly height: number;
  /** Where brackets and bars begin, from the top of the first lane. */
  readonly bracketsTop: number;
  readonly barsTop: number;
}

/** All places. */
export interface Layout {
  readonly height: LaneHeight;
  readonly places: readonly LanePlace[];
  readonly total: number;
}

/** Stands the lanes below each other. @param height - as it fits unless given */
export function layoutOf(scene: Pick<Scene, "lanes">, height: LaneHeight | undefined): Layout {
  const chosen = height ?? (scene.lanes.length > TALL_LANES_MAX ? "low" : "tall");
  let top = 0;
  const places = scene.lanes.map((lane) => {
    const place = placeOf(lane, chosen, top);
    top += place.height;
    return place;
  });
  return { height: chosen, places, total: top };
}

function placeOf({ bracketRows, ends }: SceneLane, height: LaneHeight, top: number): LanePlace {
  if (height === "thin") return { top, height: THIN_PIXELS, bracketsTop: top, barsTop: top };
  if (height === "low") {
    const barsTop = top + 1 + MARK_PIXELS;
    return { top, height: 1 + MARK_PIXELS + LOW_BAR_PIXELS + 1, bracketsTop: top, barsTop };
  }
  const bracketsTop = top + MARGIN_PIXELS + MARK_ROWS_COUNT * MARK_PIXELS;
  const barsTop = bracketsTop + bracketRows * BRACKET_PIXELS + 2;
  return { top, height: barsTop + ends.length * BAR_PIXELS + MARGIN_PIXELS - top, bracketsTop, barsTop };
}

/** The middle of a row of marks, from the top of the first lane. */
export function markMiddle({ height }: Layout, place: LanePlace, kind: ArrowKind): number {
  if (height === "thin") return place.top + THIN_PIXELS / 2;
  if (height === "low") return place.top + 1 + MARK_PIXELS / 2;
  return place.top + MARGIN_PIXELS + (MARK_ROWS[kind] + 0.5) * MARK_PIXELS;
}

/** The height of a bar. */
export function barHeight({ height }: Layout): number {
  return height === "tall" ? BAR_PIXELS - 2 : height === "low" ? LOW_BAR_PIXELS - 1 : THIN_PIXELS - 1;
}

/** The places of the lanes that can be seen: the first, and the one behind the last. */
export function lanesBetween(
  { places }: Layout,
  top: number,
  bottom: number,
): { readonly first: number; readonly end: number } {
  const first = places.findIndex((place) => place.top + place.height > top);
  if (first === -1) return { first: places.length, end: places.length };
  const behind = places.findIndex((place) => place.top >= bottom);
  return { first, end: behind === -1 ? places.length : behind };
}
