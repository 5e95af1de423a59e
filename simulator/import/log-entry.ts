/**
 * What the logs of other daemons say that is worth a history: the requests that change the store, and how transactions end.
 *
 * Owns what the two formats have in common. A parser never throws; what it cannot use it counts, and names where a reader
 * may want to look.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, Microseconds } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";

/** The operations that an import applies. */
export const IMPORTED_OPERATIONS = [
  "WRITE",
  "MKDIR",
  "RM",
  "SET_PERMS",
  "INTRODUCE",
  "RELEASE",
  "RESUME",
  "SET_TARGET",
] as const satisfies readonly OperationName[];

/** See `IMPORTED_OPERATIONS`. */
export type ImportedOperation = (typeof IMPORTED_OPERATIONS)[number];

/** What a line made happen. */
export type LogAction =
  | {
      readonly kind: "request";
      readonly operation: ImportedOperation;
      readonly payload: ByteString;
      /** An id of the connection's own; undefined outside of transactions. */
      readonly transaction: number | undefined;
      /** Whether the log has only the beginning of the value. */
      readonly isCut: boolean;
    }
  /** All requests of the transaction, in their order, as one. */
  | { readonly kind: "commit"; readonly transaction: number; readonly requests: readonly LogEntry[] }
  /** A node that was removed together with its owner, if it is still there. */
  | { readonly kind: "orphan"; readonly path: ByteString }
  | { readonly kind: "closed" };

/** A line that changed something, or the end of a transaction that did. */
export interface LogEntry {
  /** From 1. */
  readonly line: number;
  readonly time: Microseconds;
  /** As the log calls it. */
  readonly connection: string;
  readonly domid: Domid;
  readonly action: LogAction;
}

/** A line that was not imported, though it may have changed something. */
export interface SkippedLine {
  readonly line: number;
  /** For people. */
  readonly reason: string;
}

/** A log, read. */
export interface ParsedLog {
  readonly entries: readonly LogEntry[];
  readonly skipped: readonly SkippedLine[];
  /** Lines that make sense, whether or not they change anything. */
  readonly understood: number;
  readonly lines: number;
  /** Transactions that changed nothing: those that ended in a conflict, and those that were given up. */
  readonly conflicts: number;
  readonly abandoned: number;
  /** Whether the log tells of requests that failed because there was no node. */
  readonly tellsMissing: boolean;
  /** What to know before trusting the history, for people. */
  readonly notes: readonly string[];
}

/** Formats that can be read, with what they are for people. */
export const LOG_FORMATS = {
  oxenstored: "an access log of oxenstored",
  c: "a trace of C xenstored",
} as const;

/** See `LOG_FORMATS`. */
export type LogFormat = keyof typeof LOG_FORMATS;
