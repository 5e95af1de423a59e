/**
 * The errors of the client library.
 *
 * Owns their classes and how they read. Each says what was asked, of what, and what was wrong, in one line.
 */
import { textFromBytes } from "../../protocol/bytes.js";
import { isErrorName, type ErrorName } from "../../protocol/errno.js";
import type { OperationName } from "../../protocol/operation.js";

const MEANINGS: Readonly<Record<ErrorName, string>> = {
  EINVAL: "invalid request",
  EACCES: "permission denied",
  EEXIST: "exists already",
  EISDIR: "is a directory",
  ENOENT: "does not exist",
  ENOMEM: "out of memory",
  ENOSPC: "a quota is used up, or the disk is full",
  EIO: "input/output error",
  ENOTEMPTY: "not empty",
  ENOSYS: "not supported by this daemon",
  EROFS: "read-only",
  EBUSY: "busy",
  EAGAIN: "others changed the same data meanwhile",
  EISCONN: "connected already",
  E2BIG: "too long",
  EPERM: "not permitted",
};

/** Most characters of a path or name that a message shows. */
const SUBJECT_SHOWN_MAX = 200;

function shown(subject: string): string {
  const text = textFromBytes(subject);
  return text.length > SUBJECT_SHOWN_MAX ? `${text.slice(0, SUBJECT_SHOWN_MAX)}…` : text;
}

/** What a request failed with. */
export interface RequestFailure {
  readonly operation: OperationName;
  /** The path, or what else the request was about; a byte string, empty for none. */
  readonly subject: string;
  /** An error name of the wire; another name than those would be the daemon's mistake, and is kept as it came. */
  readonly code: string;
  /** What is wrong, where that can be told better than by the code's general meaning. */
  readonly reason?: string;
}

/**
 * An error without a stack. Where a reply or the end of a connection arrives, the stack holds nothing but the way from the
 * socket, and no frame of whoever asked; and to capture it takes longer than the whole request.
 */
abstract class StacklessError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** A request that was refused: by the daemon, or here because the daemon would have to refuse it. */
export class XenstoreError extends StacklessError {
  /** The error name, such as `ENOENT`. */
  readonly code: string;
  readonly operation: OperationName;
  /** The path, or what else the request was about; a byte string, empty for none. */
  readonly subject: string;

  constructor({ operation, subject, code, reason }: RequestFailure) {
    const meaning = reason ?? (isErrorName(code) ? MEANINGS[code] : "an error that XenStore does not have");
    super(`${operation}${subject === "" ? "" : ` ${shown(subject)}`}: ${meaning} (${code})`);
    this.name = "XenstoreError";
    this.operation = operation;
    this.subject = subject;
    this.code = code;
  }
}

/** Whether this is a request that was refused with one of these errors; with any error, when none is named. */
export function isXenstoreError(error: unknown, ...codes: readonly ErrorName[]): error is XenstoreError {
  if (!(error instanceof XenstoreError)) return false;
  return codes.length === 0 || (codes as readonly string[]).includes(error.code);
}

/**
 * The connection ended, or the client was closed. A request that was under way may or may not have been carried out; a
 * transaction was not, unless its TRANSACTION_END was under way.
 */
export class ConnectionLostError extends StacklessError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ConnectionLostError";
  }
}

/** The daemon answered what no xenstored would. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProtocolError";
  }
}

/** No connection could be opened. */
export class ConnectError extends Error {
  /** The system's error name, such as `ENOENT`. */
  readonly code: string;

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ConnectError";
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
