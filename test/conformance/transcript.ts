/**
 * The transcript format: conversations with a xenstored that people can read. README.md in this folder describes it.
 *
 * Owns the syntax and nothing else: no sockets (`player.ts`). A mistake in a transcript is an error that names its line.
 */
import { isErrorName, type ErrorName } from "../../protocol/errno.js";
import { OPERATIONS, type OperationName } from "../../protocol/operation.js";
import type { PeerKind } from "../support/daemon-process.js";

/** One word of a message. */
export type Word =
  | { readonly kind: "text"; readonly text: string }
  /** `$name`: bound by its first appearance in an expectation, `$_` stands for anything. */
  | { readonly kind: "variable"; readonly name: string }
  /** `raw:"…"`: the whole payload. */
  | { readonly kind: "raw"; readonly text: string }
  /** `...`: any rest. */
  | { readonly kind: "rest" };

/** What a client is to receive. */
export type Expected =
  | { readonly kind: "reply"; readonly operation: OperationName; readonly words: readonly Word[] }
  | { readonly kind: "error"; readonly error: ErrorName }
  | { readonly kind: "event"; readonly words: readonly Word[] }
  | { readonly kind: "closed" }
  | { readonly kind: "nothing" };

/** How a peer differs, and why that is so. */
export interface Difference {
  readonly peer: PeerKind;
  /** What the peer answers, as the transcript writes it. */
  readonly text: string;
  readonly reason: string;
  readonly line: number;
}

/** What a peer sends where ours sends what the transcript says. */
export interface PeerExpectation {
  readonly difference: Difference;
  readonly expected: Expected;
}

/** The connection of a step, and where it is written. */
interface StepBase {
  readonly client: string;
  readonly line: number;
  readonly text: string;
}

/** A request to be sent. */
export interface RequestStep extends StepBase {
  readonly kind: "request";
  /** Name of the variable that holds the transaction, or a number. */
  readonly transaction: string | undefined;
  readonly requestId: number | undefined;
  readonly type: number;
  readonly words: readonly Word[];
  /** How many bytes go at once; the rest goes with `rest`. */
  readonly firstBytes: number | undefined;
}

/** One line of a transcript that does something. */
export type Step =
  | RequestStep
  | (StepBase & { readonly kind: "connect"; readonly domid: number })
  | (StepBase & { readonly kind: "header"; readonly type: number; readonly length: number })
  | (StepBase & { readonly kind: "bytes"; readonly bytes: string })
  | (StepBase & { readonly kind: "rest" | "end" | "close" })
  | (StepBase & {
      readonly kind: "expect";
      readonly transaction: string | undefined;
      readonly expected: Expected;
      readonly peers: readonly PeerExpectation[];
    });

/** One conversation. */
export interface Transcript {
  readonly title: string;
  readonly file: string;
  readonly line: number;
  readonly steps: readonly Step[];
  /** Whether guests take part, whom a peer without guest sockets cannot serve. */
  readonly hasGuests: boolean;
  /** Whether it needs a daemon of its own. */
  readonly fresh: boolean;
  /** Whether the order of replies and events is compared on peers too. */
  readonly strict: boolean;
  /** Peers that cannot play it, with the reason. */
  readonly skipped: readonly Difference[];
}

const NUMBERS = new Map<string, number>(OPERATIONS.map(({ name, number }) => [name, number]));

function isOperationName(text: string): text is OperationName {
  return NUMBERS.has(text);
}

