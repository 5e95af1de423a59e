/**
 * Loading a request trace for replay: its files in order, its lives, the lines of one of them.
 *
 * Owns which files belong together, what of a damaged file can be borne, and the words for what cannot. A line that a kill or
 * a full disk left unfinished is normal at the end of a life and is left out; anywhere else it is damage, because what
 * follows it would be asked of another store. `protocol/request-trace.ts` is the format.
 */
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { parseTraceLine, type TracedHeader, type TraceLine } from "../../protocol/request-trace.js";

/** Where a line stands. */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** A line of a trace, and where it stands. */
export interface PlacedLine {
  readonly place: Place;
  readonly line: TraceLine;
}

/** What is known of a life of the daemon: from one of its starts to its end. */
export interface TraceLife {
  /** From 1, in the order of the files. */
  readonly number: number;
  /** Its first header. */
  readonly header: TracedHeader;
  readonly lines: readonly PlacedLine[];
}

/** A trace, ready to be played. */
export interface LoadedTrace {
  /** Oldest first. */
  readonly files: readonly string[];
  readonly life: TraceLife;
  /** How many lives the files hold. */
  readonly lives: number;
  /** What the reader should know before trusting a replay, for people. */
  readonly notes: readonly string[];
}

/** A trace cannot be read, or is damaged; the message is for people and names the place. */
export class TraceDamageError extends Error {
  override readonly name = "TraceDamageError";
}

/** FILE, and those of FILE.1, FILE.2, … that are there, oldest first; numbers may be missing. */
export function traceFiles(file: string): readonly string[] {
  return [...rotatedNumbers(file).map((number) => `${file}.${String(number)}`), file];
}

/** The numbers of the rotated files, greatest and so oldest first. A date is none. */
function rotatedNumbers(file: string): readonly number[] {
  const start = `${basename(file)}.`;
  const directory = dirname(file);
  return (existsSync(directory) ? readdirSync(directory) : [])
    .filter((name) => name.startsWith(start) && /^[1-9]\d{0,3}$/.test(name.slice(start.length)))
    .map((name) => Number(name.slice(start.length)))
    .sort((left, right) => right - left);
}

/**
 * Notes of the files that are not there though older ones are. A rotation that was cut short leaves such a hole without
 * loss, since it moves the oldest file first; somebody who removes a file makes one with loss. The commits tell the two
 * apart only where something was committed meanwhile, so it is always told.
 */
function holeNotes(file: string): readonly string[] {
  const numbers = rotatedNumbers(file);
  return numbers.flatMap((number, index) => {
    const next = numbers[index + 1] ?? 0;
    if (number - next <= 1) return [];
    const [first, last] = [`${file}.${String(next + 1)}`, `${file}.${String(number - 1)}`];
    const which = first === last ? `${first} is` : `${first} to ${last} are`;
    return [
      `${which} not there, and ${file}.${String(number)} is: it is played as what came before; unless a rotation was cut short, lines are missing there, and differences behind it may come from that`,
    ];
  });
}

/**
 * Loads a life of the trace at `file`: that with the number `wanted`, or the last one.
 *
 * @throws TraceDamageError
 */
