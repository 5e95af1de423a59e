/**
 * The request trace: every request and its reply, one JSON object a line, as `xenstored-tng --trace FILE` writes it.
 *
 * Owns the format: what the lines say, how they are written and every check of what is read. The daemon decides what is
 * written and when (`daemon/trace/`).
 *
 * Each kind of line has a key that no other has. Keys stand in this order, those with a `?` only where they say something:
 *
 * | line | keys |
 * |---|---|
 * | header | `format` ("xenstore-tng request trace"), `version`, `daemon` (its version), `started`, `time`, `seq` |
 * | request | `time`, `connection`, `domain`, `tx`?, `operation`, `payload`?, `reply` or `error` or neither, `seq`?, `asked`?, `redacted`? |
 * | event | `time`, `connection`, `domain`, `event` (the path), `token` |
 * | connection | `time`, `connection`, `domain`, `opened` or `closed` (true) |
 * | gap | `time`, `dropped` (how many lines are missing here) |
 *
 * A file begins with a header; another one begins whatever follows it, so lines behind a header know nothing of those
 * before: it stands where a daemon started, where files changed, and where the file had been taken away. Its `seq` is that
 * of the last commit before the lines that follow, so `@{seq}` in the history is the store that they were asked of;
 * `started` is when the daemon was, and tells its lives apart: a connection's name is its own within one life.
 *
 * `time` is that of the tick in which a request was answered, in microseconds since the epoch, and `asked` that of the tick in
 * which it was asked, where that was an earlier one. It is the wall clock's, so it may step back; the order of the lines does
 * not. The lines of one connection are in the order in which its client sees replies and events, those of different ones in
 * the order of dispatch. `operation` is a name, or the number of a type that has none. `seq` of a request is the commit that
 * it made. A request without reply and error, or without payload, is `redacted`: the value at a path that is not to be
 * written down was left out. Of a WRITE the path is left, with the NUL behind it, where it could be told.
 *
 * Strings are byte strings: one character is one byte, bytes outside of 0x20..0x7e are escaped.
 */
import { encodeAscii, type AsciiBuffer, type ByteRange } from "./ascii-buffer.js";
import { isByteString, type ByteString } from "./bytes.js";
import { isErrorName, type ErrorName } from "./errno.js";
import type { Domid, Microseconds, Seq } from "./identifiers.js";
import { getOperation, OPERATIONS, type OperationName } from "./operation.js";

const FORMAT = "xenstore-tng request trace";
const VERSION = 1;

/** Most bytes of a header or a gap, with its newline. */
export const TRACE_FRAME_BYTES_MAX = 512;

/** What a request was answered with. */
export type TracedReply<Text = ByteString> = Text | { readonly error: ErrorName };

/** Begins a file, a life of the daemon, or what follows a file that was taken away. */
export interface TracedHeader {
  readonly kind: "header";
  /** The daemon's version. */
  readonly daemon: string;
  /** When the daemon started. */
  readonly started: Microseconds;
  /** When this was written. */
  readonly time: Microseconds;
  /** The last commit before the lines that follow; 0 when there is none. */
  readonly seq: Seq;
}

interface Origin<Text = ByteString> {
  readonly time: Microseconds;
  readonly connection: Text;
  readonly domid: Domid;
}

/** A request and what it was answered with. */
export interface TracedRequest<Text = ByteString> extends Origin<Text> {
  readonly kind: "request";
  /** As in the request's header; 0 is no transaction. */
  readonly txId: number;
  /** The name, or the type number of a request whose type has none. */
  readonly operation: OperationName | number;
  /** Undefined where it was left out. */
  readonly payload: Text | undefined;
  /** Undefined where it was left out. */
  readonly reply: TracedReply<Text> | undefined;
  /** The commit that the request made. */
  readonly seq: Seq | undefined;
  /** When it was asked, if that was before `time`. */
  readonly asked: Microseconds | undefined;
  /** Whether something was left out of payload or reply. */
  readonly redacted: boolean;
}