class TranscriptError extends Error {
  constructor(file: string, line: number, message: string) {
    super(`${file}:${String(line)}: ${message}`);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { "0": "\0", n: "\n", t: "\t", '"': '"', "\\": "\\", "{": "{" };

/** Reads the escape behind a backslash at `at`; returns the character and where to go on. */
function readEscape(line: string, at: number): { readonly text: string; readonly next: number } | undefined {
  const letter = line.charAt(at);
  if (letter === "x") {
    const digits = /^[0-9a-f]{2}/i.exec(line.slice(at + 1))?.[0];
    return digits === undefined ? undefined : { text: String.fromCharCode(parseInt(digits, 16)), next: at + 3 };
  }
  const text = ESCAPES[letter];
  return text === undefined ? undefined : { text, next: at + 1 };
}

const UNKNOWN_ESCAPE = 'an unknown escape: \\0 \\n \\t \\" \\\\ \\{ and \\xNN are known';

/** Reads text without quotes; undefined for an unknown escape. */
function readText(written: string): string | undefined {
  let text = "";
  for (let at = 0; at < written.length;) {
    if (written.charAt(at) === "\\") {
      const escape = readEscape(written, at + 1);
      if (escape === undefined) return undefined;
      text += escape.text;
      at = escape.next;
    } else text += written.charAt(at++);
  }
  return text;
}

/**
 * Splits a line into words at blanks outside quotes; `{text*n}` is repeated text. Returns an error message for what
 * cannot be read.
 */
export function splitWords(line: string): Word[] | string {
  const words: Word[] = [];
  let at = 0;
  for (;;) {
    while (line.charAt(at) === " ") at++;
    if (at >= line.length) return words;
    const start = at;
    let quoted = false;
    let text = "";
    while (at < line.length && (quoted || line.charAt(at) !== " ")) {
      const letter = line.charAt(at);
      const repeated = letter === "{" ? /^\{([^{}*]*)\*([0-9]+)\}/.exec(line.slice(at)) : null;
      if (repeated !== null) {
        const piece = readText(repeated[1] ?? "");
        if (piece === undefined) return UNKNOWN_ESCAPE;
        text += piece.repeat(Number(repeated[2]));
        at += repeated[0].length;
      } else if (letter === "\\") {
        const escape = readEscape(line, at + 1);
        if (escape === undefined) return UNKNOWN_ESCAPE;
        text += escape.text;
        at = escape.next;
      } else {
        if (letter === '"') quoted = !quoted;
        else text += letter;
        at++;
      }
    }
    if (quoted) return "a quotation mark is missing";
    words.push(wordOf(line.slice(start, at), text));
  }
}

function wordOf(written: string, text: string): Word {
  if (written === "...") return { kind: "rest" };
  if (/^\$[A-Za-z_][A-Za-z0-9_]*$/.test(written)) return { kind: "variable", name: written.slice(1) };
  if (written.startsWith("raw:")) return { kind: "raw", text: text.slice(4) };
  return { kind: "text", text };
}

function textOf(word: Word | undefined): string {
  return word?.kind === "text" ? word.text : "";
}

interface NumberedLine {
  readonly text: string;
  readonly line: number;
}

/** Writes out `repeat N` … `end` blocks; `{i}` is the number of the turn, from 1. */
function writeOutRepeats(file: string, lines: readonly NumberedLine[]): NumberedLine[] {
  const result: NumberedLine[] = [];
  let block: { readonly times: number; readonly line: number; readonly lines: NumberedLine[] } | undefined;
  for (const numbered of lines) {
    const times = /^repeat ([0-9]+)$/.exec(numbered.text)?.[1];
    if (times !== undefined) {
      if (block !== undefined) throw new TranscriptError(file, numbered.line, "a repeat inside a repeat");
      block = { times: Number(times), line: numbered.line, lines: [] };
    } else if (numbered.text === "end") {
      if (block === undefined) throw new TranscriptError(file, numbered.line, "an end without a repeat");
      for (let turn = 1; turn <= block.times; turn++) {
        for (const { text, line } of block.lines) result.push({ text: text.replaceAll("{i}", String(turn)), line });
      }
      block = undefined;
    } else (block?.lines ?? result).push(numbered);
  }
  if (block !== undefined) throw new TranscriptError(file, block.line, "a repeat without an end");
  return result;
}

const STEP = /^([A-Z])(?:\[(\$?[A-Za-z0-9_]+)\])?(?:#([0-9]+))?([<>]) (.+)$/;

function parseExpected(words: readonly Word[]): Expected | string {
  const [first, ...rest] = words;
  const name = textOf(first);
  if (name === "closed" || name === "nothing") return rest.length === 0 ? { kind: name } : `${name} takes no words`;
  if (name === "EVENT") return rest.length === 2 ? { kind: "event", words: rest } : "an EVENT has a path and a token";
  if (name === "ERROR") {
    const error = textOf(rest[0]);
    return rest.length === 1 && isErrorName(error) ? { kind: "error", error } : "an ERROR has one of the wire's names";
  }
  if (isOperationName(name)) return { kind: "reply", operation: name, words: rest };
  return `"${name}" is not an operation, ERROR, EVENT, closed or nothing`;
}

/** What may stand behind `A>`, and its parts. */
function parseAction(
  base: StepBase,
  parts: { transaction?: string; requestId?: number },
  words: Word[],
): Step | string {
  const [first, second, third] = words;
  const verb = textOf(first);
  if (verb === "end" || verb === "close" || verb === "rest") return { ...base, kind: verb };
  if (verb === "bytes") {
    return words.length === 2 ? { ...base, kind: "bytes", bytes: textOf(second) } : "bytes takes one word";
  }
  if (verb === "header") {
    const type = NUMBERS.get(textOf(second)) ?? Number(textOf(second));
    return { ...base, kind: "header", type, length: Number(textOf(third)) };
  }
  let remaining = words;
  let firstBytes: number | undefined;
  if (verb === "first") {
    firstBytes = Number(textOf(second));
    remaining = words.slice(2);
  }
  const [operation, ...rest] = remaining;
  const name = textOf(operation);
  const options = { transaction: parts.transaction, requestId: parts.requestId, firstBytes };
  if (name === "type") {
    return { ...base, ...options, kind: "request", type: Number(textOf(rest[0])), words: rest.slice(1) };
  }
  const type = NUMBERS.get(name);
  return type === undefined
    ? `"${name}" is not an operation`
    : { ...base, ...options, kind: "request", type, words: rest };
}

function parseStep(file: string, { text, line }: NumberedLine): Step {
  const connect = /^connect ([A-Z]) domain ([0-9]+)$/.exec(text);
  if (connect !== null) {
    return { kind: "connect", client: connect[1] ?? "", domid: Number(connect[2]), line, text };
  }
  const match = STEP.exec(text);
  if (match === null) {
    throw new TranscriptError(file, line, `"${text}" is not a step: "A> OPERATION words", "A< what comes back", …`);
  }
  const [, client = "", transaction, requestId, direction, rest = ""] = match;
  const words = splitWords(rest);
  if (typeof words === "string") throw new TranscriptError(file, line, words);
  const base = { client, line, text };
  if (direction === "<") {
    const expected = parseExpected(words);
    if (typeof expected === "string") throw new TranscriptError(file, line, expected);
    return { ...base, kind: "expect", transaction, expected, peers: [] };
  }
  const parts = {
    ...(transaction === undefined ? {} : { transaction }),
    ...(requestId === undefined ? {} : { requestId: Number(requestId) }),
  };
  const step = parseAction(base, parts, words);
  if (typeof step === "string") throw new TranscriptError(file, line, step);
  return step;
}

/** Parses `@c WORDS -- reason`. */
function parseDifference(file: string, { text, line }: NumberedLine): Difference {
  const match = /^@([co]) (.+?) -- (.+)$/.exec(text);
  if (match === null) {
    throw new TranscriptError(file, line, 'a difference is "@c what C answers -- reason", or @o for oxenstored');
  }
  return { peer: match[1] as PeerKind, text: match[2] ?? "", reason: match[3] ?? "", line };
}

function parsePeerExpectation(file: string, difference: Difference): PeerExpectation {
  const words = splitWords(difference.text);
  const expected = typeof words === "string" ? words : parseExpected(words);
  if (typeof expected === "string") throw new TranscriptError(file, difference.line, expected);
  return { difference, expected };
}

/** The lines of one transcript: its title, then the lines below it. */
interface Section {
  readonly title: string;
  readonly line: number;
  readonly lines: NumberedLine[];
}

function splitSections(file: string, source: string): Section[] {
  const sections: Section[] = [];
  for (const [index, written] of source.split("\n").entries()) {
    const text = written.trim();
    const line = index + 1;
    if (text === "" || text.startsWith("# ") || text === "#") continue;
    const section = sections.at(-1);
    if (text.startsWith("== ")) sections.push({ title: text.slice(3), line, lines: [] });
    else if (section === undefined) throw new TranscriptError(file, line, 'a transcript starts with "== title"');
    else section.lines.push({ text, line });
  }
  return sections;
}

function parseSection(file: string, { title, line, lines }: Section): Transcript {
  const steps: Step[] = [];
  const skipped: Difference[] = [];
  const attributes = new Set<string>();
  for (const numbered of writeOutRepeats(file, lines)) {
    if (numbered.text === "fresh" || numbered.text === "strict") attributes.add(numbered.text);
    else if (numbered.text.startsWith("@")) {
      const difference = parseDifference(file, numbered);
      const last = steps.at(-1);
      if (difference.text === "skip") skipped.push(difference);
      else if (last?.kind !== "expect") throw new TranscriptError(file, numbered.line, "a difference of what?");
      else {
        const peers = [...last.peers, parsePeerExpectation(file, difference)];
        steps[steps.length - 1] = { ...last, peers };
      }
    } else steps.push(parseStep(file, numbered));
  }
  const hasGuests = steps.some((step) => step.kind === "connect" && step.domid !== 0);
  return {
    title,
    file,
    line,
    steps,
    hasGuests,
    fresh: attributes.has("fresh"),
    strict: attributes.has("strict"),
    skipped,
  };
}

/** Parses a file of transcripts. */
export function parseTranscripts(file: string, source: string): Transcript[] {
  return splitSections(file, source).map((section) => parseSection(file, section));
}

/** Every difference of a transcript, in the order in which it is written; one that is repeated counts once. */
export function differencesOf(transcript: Transcript): Difference[] {
  const differences = new Map<number, Difference>();
  for (const difference of transcript.skipped) differences.set(difference.line, difference);
  for (const step of transcript.steps) {
    if (step.kind !== "expect") continue;
    for (const { difference } of step.peers) differences.set(difference.line, difference);
  }
  return [...differences.values()];
}
