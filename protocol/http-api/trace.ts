/**
 * What the request trace has, by time: reads, failures and watch events, of which no commit tells.
 *
 * Owns the route with its question and answer. The trace is that of `xenstored-tng --trace` (`protocol/request-trace.ts`); where there is
 * none, the route answers 404.
 */

/** `GET /v1/trace` */
export interface TraceQuery {
  /** The first line's time, in microseconds since the epoch; what the trace begins with unless given. */
  readonly from?: number | undefined;
  /** The last line's; what the trace ends with unless given. */
  readonly to?: number | undefined;
  /** At most so many lines, `TRACE_PAGE_MAX` unless given. */
  readonly limit?: number | undefined;
  /** Where the page before this one ended: its `next`. The other members are to be the same. */
  readonly cursor?: string | undefined;
}

/** Most lines of a page. */
export const TRACE_PAGE_MAX = 5000;

/** Most characters that are told of a payload, a reply, a path or a token. */
export const TRACE_TEXT_MAX = 200;

/** A page of the trace. */
export interface TracePage {
  /** In the order of the trace. */
  readonly lines: readonly TraceLineJson[];
  /** Where to go on, also after a page without any line: a page takes a bounded time. Left out at the end. */
  readonly next?: string | undefined;
}

/** A line; times are in microseconds since the epoch. Texts may be their beginnings only. */
export type TraceLineJson =
  | ({ readonly kind: "request" } & TraceRequestJson)
  | ({ readonly kind: "event"; readonly path: string; readonly token: string } & TraceOriginJson)
  | ({ readonly kind: "opened" | "closed" } & TraceOriginJson)
  /** So many lines are missing here. */
  | { readonly kind: "gap"; readonly time: number; readonly dropped: number };

/** Of which connection a line is. */
export interface TraceOriginJson {
  readonly time: number;
  readonly connection: string;
  readonly domain: number;
}

/** A request with what it was answered. */
export interface TraceRequestJson extends TraceOriginJson {
  /** Left out outside of transactions. */
  readonly tx?: number | undefined;
  /** A name; the number of a type that has none. */
  readonly operation: string;
  /** NULs as such. Left out where it was redacted. */
  readonly payload?: string | undefined;
  /** Left out with an error, and where it was redacted. */
  readonly reply?: string | undefined;
  readonly error?: string | undefined;
  /** Of the commit that it made. */
  readonly seq?: number | undefined;
  /** When it was asked, where that was before `time`. */
  readonly asked?: number | undefined;
}

/** Where it is asked for. */
export const TRACE_ROUTE = "/v1/trace";
