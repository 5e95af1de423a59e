/**
 * Entries of a scene in words, for the list, the tip at the pointer and the panel of details.
 */
import { counted, spanInWords } from "../words/times.js";
import { escaped } from "../words/values.js";
import { xenbusStateName } from "../words/xenbus.js";
import { endName, type Arrow, type ArrowKind, type Bracket, type Entry, type Scene, type StateBar } from "./scene.js";

/** The sign that each kind of arrow has in lists; what is painted has the same shape. */
export const ARROW_SIGNS: Readonly<Record<ArrowKind, string>> = {
  change: "▲",
  read: "○",
  event: "▼",
  failed: "✕",
  conflict: "⊠",
};

/** What each kind of arrow is. */
export const ARROW_WORDS: Readonly<Record<ArrowKind, string>> = {
  change: "request that changes the store",
  read: "read or other request",
  event: "watch event",
  failed: "request that failed",
  conflict: "EAGAIN, the end of a transaction that others were in the way of",
};

/** An entry as a row of a list. */
export interface EntryWords {
  readonly sign: string;
  readonly lane: string;
  readonly what: string;
  readonly isBad: boolean;
}

const VALUE_MAX = 60;

/** An entry in words. */
export function entryInWords(scene: Scene, { kind, index }: Entry): EntryWords {
  if (kind === "arrow") {
    const arrow = scene.arrows[index];
    if (arrow === undefined) return NOTHING;
    const what = arrowInWords(arrow);
    return {
      sign: ARROW_SIGNS[arrow.arrow],
      lane: laneTitle(scene, arrow.lane),
      what,
      isBad: arrow.arrow === "conflict",
    };
  }
  if (kind === "bracket") {
    const bracket = scene.brackets[index];
    if (bracket === undefined) return NOTHING;
    const isBad = bracket.outcome === "EAGAIN" || bracket.outcome === "failed";
    return { sign: "[ ]", lane: laneTitle(scene, bracket.lane), what: bracketInWords(bracket), isBad };
  }
  const bar = scene.bars[index];
  if (bar === undefined) return NOTHING;
  return { sign: "■", lane: laneTitle(scene, bar.lane), what: barInWords(bar), isBad: false };
}

const NOTHING: EntryWords = { sign: "", lane: "", what: "", isBad: false };

function laneTitle(scene: Scene, lane: number): string {
  return scene.lanes[lane]?.title ?? "";
}

/** A request or an event: `WRITE /a = "b" in transaction 3 → commit 17`. */
function arrowInWords({ operation, subject, detail, tx, seq, error, count }: Arrow): string {
  const value = detail === "" ? "" : operation === "WRITE" ? ` = "${shortened(detail)}"` : ` ${shortened(detail)}`;
  const where = tx === undefined ? "" : ` in transaction ${String(tx)}`;
  const fate = error !== undefined ? ` ✕ ${error}` : seq !== undefined ? ` → commit ${String(seq)}` : "";
  const often = count > 1 ? ` (${counted(count, "time")})` : "";
  return `${operation}${subject === "" ? "" : ` ${subject}`}${value}${where}${fate}${often}`;
}

/** A transaction: `transaction 3 of socket-17: EAGAIN, began on commit 12, took 1.2 ms`. */
function bracketInWords({ id, connection, outcome, error, seq, base, isStartKnown, start, end }: Bracket): string {
  const fates = {
    committed: seq === undefined ? "ended, and changed nothing" : `committed as ${String(seq)}`,
    EAGAIN: "⊠ EAGAIN, others had changed what it read",
    failed: `✕ failed with ${error ?? "an error"}`,
    aborted: "aborted",
    open: "still open",
  };
  const began = base === undefined ? "" : `, began on commit ${String(base)}`;
  const took = isStartKnown && end !== undefined ? `, took ${spanInWords(end - start)}` : "";
  return `transaction ${String(id)} of ${connection}: ${fates[outcome]}${began}${took}`;
}

/** A state: `vif/0 backend: 2 InitWait, for 1.2 ms`. */
function barInWords(bar: StateBar): string {
  const lasted = bar.to === undefined ? ", and lasts on" : `, for ${spanInWords(bar.to - bar.from)}`;
  const since = bar.seq === undefined ? " since before this" : "";
  return `${endName(bar)}: ${stateInWords(bar.state)}${since}${lasted}`;
}

/** A state's number with its name: `2 InitWait`. */
export function stateInWords(state: string): string {
  const name = xenbusStateName(state);
  return name === undefined ? `"${shortened(state)}"` : `${state} ${name}`;
}

/** A time as it is counted from a beginning, to the microsecond: `+1.250000 s`. */
export function offsetInWords(microseconds: number): string {
  return `${microseconds < 0 ? "−" : "+"}${exactly(Math.abs(microseconds))}`;
}

function exactly(microseconds: number): string {
  if (microseconds >= MICROSECONDS_PER_SECOND) return `${(microseconds / MICROSECONDS_PER_SECOND).toFixed(6)} s`;
  if (microseconds < MICROSECONDS_PER_MILLISECOND) return `${String(microseconds)} µs`;
  return `${(microseconds / MICROSECONDS_PER_MILLISECOND).toFixed(3)} ms`;
}

const MICROSECONDS_PER_SECOND = 1_000_000;
const MICROSECONDS_PER_MILLISECOND = 1000;

function shortened(text: string): string {
  const shown = escaped(text);
  return shown.length > VALUE_MAX ? `${shown.slice(0, VALUE_MAX)}…` : shown;
}
