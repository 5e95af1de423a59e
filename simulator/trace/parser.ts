/**
 * The text form of a trace, parsed.
 *
 * Owns the syntax, which the README beside this file describes, and the checks that a line by itself or the order of lines
 * allows: known actors, well-formed arguments, transactions that are opened, used and ended. Never talks to a daemon.
 */
import { isByteString } from "../../protocol/bytes.js";
import { isErrorName, type ErrorName } from "../../protocol/errno.js";
import { parseDomid } from "../../protocol/identifiers.js";
import { OPERATIONS, type OperationName } from "../../protocol/operation.js";
import { REQUEST_CODECS, serializeStrings } from "../../protocol/payload.js";
import type { Actor, EventStep, Phase, RequestStep, Step, Trace } from "./trace.js";

/** A line that is no line of a trace. The message names file and line and says what would be right. */
export class TraceSyntaxError extends Error {
  override readonly name = "TraceSyntaxError";
}

/** The words that start a line of their own, and so name no actor. */
const KEYWORDS: ReadonlySet<string> = new Set(["trace", "actor", "phase"]);
const VERSION = "1";
const NAME = /^[a-z][a-z0-9-]*$/;
const OPERATION_NAMES: ReadonlySet<string> = new Set(OPERATIONS.map(({ name }) => name));

interface Reading {
  readonly actors: Map<string, Actor>;
  readonly phases: { readonly name: string; readonly purpose: string; readonly steps: Step[] }[];
  /** The actors that have a transaction open, with the line that opened it. */
  readonly open: Map<Actor, number>;
  hasVersion: boolean;
}

/**
 * Parses a trace.
 *
 * @param text - the whole file
 * @param file - its name, for messages
 */
export function parseTrace(text: string, file: string): Trace {
  const reading: Reading = { actors: new Map(), phases: [], open: new Map(), hasVersion: false };
  let number = 0;
  try {
    for (const line of text.split("\n")) {
      number++;
      const trimmed = line.trim();
      if (trimmed !== "" && !trimmed.startsWith("#")) parseLine(reading, trimmed, number);
    }
    checkEnd(reading);
  } catch (error) {
    if (error instanceof TraceSyntaxError) throw new TraceSyntaxError(`${file}:${String(number)}: ${error.message}`);
    throw error;
  }
  return { phases: reading.phases };
}

function parseLine(reading: Reading, line: string, number: number): void {
  const [word, rest] = cut(line);
  if (!reading.hasVersion) {
    if (word !== "trace" || rest !== VERSION) throw new TraceSyntaxError(`a trace starts with "trace ${VERSION}"`);
    reading.hasVersion = true;
  } else if (word === "actor") parseActor(reading, rest);
  else if (word === "phase") startPhase(reading, rest);
  else parseStep(reading, word, rest, number);
}

/** Cuts the first word off. */
function cut(text: string): [word: string, rest: string] {
  const blank = text.search(/\s/);
  return blank === -1 ? [text, ""] : [text.slice(0, blank), text.slice(blank).trimStart()];
}

function parseActor(reading: Reading, rest: string): void {
  const match = /^(\S+)\s+dom([0-9]+)(\s+each)?$/.exec(rest);
  const domid = parseDomid(match?.[2] ?? "");
  const name = match?.[1] ?? "";
  if (domid === undefined || !NAME.test(name) || KEYWORDS.has(name)) {
    throw new TraceSyntaxError(
      `an actor is given as "actor NAME domDOMID" or "actor NAME domDOMID each", not "${rest}"`,
    );
  }
  if (reading.actors.has(name)) throw new TraceSyntaxError(`actor ${name} is given twice`);
  reading.actors.set(name, { name, domid, connection: match?.[3] === undefined ? "kept" : "each" });
}

function startPhase(reading: Reading, rest: string): void {
  const [name, purpose] = cut(rest);
  if (!NAME.test(name) || purpose === "") throw new TraceSyntaxError('a phase is given as "phase NAME PURPOSE"');
  if (reading.phases.some((phase) => phase.name === name)) throw new TraceSyntaxError(`phase ${name} is given twice`);
  reading.phases.push({ name, purpose, steps: [] });
}

function parseStep(reading: Reading, name: string, rest: string, line: number): void {
  const actor = reading.actors.get(name);
  if (actor === undefined) throw new TraceSyntaxError(`no actor is called ${name}: give it with "actor ${name} dom0"`);
  const phase = reading.phases.at(-1);
  if (phase === undefined)
    throw new TraceSyntaxError('traffic belongs to a phase: start one with "phase NAME PURPOSE"');
  const [flag, what] = cut(rest);
  if (flag === "<") phase.steps.push(parseEvent(actor, what, line));
  else if (flag === "." || flag === "T") phase.steps.push(parseRequest(reading, { actor, flag, what, line }));
  else throw new TraceSyntaxError(`after the actor comes ".", "T" or "<", not "${flag}"`);
}