export async function loadTrace(file: string, wanted?: number): Promise<LoadedTrace> {
  const files = traceFiles(file);
  const reader = new LivesReader(wanted);
  for (const each of files) {
    try {
      await readLines(each, (text, line) => {
        reader.read(text, { file: each, line });
      });
    } catch (error) {
      if (error instanceof TraceDamageError) throw error;
      throw new TraceDamageError(`${each} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const { life, lives, notes } = reader.finish(file);
  return { files, life, lives, notes: [...holeNotes(file), ...notes] };
}

/** A life while it is read. */
interface GrowingLife {
  readonly number: number;
  readonly header: TracedHeader;
  readonly lines: PlacedLine[];
  readonly notes: string[];
  /** The last commit of which a line or a header told. */
  seq: number;
  /** A bad line, which is the end of the life unless another line of it follows. */
  bad: { readonly place: Place; readonly text: string; readonly reason: string } | undefined;
  damage: string | undefined;
}

class LivesReader {
  readonly #wanted: number | undefined;
  #current: GrowingLife | undefined;
  #chosen: GrowingLife | undefined;
  #lives = 0;

  constructor(wanted: number | undefined) {
    this.#wanted = wanted;
  }

  read(text: string, place: Place): void {
    const parsed = parseTraceLine(text);
    if (parsed.ok && parsed.line.kind === "header") this.#readHeader(parsed.line, place);
    const life = this.#current;
    if (life === undefined) {
      const found = parsed.ok ? `a line of the kind ${parsed.line.kind}` : `no line of a trace: ${parsed.reason}`;
      throw new TraceDamageError(
        `${describePlace(place)}, column ${String(parsed.ok ? 1 : columnOf(text, parsed.reason))}: a trace begins with a header, and this is ${found}`,
      );
    }
    if (!parsed.ok) {
      this.#spoil(life);
      life.bad = { place, text, reason: parsed.reason };
      return;
    }
    const { line } = parsed;
    if (line.kind === "header") return;
    this.#spoil(life);
    if (line.kind === "gap") {
      life.notes.push(
        `${describePlace(place)}: ${String(line.dropped)} lines could not be written there and are missing; differences behind it may come from that`,
      );
    }
    if (line.kind === "request" && line.seq !== undefined) life.seq = line.seq;
    if (life === this.#chosen) life.lines.push({ place, line });
  }

  /** A bad line is followed by another one of its life. */
  #spoil(life: GrowingLife): void {
    if (life.bad === undefined) return;
    const { place, text, reason } = life.bad;
    life.damage ??= `${describePlace(place)}, column ${String(columnOf(text, reason))}: ${reason}`;
  }

  #readHeader(header: TracedHeader, place: Place): void {
    const last = this.#current;
    if (last?.bad !== undefined) last.notes.push(describeTorn(last.bad.place));
    if (last?.header.started === header.started) {
      // An unfinished line before it is a write that failed; a gap line says what is missing.
      last.bad = undefined;
      if (header.seq !== last.seq) {
        last.notes.push(
          `${describePlace(place)}: the lines before it end at commit ${String(last.seq)}, and it goes on from commit ${String(header.seq)}; what is between is missing`,
        );
        last.seq = header.seq;
      }
      return;
    }
    this.#lives++;
    this.#current = {
      number: this.#lives,
      header,
      lines: [],
      notes: [],
      seq: header.seq,
      bad: undefined,
      damage: undefined,
    };
    if (this.#wanted === undefined || this.#wanted === this.#lives) this.#chosen = this.#current;
  }

  finish(file: string): { readonly life: TraceLife; readonly lives: number; readonly notes: readonly string[] } {
    const last = this.#current;
    if (last === undefined) throw new TraceDamageError(`${file} is empty: a trace begins with a header`);
    const chosen = this.#chosen;
    if (chosen === undefined) {
      throw new TraceDamageError(
        `${file} holds ${this.#lives === 1 ? "one life" : `${String(this.#lives)} lives`} of the daemon, and no life ${String(this.#wanted)}`,
      );
    }
    if (chosen.damage !== undefined) throw new TraceDamageError(chosen.damage);
    if (last.bad !== undefined) last.notes.push(describeTorn(last.bad.place));
    return { life: chosen, lives: this.#lives, notes: [...this.#choiceNotes(chosen), ...chosen.notes] };
  }

  #choiceNotes({ number, header }: GrowingLife): readonly string[] {
    const notes: string[] = [];
    if (this.#lives > 1) {
      const which = this.#wanted === undefined ? "the last one" : `number ${String(number)}`;
      const started = new Date(header.started / 1000).toISOString();
      notes.push(
        `the trace holds ${String(this.#lives)} lives of the daemon; ${which} is played, which started at ${started} (--life 1 to ${String(this.#lives)} for another)`,
      );
    }
    if (header.seq > 0) {
      notes.push(
        `the trace begins behind commit ${String(header.seq)}: its requests were asked of the store at @{${String(header.seq)}}, and what they miss of it in the daemon at hand shows as differences`,
      );
    }
    return notes;
  }
}

function describeTorn(place: Place): string {
  return `${describePlace(place)} is unfinished, as the end of a daemon that was killed is, and left out`;
}

/** A place in words. */
function describePlace({ file, line }: Place): string {
  return `${file}, line ${String(line)}`;
}

/** Where in a line the reason for its refusal is, from 1: where it is no flat JSON object any more, or at the key that is named. */
export function columnOf(text: string, reason: string): number {
  const end = flatObjectEnd(text);
  if (end !== undefined) return end + 1;
  for (const [, key] of reason.matchAll(/`([a-z]+)`/g)) {
    const at = text.indexOf(`"${key ?? ""}"`);
    if (at >= 0) return at + 1;
  }
  return 1;
}

const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = new RegExp(`${STRING.source}|-?\\d+(?:\\.\\d+)?|true|false|null`, "y");
/** What a member of an object consists of. */
const MEMBER = [STRING, /:/y, SCALAR, /[,}]/y];

/** The offset from which on a text is no JSON object of scalars, as all lines are; undefined when it is one. V8 tells it only at times. */
function flatObjectEnd(text: string): number | undefined {
  if (!text.startsWith("{")) return 0;
  for (let at = 1; ;) {
    for (const pattern of MEMBER) {
      pattern.lastIndex = at;
      const [found] = pattern.exec(text) ?? [];
      if (found === undefined) return at;
      at += found.length;
    }
    if (text[at - 1] === "}") return at === text.length ? undefined : at;
  }
}

/** Calls `read` with each line; what stands behind the last newline is one too, if there is anything. */
async function readLines(file: string, read: (text: string, line: number) => void): Promise<void> {
  let rest = "";
  let line = 0;
  for await (const chunk of createReadStream(file, { encoding: "latin1" })) {
    const parts = (rest + (chunk as string)).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) read(part, ++line);
  }
  if (rest !== "") read(rest, line + 1);
}
