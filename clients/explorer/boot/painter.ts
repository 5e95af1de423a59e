/**
 * Paints what is seen of a scene.
 *
 * Owns shapes and colours, of which each says what the other says. The time axis, the store's row and the column of names stand still while
 * lanes move below them, so they are painted last.
 */
import { ticksOf } from "./axis.js";
import { stateInWords } from "./entry-words.js";
import {
  AXIS_PIXELS,
  BAR_PIXELS,
  barHeight,
  BRACKET_PIXELS,
  GUTTER_PIXELS,
  HEAD_PIXELS,
  MARK_PIXELS,
  markMiddle,
  STORE_PIXELS,
  type LanePlace,
  type Layout,
} from "./layout.js";
import type { Palette } from "./palette.js";
import { ARROW_KINDS, type ArrowKind, type Entry, type Scene } from "./scene.js";
import { xOf, type Mark, type Seen, type SeenBar, type SeenBracket, type Sight } from "./visible.js";

/** What is to be painted, and where. */
export interface Painting {
  readonly context: CanvasRenderingContext2D;
  /** Of the whole picture. */
  readonly width: number;
  readonly height: number;
  readonly scene: Scene;
  readonly sight: Sight;
  readonly seen: Seen;
  readonly layout: Layout;
  /** How far lanes have moved up. */
  readonly scrollTop: number;
  readonly palette: Palette;
  readonly selected: Entry | undefined;
  /** The mark that stands for the selected arrow. */
  readonly selectedMark: Mark | undefined;
  /** What the time axis counts from. */
  readonly origin: number;
  /** Moments that have something to say. */
  readonly moments: readonly NamedMoment[];
}

/** A moment with its name. */
export interface NamedMoment {
  readonly time: number;
  readonly name: string;
}

const FONT = "11px system-ui, sans-serif";
const SMALL_FONT = "10px system-ui, sans-serif";
const CHARACTER_PIXELS = 6;
/** With more marks than this, stems would hide each other. */
const STEMS_MAX = 240;
const TICK_PIXELS = 110;
const LABEL_PIXELS = 44;
const MARK_RADIUS = 4;

/** Paints all of it. */
export function paint(painting: Painting): void {
  const { context, width, height, palette, scrollTop } = painting;
  context.fillStyle = palette.background;
  context.fillRect(0, 0, width, height);
  context.textBaseline = "middle";
  context.save();
  context.beginPath();
  context.rect(GUTTER_PIXELS, HEAD_PIXELS, width - GUTTER_PIXELS, height - HEAD_PIXELS);
  context.clip();
  context.translate(GUTTER_PIXELS, HEAD_PIXELS - scrollTop);
  paintGrid(painting);
  for (const bar of painting.seen.bars) paintBar(painting, bar);
  paintLowest(painting);
  paintStems(painting);
  for (const bracket of painting.seen.brackets) paintBracket(painting, bracket);
  for (const mark of painting.seen.marks) paintMark(painting, mark);
  context.restore();
  paintNames(painting);
  paintHead(painting);
  paintMoments(painting);
}

function placeOf({ layout }: Painting, lane: number): LanePlace {
  return layout.places[lane] ?? { top: 0, height: 0, bracketsTop: 0, barsTop: 0 };
}

function ticks({ origin, sight }: Painting): ReturnType<typeof ticksOf> {
  return ticksOf(sight, origin, Math.max(1, Math.floor(sight.width / TICK_PIXELS)));
}

function paintGrid(painting: Painting): void {
  const { context, sight, palette, layout, width } = painting;
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.globalAlpha = 0.5;
  context.beginPath();
  for (const { time } of ticks(painting)) {
    const x = Math.round(xOf(sight, time)) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, layout.total);
  }
  if (layout.height !== "thin") {
    for (let lane = sight.first; lane < sight.end; lane++) {
      const { top, height } = placeOf(painting, lane);
      context.moveTo(0, top + height - 0.5);
      context.lineTo(width, top + height - 0.5);
    }
  }
  context.stroke();
  context.globalAlpha = 1;
}

function paintBar(painting: Painting, { bar, index, x, endX, count }: SeenBar): void {
  const { context, palette, layout, selected } = painting;
  const top = placeOf(painting, bar.lane).barsTop + bar.row * BAR_PIXELS;
  const height = barHeight(layout);
  const left = Math.max(0, x);
  const isSelected = selected?.kind === "bar" && selected.index === index;
  stateBox(painting, { state: bar.state, left, width: Math.max(2, endX - left), top, height });
  if (count > 1) {
    // More states than can be told apart stand here.
    context.fillStyle = palette.text;
    context.fillRect(left, top + height / 2 - 1, 2, 2);
  }
  if (!isSelected) return;
  context.strokeStyle = palette.text;
  context.lineWidth = 2;
  context.strokeRect(left, top, Math.max(2, endX - left), height);
}

