/**
 * Lines of request traces for tests, written short.
 *
 * Owns their notation.
 */
import { AsciiBuffer } from "../../protocol/ascii-buffer.js";
import type { Domid, Microseconds, Seq } from "../../protocol/identifiers.js";
import {
  writeTraceLine,
  type TracedConnection,
  type TracedEvent,
  type TracedHeader,
  type TracedRequest,
  type TraceLine,
} from "../../protocol/request-trace.js";
import type { PlacedLine } from "../../simulator/replay/load-trace.js";

const SECOND = 1_000_000;

/** A header of the life that started at `started` seconds. */
export function header(started = 1, seq = 0): TracedHeader {
  const time = (started * SECOND) as Microseconds;
  return { kind: "header", daemon: "test", started: time, time, seq: seq as Seq };
}

/** A connection that came or went. */
export function connectionLine(
  kind: "opened" | "closed",
  connection: string,
  { time = 1, domid = 0 }: { readonly time?: number; readonly domid?: number } = {},
): TracedConnection {
  return { kind, connection, domid: domid as Domid, time: time as Microseconds };
}

/** A watch event. */
export function eventLine(connection: string, path: string, token: string, time = 1): TracedEvent {
  return { kind: "event", time: time as Microseconds, connection, domid: 0 as Domid, path, token };
}

/** A request; NULs in payload and reply are written as `|`. */
export function requestLine(
  connection: string,
  operation: TracedRequest["operation"],
  payload: string,
  reply: string | { readonly error: "ENOENT" | "EACCES" | "EAGAIN" | "EINVAL" },
  rest: {
    readonly time?: number;
    readonly domid?: number;
    readonly txId?: number;
    readonly asked?: number;
    readonly seq?: number;
  } = {},
): TracedRequest {
  const { time = 1, domid = 0, txId = 0, asked, seq } = rest;
  return {
    kind: "request",
    time: time as Microseconds,
    connection,
    domid: domid as Domid,
    txId,
    operation,
    payload: payload.replaceAll("|", "\0"),
    reply: typeof reply === "string" ? reply.replaceAll("|", "\0") : reply,
    seq: seq as Seq | undefined,
    asked: asked as Microseconds | undefined,
    redacted: false,
  };
}

/** The lines as they are read from a file. */
export function placed(lines: readonly TraceLine[]): PlacedLine[] {
  return lines.map((line, index) => ({ place: { file: "trace.json", line: index + 1 }, line }));
}

/** The lines as they stand in a file. */
export function traceText(lines: readonly TraceLine[]): string {
  const buffer = new AsciiBuffer();
  for (const line of lines) writeTraceLine(buffer, line);
  return buffer.bytes.toString("latin1");
}