/** A watch event that was sent to a connection. */
export interface TracedEvent<Text = ByteString> extends Origin<Text> {
  readonly kind: "event";
  readonly path: Text;
  readonly token: Text;
}

/** A connection came or went. */
export interface TracedConnection<Text = ByteString> extends Origin<Text> {
  readonly kind: "opened" | "closed";
}

/** Lines that could not be written are missing here. */
export interface TracedGap {
  readonly kind: "gap";
  readonly time: Microseconds;
  readonly dropped: number;
}

/** A line of a trace. */
export type TraceLine<Text = ByteString> =
  TracedHeader | TracedRequest<Text> | TracedEvent<Text> | TracedConnection<Text> | TracedGap;

/** A byte string, or where one stands: who writes lines has them in memory, and need not make strings of them. */
export type TraceText = ByteString | ByteRange;

/** What a line says, or what is wrong with it. */
export type ParsedTraceLine =
  | { readonly ok: true; readonly line: TraceLine }
  | {
      readonly ok: false;
      /** For people. */
      readonly reason: string;
    };

/** What requests' and events' lines are put together from. */
const TEXT = {
  time: encodeAscii('{"time":'),
  connection: encodeAscii(',"connection":'),
  domain: encodeAscii(',"domain":'),
  tx: encodeAscii(',"tx":'),
  payload: encodeAscii(',"payload":'),
  reply: encodeAscii(',"reply":'),
  replyOk: encodeAscii(',"reply":"OK\\u0000"'),
  seq: encodeAscii(',"seq":'),
  asked: encodeAscii(',"asked":'),
  redacted: encodeAscii(',"redacted":true'),
  event: encodeAscii(',"event":'),
  token: encodeAscii(',"token":'),
  end: encodeAscii("}\n"),
} as const;
const OPERATION_TEXTS = Object.fromEntries(
  OPERATIONS.map(({ name }) => [name, encodeAscii(`,"operation":"${name}"`)]),
) as Readonly<Record<OperationName, Uint8Array>>;

/**
 * Writes a line with its newline.
 *
 * @throws RangeError for a string that is no byte string; what was written of the line is then to be taken back
 */
export function writeTraceLine(lines: AsciiBuffer, line: TraceLine<TraceText>): void {
  switch (line.kind) {
    case "header":
      lines.ascii(`{"format":"${FORMAT}","version":${String(VERSION)},"daemon":`);
      lines.string(line.daemon);
      lines.ascii(',"started":');
      lines.integer(line.started);
      lines.ascii(',"time":');
      lines.integer(line.time);
      lines.ascii(',"seq":');
      lines.integer(line.seq);
      break;
    case "request":
      writeRequest(lines, line);
      break;
    case "event":
      writeOrigin(lines, line);
      lines.encoded(TEXT.event);
      writeText(lines, line.path);
      lines.encoded(TEXT.token);
      writeText(lines, line.token);
      break;
    case "opened":
    case "closed":
      writeOrigin(lines, line);
      lines.ascii(line.kind === "opened" ? ',"opened":true' : ',"closed":true');
      break;
    case "gap":
      lines.encoded(TEXT.time);
      lines.integer(line.time);
      lines.ascii(',"dropped":');
      lines.integer(line.dropped);
      break;
  }
  lines.encoded(TEXT.end);
}

function writeText(lines: AsciiBuffer, text: TraceText): void {
  if (typeof text === "string") lines.string(text);
  else lines.stringOf(text);
}

function writeOrigin(lines: AsciiBuffer, { time, connection, domid }: Origin<TraceText>): void {
  lines.encoded(TEXT.time);
  lines.integer(time);
  lines.encoded(TEXT.connection);
  writeText(lines, connection);
  lines.encoded(TEXT.domain);
  lines.integer(domid);
}