function parseEvent(actor: Actor, what: string, line: number): EventStep {
  const [path, token] = cut(what);
  if (token === "" || !isByteString(what)) throw new TraceSyntaxError("an event is given as PATH TOKEN");
  if (actor.connection === "each") {
    throw new TraceSyntaxError(`${actor.name} has a new connection for every request and cannot be told events`);
  }
  return { kind: "event", line, actor, path, token };
}

interface RequestLine {
  readonly actor: Actor;
  readonly flag: "." | "T";
  readonly what: string;
  readonly line: number;
}

function parseRequest(reading: Reading, { actor, flag, what, line }: RequestLine): RequestStep {
  const inTransaction = flag === "T";
  const [request, error] = cutError(what);
  const [name, text] = cut(request);
  if (!isOperationName(name)) throw new TraceSyntaxError(`${name} is not an operation`);
  followTransaction(reading, { actor, name, inTransaction, line });
  return { kind: "request", line, actor, inTransaction, operation: name, payload: parsePayload(name, text), error };
}

/** Cuts the error that is due off a request; a WRITE's value ends in a quote, so it cannot be taken for one. */
function cutError(what: string): [request: string, error: ErrorName | undefined] {
  const match = /\s+!\s+([A-Z0-9]+)$/.exec(what);
  if (match === null) return [what, undefined];
  const error = match[1] ?? "";
  if (!isErrorName(error)) throw new TraceSyntaxError(`${error} is not an error name of the wire`);
  return [what.slice(0, match.index), error];
}

function isOperationName(name: string): name is OperationName {
  return OPERATION_NAMES.has(name);
}

/** The payload of a request, from its arguments as the file has them. */
function parsePayload(operation: OperationName, text: string): string {
  const payload = operation === "WRITE" ? parseWrite(text) : serializeStrings(text === "" ? [] : text.split(/\s+/));
  const codec: { parse(payload: string): unknown } = REQUEST_CODECS[operation];
  if (!isByteString(payload) || codec.parse(payload) === undefined) {
    throw new TraceSyntaxError(`"${text}" are not the arguments of ${operation}`);
  }
  // Reserved payloads are written as nothing, and sent as clients send them.
  return payload === "" ? REQUEST_CODECS.RESET_WATCHES.serialize({}) : payload;
}

/** `PATH "VALUE"`: the value in JSON's syntax, one character for each byte. */
function parseWrite(text: string): string {
  const [path, quoted] = cut(text);
  let value: unknown;
  try {
    value = JSON.parse(quoted);
  } catch {
    value = undefined;
  }
  if (typeof value !== "string") throw new TraceSyntaxError('a WRITE is given as WRITE PATH "VALUE"');
  return REQUEST_CODECS.WRITE.serialize({ path, value });
}

interface TransactionLine {
  readonly actor: Actor;
  readonly name: OperationName;
  readonly inTransaction: boolean;
  readonly line: number;
}

function followTransaction({ open }: Reading, { actor, name, inTransaction, line }: TransactionLine): void {
  const since = open.get(actor);
  if (name === "TRANSACTION_START") {
    if (since !== undefined)
      throw new TraceSyntaxError(`${actor.name} opened a transaction in line ${String(since)} already`);
    if (actor.connection === "each") throw new TraceSyntaxError(`${actor.name} keeps no connection for a transaction`);
    open.set(actor, line);
  } else if ((inTransaction || name === "TRANSACTION_END") && since === undefined) {
    throw new TraceSyntaxError(`${actor.name} has no transaction open`);
  }
  if (name === "TRANSACTION_START" || name === "TRANSACTION_END") {
    if (inTransaction) throw new TraceSyntaxError(`${name} stands outside the transaction: write "." instead of "T"`);
    if (name === "TRANSACTION_END") open.delete(actor);
  }
}

function checkEnd({ hasVersion, open, phases }: Reading): void {
  if (!hasVersion) throw new TraceSyntaxError(`a trace starts with "trace ${VERSION}"`);
  for (const [actor, line] of open) {
    throw new TraceSyntaxError(`the transaction that ${actor.name} opened in line ${String(line)} is never ended`);
  }
  const empty: Phase | undefined = phases.find(({ steps }) => steps.length === 0);
  if (empty !== undefined) throw new TraceSyntaxError(`phase ${empty.name} is empty`);
}
