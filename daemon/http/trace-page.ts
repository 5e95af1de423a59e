/**
 * What a request trace has, page by page.
 *
 * Owns which lines a page has: those of the time in question, from where the first of them is found up to the first that is later. The wall
 * clock may be set back: then lines around that may be missing in what is told of a time. It owns too what bounds a page, by lines and by
 * time, and the cursor: the file, by what it begins with, because its name changes, and how far it was read.
 */
import { textFromBytes, textStart, type ByteString } from "../../protocol/bytes.js";
import { QueryError } from "../../protocol/http-api/history-queries.js";
import {
  TRACE_PAGE_MAX,
  TRACE_TEXT_MAX,
  type TraceLineJson,
  type TraceOriginJson,
  type TracePage,
  type TraceQuery,
} from "../../protocol/http-api/trace.js";
import {
  parseTraceLine,
  type TracedConnection,
  type TracedEvent,
  type TracedHeader,
  type TracedRequest,
  type TraceLine,
} from "../../protocol/request-trace.js";
import { PAGE_MILLISECONDS_MAX } from "../history/query/question.js";
import type { ConsolePorts } from "./console-ports.js";
import { withTraceFiles, type OpenTraceFile } from "./trace-files.js";

const CURSOR = /^([0-9a-f]{16}):([1-9][0-9]{0,14})$/;

/** @param path - absolute, FILE of the trace. @throws QueryError for a cursor that leads nowhere (any more) */
export function tracePage(
  { fileSystem, clock }: Pick<ConsolePorts, "fileSystem" | "clock">,
  path: string,
  query: TraceQuery,
): TracePage {
  const { from, cursor } = query;
  const deadline = clock.monotonicMilliseconds() + PAGE_MILLISECONDS_MAX;
  const isOver = (): boolean => clock.monotonicMilliseconds() > deadline;
  if (cursor !== undefined) {
    const [, digest, digits] = CURSOR.exec(cursor) ?? [];
    if (digest === undefined) throw new QueryError(`${JSON.stringify(cursor)} is no cursor: give the "next" of a page`);
    const place = Number(digits);
    const isMeant = (file: OpenTraceFile): boolean => file.size >= place && file.digest(place) === digest;
    return withTraceFiles(fileSystem, path, {
      isEnough: isMeant,
      use: (files) => {
        const [first] = files;
        if (first !== undefined && isMeant(first)) return pageOf(files, place, query, isOver);
        throw new QueryError("the trace's file in which the page before this one ended has been removed: begin anew");
      },
    });
  }
  return withTraceFiles(fileSystem, path, {
    isEnough: (file) => from !== undefined && (file.firstTime() ?? Infinity) < from,
    use: (files) => pageOf(files, from === undefined ? 0 : (files[0]?.placeOf(from) ?? 0), query, isOver),
  });
}

/**
 * @param files - the oldest first
 * @param place - where to begin in that
 */
function pageOf(
  files: readonly OpenTraceFile[],
  place: number,
  { from = 0, to = Infinity, limit = TRACE_PAGE_MAX }: TraceQuery,
  isOver: () => boolean,
): TracePage {
  const lines: TraceLineJson[] = [];
  const most = Math.max(1, Math.min(limit, TRACE_PAGE_MAX));
  for (const [index, file] of files.entries()) {
    for (const { text, end } of file.lines(index === 0 ? place : 0)) {
      const parsed = parseTraceLine(text);
      if (parsed.ok && parsed.line.kind !== "header") {
        if (parsed.line.time > to) return { lines };
        if (parsed.line.time >= from) lines.push(lineJson(parsed.line));
      }
      if (lines.length < most && !isOver()) continue;
      const isAll = end === file.size && index === files.length - 1;
      return isAll ? { lines } : { lines, next: `${file.digest(end)}:${String(end)}` };
    }
  }
  return { lines };
}

function lineJson(line: Exclude<TraceLine, TracedHeader>): TraceLineJson {
  switch (line.kind) {
    case "request":
      return requestJson(line);
    case "event":
      return { kind: "event", ...originJson(line), path: shown(line.path), token: shown(line.token) };
    case "opened":
    case "closed":
      return { kind: line.kind, ...originJson(line) };
    case "gap":
      return line;
  }
}

function originJson({ time, connection, domid }: TracedRequest | TracedEvent | TracedConnection): TraceOriginJson {
  return { time, connection: shown(connection), domain: domid };
}

function requestJson(line: TracedRequest): TraceLineJson {
  const { txId, operation, payload, reply, seq, asked } = line;
  return {
    kind: "request",
    ...originJson(line),
    tx: txId === 0 ? undefined : txId,
    operation: String(operation),
    payload: payload === undefined ? undefined : shown(payload),
    reply: typeof reply === "string" ? shown(reply) : undefined,
    error: typeof reply === "object" ? reply.error : undefined,
    seq,
    asked,
  };
}

function shown(bytes: ByteString): string {
  return textStart(textFromBytes(bytes), TRACE_TEXT_MAX);
}