function writeRequest(lines: AsciiBuffer, line: TracedRequest<TraceText>): void {
  const { txId, operation, payload, reply, seq, asked } = line;
  writeOrigin(lines, line);
  if (txId !== 0) {
    lines.encoded(TEXT.tx);
    lines.integer(txId);
  }
  if (typeof operation === "string") lines.encoded(OPERATION_TEXTS[operation]);
  else lines.ascii(`,"operation":${String(operation)}`);
  if (payload !== undefined) {
    lines.encoded(TEXT.payload);
    writeText(lines, payload);
  }
  if (reply === "OK\0") lines.encoded(TEXT.replyOk);
  else if (typeof reply === "object" && "error" in reply) lines.ascii(`,"error":"${reply.error}"`);
  else if (reply !== undefined) {
    lines.encoded(TEXT.reply);
    writeText(lines, reply);
  }
  if (seq !== undefined) {
    lines.encoded(TEXT.seq);
    lines.integer(seq);
  }
  if (asked !== undefined) {
    lines.encoded(TEXT.asked);
    lines.integer(asked);
  }
  if (line.redacted) lines.encoded(TEXT.redacted);
}

const OPERATION_NAMES: ReadonlySet<unknown> = new Set(OPERATIONS.map(({ name }) => name));
const UINT32_MAX = 0xffffffff;
const DOMID_MAX = 0xffff;

type Fields = ReadonlyMap<string, unknown>;

/** The keys of each kind of line; the first one tells the kind. */
const KEYS: Readonly<Record<TraceLine["kind"], readonly [string, ...string[]]>> = {
  header: ["format", "version", "daemon", "started", "time", "seq"],
  request: ["operation", "time", "connection", "domain", "tx", "payload", "reply", "error", "seq", "asked", "redacted"],
  event: ["event", "time", "connection", "domain", "token"],
  opened: ["opened", "time", "connection", "domain"],
  closed: ["closed", "time", "connection", "domain"],
  gap: ["dropped", "time"],
};
const KINDS = Object.keys(KEYS) as readonly TraceLine["kind"][];

/**
 * Parses a line without its newline; never throws. A line that a kill or a full disk left unfinished is one of those that are
 * refused; the next line is sound.
 */
export function parseTraceLine(line: string): ParsedTraceLine {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return refused(line === "" ? "it is empty" : "it is not JSON, or only the beginning of a line");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return refused("it is not a JSON object");
  const fields: Fields = new Map(Object.entries(parsed));
  const kind = KINDS.find((each) => fields.has(KEYS[each][0]));
  if (kind === undefined) return refused("it is of no kind that is known");
  if (kind === "header" && (fields.get("format") !== FORMAT || fields.get("version") !== VERSION)) {
    const { format, version } = parsed as { readonly format?: unknown; readonly version?: unknown };
    return refused(
      `its format is ${JSON.stringify(format)}, version ${JSON.stringify(version)}; known is "${FORMAT}", version ${String(VERSION)}`,
    );
  }
  const stranger = [...fields.keys()].find((key) => !KEYS[kind].includes(key));
  if (stranger !== undefined) return refused(`the key \`${stranger}\` does not belong to a line of the kind ${kind}`);
  const result = PARSERS[kind](fields);
  return typeof result === "string" ? refused(result) : { ok: true, line: result };
}

function refused(reason: string): ParsedTraceLine {
  return { ok: false, reason };
}

/** The line, or what is wrong with it. */
type Parser = (fields: Fields) => TraceLine | string;

