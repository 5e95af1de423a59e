/**
 * What of a scene is drawn for a stretch of time and a width.
 *
 * Owns the level of detail. Arrows of one lane and kind that would stand in one column of marks become one mark with their count, so that no
 * more is drawn than can be told apart, however much happened; so do brackets and bars that are narrower than they can be drawn. Counts are
 * never lost: those of all marks together are those of the arrows in the stretch.
 */
import type { Span } from "../timeline/density-scale.js";
import { ARROW_KINDS, type ArrowKind, type Bracket, type Scene, type StateBar } from "./scene.js";
import type { LowestState } from "./state-bars.js";

/** A column of marks: as wide as a mark. */
export const COLUMN_PIXELS = 8;

/** Narrower brackets and bars are drawn together. */
const NARROW_PIXELS = 3;

/** What is looked at. */
export interface Sight extends Span {
  /** In pixels; times are spread over it. */
  readonly width: number;
  /** The first lane, and the one behind the last. */
  readonly first: number;
  readonly end: number;
  /** Whether all arrows but EAGAINs are of one kind. */
  readonly isMerged: boolean;
}

/** One arrow, or more that stand together. */
export interface Mark {
  readonly lane: number;
  /** That of the first where kinds are merged. */
  readonly kind: ArrowKind;
  /** Of its middle. */
  readonly x: number;
  readonly count: number;
  /** The first arrow's place in the scene, and how many arrows it stands for, all in one column. */
  readonly arrow: number;
  readonly arrows: number;
}

/** One bracket, or more that stand together. */
export interface SeenBracket {
  readonly bracket: Bracket;
  /** Its place in the scene. */
  readonly index: number;
  readonly x: number;
  readonly endX: number;
  readonly count: number;
  /** Whether one of them ended in EAGAIN or failed. */
  readonly hasFailed: boolean;
}

/** One bar, or more that stand together. */
export interface SeenBar {
  readonly bar: StateBar;
  /** Its place in the scene. */
  readonly index: number;
  readonly x: number;
  readonly endX: number;
  readonly count: number;
}

/** The lowest state of a lane. */
export interface SeenLowest {
  readonly lane: number;
  readonly lowest: LowestState;
  readonly x: number;
  readonly endX: number;
}

/** Commits that stand together in the store's row. */
export interface SeenCommits {
  readonly x: number;
  readonly count: number;
  /** The first of them. */
  readonly seq: number;
}

/** What is drawn. */
export interface Seen {
  readonly marks: readonly Mark[];
  readonly brackets: readonly SeenBracket[];
  readonly bars: readonly SeenBar[];
  readonly lowest: readonly SeenLowest[];
  readonly commits: readonly SeenCommits[];
}

/** Looks at a scene. */
export function visible(scene: Scene, sight: Sight): Seen {
  return {
    marks: marksOf(scene, sight),
    brackets: bracketsOf(scene, sight),
    bars: barsOf(scene, sight),
    lowest: lowestOf(scene, sight),
    commits: commitsOf(scene, sight),
  };
}

