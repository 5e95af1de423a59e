/**
 * A scene: what is drawn of a stretch of time, as lanes with arrows, brackets and bars.
 *
 * Owns what becomes what. A request is an arrow from its lane to the store, an event one from the store to its lane; a transaction is a
 * bracket in the lane of its connection; a device's states are bars in the lane of its machine, a row for each end. Nothing here knows of
 * pixels.
 */
import type { Span } from "../timeline/density-scale.js";
import { aboutDomain, courseAbout, domainOfPath, domainsOf } from "./about-domain.js";
import type { Course, Happening, Transaction } from "./happenings.js";
import { lanesFor, type Lane, type LaneMode, type Lanes } from "./lanes.js";
import type { Recording } from "./recording.js";
import { lowestStates, stateStretches, type LowestState, type StateStretch } from "./state-bars.js";
import { changesStore } from "./told-request.js";

/** What kind of arrow it is, by place in this list. To fail is common, for programs look for what may be there; EAGAIN is a kind of its own. */
export const ARROW_KINDS = ["change", "read", "event", "failed", "conflict"] as const;

/** The kind of an arrow. */
export type ArrowKind = (typeof ARROW_KINDS)[number];

/** A request or an event. */
export interface Arrow extends Happening {
  readonly lane: number;
  readonly arrow: ArrowKind;
}

/** A transaction. */
export interface Bracket extends Transaction {
  readonly lane: number;
  /** Brackets of one lane that overlap have rows of their own, as far as there are rows. */
  readonly row: number;
}

/** A state. */
export interface StateBar extends StateStretch {
  readonly lane: number;
  /** A row for each end. */
  readonly row: number;
}

/** A lane with what it has rows for. */
export interface SceneLane extends Lane {
  readonly bracketRows: number;
  /** For each row of bars what it is, such as `vif/0 backend`. */
  readonly ends: readonly string[];
  /** The lowest state of the devices' ends at each time. */
  readonly lowest: readonly LowestState[];
}

/** What can be chosen: a thing by its kind and its place among them. */
export interface Entry {
  readonly time: number;
  readonly kind: "arrow" | "bracket" | "bar";
  readonly index: number;
}

/** A commit. */
export interface SceneCommit {
  readonly seq: number;
  readonly time: number;
}

/** What is drawn. All lists but that of lanes are by time. */
export interface Scene {
  readonly mode: LaneMode;
  readonly lanes: readonly SceneLane[];
  readonly arrows: readonly Arrow[];
  readonly brackets: readonly Bracket[];
  readonly bars: readonly StateBar[];
  readonly entries: readonly Entry[];
  /** The commits that the arrows made. */
  readonly commits: readonly SceneCommit[];
  readonly gaps: Course["gaps"];
  /** The time of the first, and of the last. */
  readonly from: number;
  readonly to: number;
  /** Of each arrow, for what goes through all of them. */
  readonly columns: ArrowColumns;
}

/** Arrows as columns of numbers. */
export interface ArrowColumns {
  readonly times: Float64Array;
  readonly lanes: Uint16Array;
  /** Places in `ARROW_KINDS`. */
  readonly kinds: Uint8Array;
  readonly counts: Uint32Array;
}

/** What is to be drawn. */
export interface SceneChoice {
  /** Only what is about this domain. */
  readonly domain?: number | undefined;
  /** As there is room unless given. */
  readonly mode?: LaneMode | undefined;
}

/** Most rows of brackets of a lane; what does not fit stands in the last. */
const BRACKET_ROWS_MAX = 4;

/** Makes the scene of a recording. @param course - that of the recording */
export function sceneOf(recording: Recording, course: Course, { domain, mode }: SceneChoice): Scene {
  const { commits } = recording;
  const about = domain === undefined ? undefined : aboutDomain(domain, commits);
  const { happenings, transactions, gaps } = about === undefined ? course : courseAbout(course, about);
  const start = happenings[0]?.time ?? 0;
  const stretches = stateStretches(commits, start).filter(({ path }) => about === undefined || about.path(path));
  // With a domain chosen it is about its actors.
  const lanes = lanesFor(happenings, new Set(stretches.map((stretch) => stretch.domain)), mode ?? (about && "actor"));
  const arrows = happenings.map((happening) => ({
    ...happening,
    lane: lanes.laneOf(happening),
    arrow: kindOf(happening),
  }));
  const brackets = bracketsOf(transactions, lanes);
  const { bars, ends } = barsOf(stretches, lanes);
  const entries = entriesOf(arrows, brackets, bars);
  return {
    mode: lanes.mode,
    lanes: lanes.lanes.map((lane, place) => ({
      ...lane,
      bracketRows: rowsOf(brackets, place),
      ends: ends[place] ?? [],
      lowest: lowestStates(talkingEnds(bars.filter((each) => each.lane === place))),
    })),
    ...{ arrows, brackets, bars, entries, gaps },
    commits: commitsOf(arrows),
    from: entries[0]?.time ?? 0,
    to: lastTimeOf(entries, brackets),
    columns: columnsOf(arrows),
  };
}

/** The domains that can be chosen, by their numbers: all but dom0. */
export function domainsIn({ commits }: Recording, course: Course): readonly number[] {
  const domains = new Set(domainsOf(course));
  for (const { changes } of commits) for (const { path } of changes) domains.add(domainOfPath(path) ?? 0);
  return [...domains].filter((domain) => domain !== 0).sort((left, right) => left - right);
}