interface StateBox {
  readonly state: string;
  readonly left: number;
  readonly width: number;
  readonly top: number;
  readonly height: number;
}

/** A state's box, with its number and its name as far as there is room. */
function stateBox({ context, palette }: Painting, { state, left, width, top, height }: StateBox): void {
  context.fillStyle = palette.states[Number(state)] ?? palette.raised;
  context.fillRect(left, top, width, height);
  if (height < SMALL_TEXT_PIXELS) return;
  context.strokeStyle = palette.background;
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, top + 0.5, width, height - 1);
  const whole = stateInWords(state);
  const text =
    whole.length * CHARACTER_PIXELS + 6 <= width ? whole : state.length * CHARACTER_PIXELS + 2 <= width ? state : "";
  if (text === "") return;
  context.font = SMALL_FONT;
  // Only this one is too dark for dark letters.
  context.fillStyle = state === "7" ? "#ffffff" : palette.onState;
  context.fillText(text, left + 2, top + height / 2 + 0.5);
}

const SMALL_TEXT_PIXELS = 9;
/** From here on a device is connected, or goes. */
const CONNECTED = 4;

function paintLowest(painting: Painting): void {
  const { seen, layout } = painting;
  const height = barHeight(layout);
  for (const { lane, lowest, x, endX } of seen.lowest) {
    const left = Math.max(0, x);
    const share = layout.height === "thin" ? Math.min(CONNECTED, Math.max(1, Number(lowest.state))) / CONNECTED : 1;
    const shown = Number.isNaN(share) ? height : height * share;
    const top = placeOf(painting, lane).barsTop + height - shown;
    stateBox(painting, { state: lowest.state, left, width: Math.max(1, endX - left), top, height: shown });
  }
}

const DASHES: Readonly<Record<ArrowKind, number[]>> = {
  change: [],
  read: [4, 3],
  event: [1, 3],
  failed: [],
  conflict: [],
};

/** The arrows themselves, where there are few: from a request's mark up to the store, from the store down to an event's. */
function paintStems(painting: Painting): void {
  const { context, seen, layout, palette, scrollTop, selectedMark } = painting;
  const isFew = layout.height === "tall" && seen.marks.length <= STEMS_MAX;
  for (const mark of seen.marks) {
    const isSelected = mark === selectedMark;
    if ((!isFew || mark.arrows > 1) && !isSelected) continue;
    const { kind } = mark;
    const y = markMiddle(layout, placeOf(painting, mark.lane), kind);
    context.strokeStyle = palette.arrows[kind];
    context.globalAlpha = isSelected ? 1 : 0.7;
    context.lineWidth = isSelected ? 2 : 1;
    context.setLineDash(DASHES[kind]);
    context.beginPath();
    context.moveTo(mark.x, y - MARK_RADIUS);
    context.lineTo(mark.x, scrollTop);
    context.stroke();
    context.setLineDash([]);
    if (kind !== "event") paintHeadOfArrow(context, mark.x, scrollTop);
  }
  context.globalAlpha = 1;
}

/** The tip of an arrow that ends at the store. */
function paintHeadOfArrow(context: CanvasRenderingContext2D, x: number, y: number): void {
  context.beginPath();
  context.moveTo(x - 3, y + 5);
  context.lineTo(x, y);
  context.lineTo(x + 3, y + 5);
  context.stroke();
}

function paintBracket(painting: Painting, { bracket, index, x, endX, count, hasFailed }: SeenBracket): void {
  const { context, palette, layout, sight, selected } = painting;
  if (layout.height !== "tall") return;
  const y = placeOf(painting, bracket.lane).bracketsTop + bracket.row * BRACKET_PIXELS + BRACKET_PIXELS / 2;
  const isSelected = selected?.kind === "bracket" && selected.index === index;
  const half = BRACKET_PIXELS / 2 - 1;
  context.strokeStyle = hasFailed ? palette.bad : palette.text;
  context.lineWidth = isSelected ? 3 : count > 1 ? 2 : 1.25;
  context.beginPath();
  context.moveTo(x, y - half);
  context.lineTo(x, y + half);
  if (bracket.outcome !== "open") {
    context.moveTo(endX, y - half);
    context.lineTo(endX, y + half);
  }
  context.stroke();
  context.setLineDash(bracket.isStartKnown ? [] : [3, 2]);
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(Math.max(endX, x + 1), y);
  context.stroke();
  context.setLineDash([]);
  if (hasFailed) paintShape(context, "conflict", endX, y);
  else if (bracket.outcome === "aborted") paintRing(context, endX, y);
  if (bracket.baseTime === undefined || bracket.base === undefined) return;
  const baseX = xOf(sight, bracket.baseTime);
  // The base: a dot where that commit was made, and the way from there to the begin.
  context.fillStyle = context.strokeStyle;
  context.beginPath();
  context.arc(baseX, y, 2, 0, 2 * Math.PI);
  context.fill();
  context.setLineDash([1, 3]);
  context.strokeStyle = palette.muted;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(baseX, y);
  context.lineTo(x, y);
  context.stroke();
  context.setLineDash([]);
  paintBracketName(painting, bracket.base, { x, endX, y, id: bracket.id });
}