/** The place of the first arrow, or entry, that is not before a time. */
export function firstFrom(count: number, timeAt: (index: number) => number, time: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timeAt(middle) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where a time stands, in pixels from the left edge of the stretch. */
export function xOf({ from, to, width }: Pick<Sight, "from" | "to" | "width">, time: number): number {
  return to > from ? ((time - from) / (to - from)) * width : width / 2;
}

/** The arrows of a stretch: the first, and the one behind the last. */
function arrowsIn({ columns }: Scene, { from, to }: Span): { readonly first: number; readonly end: number } {
  const { times } = columns;
  const timeAt = (index: number): number => times[index] ?? 0;
  // What stands at the end itself is seen, too.
  let end = firstFrom(times.length, timeAt, to);
  while (end < times.length && timeAt(end) === to) end++;
  return { first: firstFrom(times.length, timeAt, from), end };
}

const CONFLICT = ARROW_KINDS.indexOf("conflict");

function rowOf({ isMerged }: Sight, kind: number): number {
  return isMerged && kind !== CONFLICT ? 0 : kind;
}

function marksOf(scene: Scene, sight: Sight): readonly Mark[] {
  const columnCount = Math.max(1, Math.ceil(sight.width / COLUMN_PIXELS) + 1);
  const kindCount = ARROW_KINDS.length;
  const cells = Math.max(0, sight.end - sight.first) * kindCount * columnCount;
  const counts = new Uint32Array(cells);
  const arrows = new Uint32Array(cells);
  const firsts = new Uint32Array(cells);
  const { times, lanes, kinds, counts: weights } = scene.columns;
  const { first, end } = arrowsIn(scene, sight);
  const scale = columnScale(sight);
  for (let index = first; index < end; index++) {
    const lane = (lanes[index] ?? 0) - sight.first;
    if (lane < 0 || lane >= sight.end - sight.first) continue;
    const kind = kinds[index] ?? 0;
    const row = rowOf(sight, kind);
    const column = Math.floor(((times[index] ?? 0) - sight.from) * scale);
    const cell = (lane * kindCount + row) * columnCount + column;
    if (arrows[cell] === 0) firsts[cell] = index;
    arrows[cell] = (arrows[cell] ?? 0) + 1;
    counts[cell] = (counts[cell] ?? 0) + (weights[index] ?? 1);
  }
  const marks: Mark[] = [];
  for (let cell = 0; cell < cells; cell++) {
    const count = counts[cell] ?? 0;
    if (count === 0) continue;
    const arrow = firsts[cell] ?? 0;
    const column = cell % columnCount;
    const isOne = arrows[cell] === 1;
    marks.push({
      lane: lanes[arrow] ?? 0,
      kind: ARROW_KINDS[kinds[arrow] ?? 0] ?? "read",
      x: isOne ? xOf(sight, times[arrow] ?? 0) : (column + 0.5) * COLUMN_PIXELS,
      ...{ count, arrow, arrows: arrows[cell] ?? 0 },
    });
  }
  return marks;
}

/** The mark that stands for an arrow; undefined where it is not seen. */
export function markOf(marks: readonly Mark[], { columns }: Scene, sight: Sight, arrow: number): Mark | undefined {
  const [lane, kind] = [columns.lanes[arrow], columns.kinds[arrow] ?? 0];
  const column = columnOf(sight, columns.times[arrow] ?? 0);
  const row = rowOf(sight, kind);
  return marks.find((mark) => {
    const markRow = rowOf(sight, columns.kinds[mark.arrow] ?? 0);
    return mark.lane === lane && markRow === row && columnOf(sight, columns.times[mark.arrow] ?? 0) === column;
  });
}

/** Columns in a microsecond. */
function columnScale({ from, to, width }: Sight): number {
  return to > from ? width / (to - from) / COLUMN_PIXELS : 0;
}

function columnOf(sight: Sight, time: number): number {
  return Math.floor((time - sight.from) * columnScale(sight));
}

function bracketsOf(scene: Scene, sight: Sight): readonly SeenBracket[] {
  const seen: SeenBracket[] = [];
  /** The last one of each row that was too narrow. */
  const narrow = new Map<number, number>();
  for (const [index, bracket] of scene.brackets.entries()) {
    const { lane, row, start, end = Infinity, outcome } = bracket;
    if (start > sight.to) break;
    if (end < sight.from || lane < sight.first || lane >= sight.end) continue;
    const [x, endX] = [xOf(sight, start), Math.min(xOf(sight, end), sight.width * 2)];
    const hasFailed = outcome === "EAGAIN" || outcome === "failed";
    const key = lane * ROWS_MAX + row;
    const at = narrow.get(key);
    const before = at === undefined ? undefined : seen[at];
    if (at !== undefined && before !== undefined && endX - before.x < NARROW_PIXELS) {
      seen[at] = {
        ...before,
        endX: Math.max(endX, before.endX),
        count: before.count + 1,
        hasFailed: before.hasFailed || hasFailed,
      };
      continue;
    }
    if (endX - x < NARROW_PIXELS) narrow.set(key, seen.length);
    else narrow.delete(key);
    seen.push({ bracket, index, x, endX, count: 1, hasFailed });
  }
  return seen;
}

/** More rows than any lane has. */
const ROWS_MAX = 1024;

function barsOf(scene: Scene, sight: Sight): readonly SeenBar[] {
  if (sight.isMerged) return [];
  const seen: SeenBar[] = [];
  const narrow = new Map<number, number>();
  for (const [index, bar] of scene.bars.entries()) {
    const { lane, row, from, to = Infinity } = bar;
    if (from > sight.to) break;
    if (to < sight.from || lane < sight.first || lane >= sight.end) continue;
    const [x, endX] = [xOf(sight, from), Math.min(xOf(sight, to), sight.width)];
    const key = lane * ROWS_MAX + row;
    const at = narrow.get(key);
    const before = at === undefined ? undefined : seen[at];
    if (at !== undefined && before !== undefined && endX - before.x < NARROW_PIXELS) {
      seen[at] = { ...before, bar, index, endX, count: before.count + 1 };
      continue;
    }
    if (endX - x < NARROW_PIXELS) narrow.set(key, seen.length);
    else narrow.delete(key);
    seen.push({ bar, index, x, endX, count: 1 });
  }
  return seen;
}

function lowestOf(scene: Scene, sight: Sight): readonly SeenLowest[] {
  if (!sight.isMerged) return [];
  const seen: SeenLowest[] = [];
  for (let lane = sight.first; lane < sight.end; lane++) {
    for (const lowest of scene.lanes[lane]?.lowest ?? []) {
      const { from, to = Infinity } = lowest;
      if (from > sight.to || to < sight.from) continue;
      seen.push({ lane, lowest, x: xOf(sight, from), endX: Math.min(xOf(sight, to), sight.width) });
    }
  }
  return seen;
}

/** Commits of all lanes: the store is one. */
function commitsOf({ commits }: Scene, sight: Sight): readonly SeenCommits[] {
  const columns = new Map<number, { count: number; seq: number; time: number }>();
  const scale = columnScale(sight);
  for (
    let index = firstFrom(commits.length, (at) => commits[at]?.time ?? 0, sight.from);
    index < commits.length;
    index++
  ) {
    const commit = commits[index];
    if (commit === undefined || commit.time > sight.to) break;
    const column = Math.floor((commit.time - sight.from) * scale);
    const known = columns.get(column);
    if (known === undefined) columns.set(column, { count: 1, ...commit });
    else known.count++;
  }
  return [...columns].map(([column, { count, seq, time }]) => {
    return { count, seq, x: count === 1 ? xOf(sight, time) : (column + 0.5) * COLUMN_PIXELS };
  });
}