/** The transaction that a request was in. */
export function bracketEntryOf({ brackets }: Scene, { connection, tx, time }: Arrow): Entry | undefined {
  if (tx === undefined) return undefined;
  const index = brackets.findIndex(
    ({ id, connection: of, start, end = Infinity }) => id === tx && of === connection && start <= time && time <= end,
  );
  const bracket = brackets[index];
  return bracket === undefined ? undefined : { kind: "bracket", index, time: bracket.end ?? bracket.start };
}

/** The names of machines, by domain. */
export function machineNames(commits: Recording["commits"]): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const { changes } of commits) {
    for (const { path, after = "" } of changes) {
      const [, domain] = path.endsWith("/name") ? (NAME_NODE.exec(path) ?? []) : [];
      if (domain !== undefined && after !== "") names.set(Number(domain), after);
    }
  }
  return names;
}

const NAME_NODE = /^\/local\/domain\/(\d+)\/name$/;

/** The whole of a scene as a stretch that can be looked at, with a little room at both sides. */
export function wholeOf({ from, to }: Pick<Scene, "from" | "to">): Span {
  const room = Math.max(ROOM_MICROSECONDS, (to - from) * ROOM_SHARE);
  return { from: Math.floor(from - room), to: Math.ceil(to + room) };
}

const ROOM_MICROSECONDS = 100;
const ROOM_SHARE = 0.02;

function kindOf({ kind, operation, seq, error }: Happening): ArrowKind {
  if (kind === "event") return "event";
  if (error === "EAGAIN") return "conflict";
  if (error !== undefined) return "failed";
  return changesStore(operation) || seq !== undefined ? "change" : "read";
}

function bracketsOf(transactions: readonly Transaction[], lanes: Lanes): readonly Bracket[] {
  const rowEnds = new Map<number, number[]>();
  return transactions.map((transaction) => {
    const lane = lanes.laneOf(transaction);
    const ends = rowEnds.get(lane) ?? [];
    rowEnds.set(lane, ends);
    const free = ends.findIndex((end) => end <= transaction.start);
    const row = free === -1 ? Math.min(ends.length, BRACKET_ROWS_MAX - 1) : free;
    ends[row] = Math.max(ends[row] ?? 0, transaction.end ?? Infinity);
    return { ...transaction, lane, row };
  });
}

function rowsOf(brackets: readonly Bracket[], lane: number): number {
  let rows = 0;
  for (const bracket of brackets) if (bracket.lane === lane) rows = Math.max(rows, bracket.row + 1);
  return rows;
}

/** Those whose other end has states, too: what nobody waits for, as the console's backend, stays as it was made. */
function talkingEnds(bars: readonly StateBar[]): readonly StateBar[] {
  const ends = new Set(bars.map(endName));
  return bars.filter(
    ({ device }) => ends.has(endName({ device, end: "frontend" })) && ends.has(endName({ device, end: "backend" })),
  );
}

interface Bars {
  readonly bars: readonly StateBar[];
  /** For each lane. */
  readonly ends: readonly (readonly string[])[];
}

function barsOf(stretches: readonly StateStretch[], lanes: Lanes): Bars {
  const ends = lanes.lanes.map((): string[] => []);
  const named = stretches.map((stretch) => ({
    stretch,
    lane: lanes.laneOfDomain(stretch.domain),
    name: endName(stretch),
  }));
  for (const { lane, name } of named) if (ends[lane]?.includes(name) === false) ends[lane].push(name);
  for (const each of ends) each.sort();
  const bars = named.map(({ stretch, lane, name }) => ({ ...stretch, lane, row: ends[lane]?.indexOf(name) ?? 0 }));
  return { bars: bars.filter(({ lane }) => lane >= 0), ends };
}

/** A device's end as its row is called. */
export function endName({ device, end }: Pick<StateStretch, "device" | "end">): string {
  return `${device} ${end}`;
}

/** All that can be chosen, by time. A transaction stands where it ended, and an open one where it began. */
function entriesOf(
  arrows: readonly Arrow[],
  brackets: readonly Bracket[],
  bars: readonly StateBar[],
): readonly Entry[] {
  const entries: Entry[] = [
    ...arrows.map(({ time }, index) => ({ time, kind: "arrow", index }) as const),
    ...brackets.map(({ start, end = start }, index) => ({ time: end, kind: "bracket", index }) as const),
    ...bars.map(({ from }, index) => ({ time: from, kind: "bar", index }) as const),
  ];
  return entries.sort((left, right) => left.time - right.time);
}

function commitsOf(arrows: readonly Arrow[]): readonly SceneCommit[] {
  const times = new Map<number, number>();
  // Where a transaction's requests are told at its end, each has its commit.
  for (const { seq, time } of arrows) if (seq !== undefined && !times.has(seq)) times.set(seq, time);
  return [...times].map(([seq, time]) => ({ seq, time }));
}

function lastTimeOf(entries: readonly Entry[], brackets: readonly Bracket[]): number {
  let last = entries.at(-1)?.time ?? 0;
  for (const { end = 0 } of brackets) last = Math.max(last, end);
  return last;
}

function columnsOf(arrows: readonly Arrow[]): ArrowColumns {
  const numbers = arrows.map(({ arrow }) => ARROW_KINDS.indexOf(arrow));
  return {
    times: Float64Array.from(arrows, ({ time }) => time),
    lanes: Uint16Array.from(arrows, ({ lane }) => lane),
    kinds: Uint8Array.from(numbers),
    counts: Uint32Array.from(arrows, ({ count }) => count),
  };
}