interface BracketName {
  readonly x: number;
  readonly endX: number;
  readonly y: number;
  readonly id: number;
}

function paintBracketName({ context, palette, sight }: Painting, base: number, { x, endX, y, id }: BracketName): void {
  const text = `T${String(id)} on ${String(base)}`;
  const length = text.length * CHARACTER_PIXELS;
  const [left, right] = [Math.max(x, 0), Math.min(endX, sight.width)];
  if (right - left < length + 16) return;
  context.font = SMALL_FONT;
  context.fillStyle = palette.background;
  context.fillRect(left + 5, y - 5, length, BRACKET_PIXELS);
  context.fillStyle = palette.text;
  context.fillText(text, left + 7, y + 0.5);
}

function paintMark(painting: Painting, mark: Mark): void {
  const { context, palette, layout, selectedMark } = painting;
  const { kind, count, x } = mark;
  const y = markMiddle(layout, placeOf(painting, mark.lane), kind);
  // What stands together in a lane that is not tall may be of any kind.
  const isMixed = layout.height !== "tall" && mark.arrows > 1 && kind !== "conflict";
  context.fillStyle = context.strokeStyle = isMixed ? palette.muted : palette.arrows[kind];
  context.lineWidth = 1.5;
  if (layout.height === "thin") {
    if (kind === "conflict") paintCross(context, x, y, 1.5, 2.5);
    else {
      context.fillStyle = palette.text;
      context.fillRect(x - 0.5, y - 1, 1.5, 2);
    }
  } else if (kind === "conflict") paintShape(context, kind, x, y);
  else if (mark.arrows > 1) {
    // How many: the height counts digits.
    const height = Math.min(MARK_PIXELS - 1, 3 + Math.log10(count) * 4);
    const bottom = y + MARK_PIXELS / 2 - 1;
    const isHollow = !isMixed && (kind === "read" || kind === "failed");
    if (isHollow) context.strokeRect(x - 2.5, bottom - height + 0.75, 5, height - 1.5);
    else context.fillRect(x - 3, bottom - height, 6, height);
  } else paintShape(context, kind, x, y);
  if (mark !== selectedMark) return;
  context.strokeStyle = palette.text;
  context.lineWidth = 1.5;
  context.strokeRect(x - MARK_RADIUS - 2, y - MARK_RADIUS - 2, 2 * MARK_RADIUS + 4, 2 * MARK_RADIUS + 4);
}

function paintShape(context: CanvasRenderingContext2D, kind: ArrowKind, x: number, y: number): void {
  if (kind === "read") {
    paintRing(context, x, y);
    return;
  }
  if (kind === "failed" || kind === "conflict") {
    paintCross(context, x, y, 1.5, MARK_RADIUS - 1);
    // The cross in a box is EAGAIN.
    if (kind === "conflict") context.strokeRect(x - MARK_RADIUS, y - MARK_RADIUS, 2 * MARK_RADIUS, 2 * MARK_RADIUS);
    return;
  }
  const way = kind === "event" ? 1 : -1;
  context.beginPath();
  context.moveTo(x, y + way * MARK_RADIUS);
  context.lineTo(x - MARK_RADIUS, y - way * MARK_RADIUS);
  context.lineTo(x + MARK_RADIUS, y - way * MARK_RADIUS);
  context.fill();
}

function paintRing(context: CanvasRenderingContext2D, x: number, y: number): void {
  context.beginPath();
  context.arc(x, y, MARK_RADIUS - 1, 0, 2 * Math.PI);
  context.stroke();
}

function paintCross(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  radius = MARK_RADIUS,
): void {
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(x - radius, y - radius);
  context.lineTo(x + radius, y + radius);
  context.moveTo(x - radius, y + radius);
  context.lineTo(x + radius, y - radius);
  context.stroke();
}