const PARSERS: Readonly<Record<TraceLine["kind"], Parser>> = {
  header: (fields) => {
    const [daemon, started, time, seq] = ["daemon", "started", "time", "seq"].map((key) => fields.get(key));
    if (!isBytes(daemon)) return "`daemon` is not a version";
    if (!isTime(started)) return "`started` is not in microseconds";
    if (!isTime(time)) return "`time` is not in microseconds";
    if (!isIntegerIn(seq, 0, Number.MAX_SAFE_INTEGER)) return "`seq` is not a sequence number";
    return { kind: "header", daemon, started, time, seq: seq as Seq };
  },
  request: (fields) => {
    const origin = parseOrigin(fields);
    return typeof origin === "string" ? origin : parseRequest(fields, origin);
  },
  event: (fields) => {
    const origin = parseOrigin(fields);
    if (typeof origin === "string") return origin;
    const [path, token] = [fields.get("event"), fields.get("token")];
    if (!isBytes(path)) return "`event` is not a byte string";
    if (!isBytes(token)) return "`token` is not a byte string";
    return { kind: "event", ...origin, path, token };
  },
  opened: (fields) => parseConnection("opened", fields),
  closed: (fields) => parseConnection("closed", fields),
  gap: (fields) => {
    const [time, dropped] = [fields.get("time"), fields.get("dropped")];
    if (!isTime(time)) return "`time` is not in microseconds";
    if (!isIntegerIn(dropped, 1, Number.MAX_SAFE_INTEGER)) return "`dropped` is not a count";
    return { kind: "gap", time, dropped };
  },
};

function parseOrigin(fields: Fields): Origin | string {
  const [time, connection, domid] = ["time", "connection", "domain"].map((key) => fields.get(key));
  if (!isTime(time)) return "`time` is not in microseconds";
  if (!isBytes(connection)) return "`connection` is not a byte string";
  if (!isIntegerIn(domid, 0, DOMID_MAX)) return "`domain` is not a domain id";
  return { time, connection, domid: domid as Domid };
}

function parseConnection(kind: "opened" | "closed", fields: Fields): TraceLine | string {
  const origin = parseOrigin(fields);
  if (typeof origin === "string") return origin;
  return fields.get(kind) === true ? { kind, ...origin } : `\`${kind}\` is not true`;
}

function parseRequest(fields: Fields, origin: Origin): TraceLine | string {
  const [txId = 0, operation, payload] = ["tx", "operation", "payload"].map((key) => fields.get(key));
  const [seq, asked, redacted = false] = ["seq", "asked", "redacted"].map((key) => fields.get(key));
  if (!isIntegerIn(txId, fields.has("tx") ? 1 : 0, UINT32_MAX)) return "`tx` is not a transaction id";
  if (!isOperation(operation)) return "`operation` is neither an operation's name nor a type number without a name";
  if (payload !== undefined && !isBytes(payload)) return "`payload` is not a byte string";
  if (seq !== undefined && !isIntegerIn(seq, 1, Number.MAX_SAFE_INTEGER)) return "`seq` is not a sequence number";
  if (asked !== undefined && !isTime(asked)) return "`asked` is not in microseconds";
  if (redacted !== fields.has("redacted")) return "`redacted` is not true";
  const reply = parseReply(fields);
  if (reply === "bad") return "its `reply` is not a byte string, or its `error` no error name, or it has both";
  if (!fields.has("redacted") && (payload === undefined || reply === undefined))
    return "it lacks payload or reply and is not redacted";
  return {
    kind: "request",
    ...origin,
    txId,
    operation,
    payload,
    reply: reply?.outcome,
    seq: seq as Seq | undefined,
    asked,
    redacted: fields.has("redacted"),
  };
}

function parseReply(fields: Fields): { readonly outcome: TracedReply } | "bad" | undefined {
  const [reply, error] = [fields.get("reply"), fields.get("error")];
  if (fields.has("reply")) return isBytes(reply) && !fields.has("error") ? { outcome: reply } : "bad";
  if (!fields.has("error")) return undefined;
  return typeof error === "string" && isErrorName(error) ? { outcome: { error } } : "bad";
}

function isOperation(value: unknown): value is OperationName | number {
  if (typeof value === "string") return OPERATION_NAMES.has(value);
  return isIntegerIn(value, 0, UINT32_MAX) && getOperation(value) === undefined;
}

function isBytes(value: unknown): value is ByteString {
  return typeof value === "string" && isByteString(value);
}

function isTime(value: unknown): value is Microseconds {
  return isIntegerIn(value, 0, Number.MAX_SAFE_INTEGER);
}

function isIntegerIn(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most;
}