function paintNames(painting: Painting): void {
  const { context, palette, layout, scene, sight, scrollTop, height } = painting;
  context.fillStyle = palette.background;
  context.fillRect(0, HEAD_PIXELS, GUTTER_PIXELS, height - HEAD_PIXELS);
  context.save();
  context.beginPath();
  context.rect(0, HEAD_PIXELS, GUTTER_PIXELS, height - HEAD_PIXELS);
  context.clip();
  context.translate(0, HEAD_PIXELS - scrollTop);
  for (let index = sight.first; index < sight.end; index++) {
    const lane = scene.lanes[index];
    const place = placeOf(painting, index);
    // Thin lanes have no room for all names.
    if (lane === undefined || (layout.height === "thin" && index % NAMED_THIN_LANES !== 0)) continue;
    const middle =
      layout.height === "tall" ? place.top + 4 + MARK_PIXELS : Math.max(6, place.top + Math.min(place.height, 24) / 2);
    context.font = layout.height === "thin" ? SMALL_FONT : FONT;
    context.fillStyle = palette.text;
    context.fillText(lane.title, 8, middle, GUTTER_PIXELS - 26);
    if (layout.height !== "tall") continue;
    for (const kind of ARROW_KINDS) {
      context.fillStyle = context.strokeStyle = palette.arrows[kind];
      context.lineWidth = 1.5;
      const y = markMiddle(layout, place, kind);
      if (kind !== "conflict") paintShape(context, kind, GUTTER_PIXELS - 9, y);
    }
    context.font = SMALL_FONT;
    context.fillStyle = palette.muted;
    for (const [row, end] of lane.ends.entries()) {
      context.fillText(end, 20, place.barsTop + row * BAR_PIXELS + barHeight(layout) / 2 + 0.5, GUTTER_PIXELS - 26);
    }
  }
  context.restore();
  context.fillStyle = palette.line;
  context.fillRect(GUTTER_PIXELS - 1, 0, 1, height);
}

const NAMED_THIN_LANES = 3;

/** The time axis, and the store with its commits. */
function paintHead(painting: Painting): void {
  const { context, width, palette, sight, seen } = painting;
  context.fillStyle = palette.background;
  context.fillRect(0, 0, width, AXIS_PIXELS);
  context.fillStyle = palette.raised;
  context.fillRect(0, AXIS_PIXELS, width, STORE_PIXELS);
  context.fillStyle = palette.text;
  context.fillRect(0, HEAD_PIXELS - 1, width, 1);
  context.font = FONT;
  context.fillText("since the beginning", 8, AXIS_PIXELS / 2, GUTTER_PIXELS - 16);
  context.fillText("store, by commits", 8, AXIS_PIXELS + STORE_PIXELS / 2, GUTTER_PIXELS - 16);
  context.save();
  context.beginPath();
  context.rect(GUTTER_PIXELS, 0, width - GUTTER_PIXELS, HEAD_PIXELS);
  context.clip();
  context.translate(GUTTER_PIXELS, 0);
  context.fillStyle = palette.muted;
  for (const { time, label } of ticks(painting)) {
    const x = Math.round(xOf(sight, time));
    context.fillRect(x, AXIS_PIXELS - 5, 1, 5);
    context.fillText(label, x + 4, AXIS_PIXELS / 2);
  }
  let labelEnd = -Infinity;
  context.font = SMALL_FONT;
  for (const { x, count, seq } of seen.commits) {
    context.fillStyle = palette.accent;
    const height = Math.min(STORE_PIXELS - 2, 5 + Math.log10(count) * 6);
    context.fillRect(x - (count > 1 ? 3 : 0.5), HEAD_PIXELS - 1 - height, count > 1 ? 6 : 1.5, height);
    if (count > 1 || x < labelEnd) continue;
    context.fillStyle = palette.text;
    context.fillText(String(seq), x + 3, AXIS_PIXELS + 8);
    labelEnd = x + LABEL_PIXELS;
  }
  context.restore();
}

/** Named moments, and where lines of the trace are missing. */
function paintMoments({ context, sight, palette, moments, scene, height }: Painting): void {
  const line = (time: number, style: string, name: string): void => {
    const x = xOf(sight, time);
    if (x < 0 || x > sight.width) return;
    context.strokeStyle = style;
    context.lineWidth = 1.5;
    context.setLineDash([6, 3]);
    context.beginPath();
    context.moveTo(GUTTER_PIXELS + x, 0);
    context.lineTo(GUTTER_PIXELS + x, height);
    context.stroke();
    context.setLineDash([]);
    context.font = SMALL_FONT;
    const length = context.measureText(name).width;
    const left = GUTTER_PIXELS + Math.min(x + 4, sight.width - length - 4);
    context.fillStyle = palette.background;
    context.fillRect(left - 2, height - 14, length + 4, 13);
    context.fillStyle = palette.text;
    context.fillText(name, left, height - 7);
  };
  for (const { time, name } of moments) line(time, palette.text, name);
  for (const { time, dropped } of scene.gaps)
    line(time, palette.warn, `${String(dropped)} lines of the trace are missing`);
}
