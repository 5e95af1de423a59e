/**
 * Outcomes: what a handler returns.
 *
 * Owns the three cases: the reply's payload, an error's name, or nothing yet. Errors are shared objects, so that a failed
 * request costs no more than a successful one.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { ERROR_NAMES, type ErrorName } from "../../protocol/errno.js";

/** A request that failed. */
export interface Failure {
  readonly error: ErrorName;
}

/** The reply will be sent later, by `Core.answer`. */
export const DEFERRED: unique symbol = Symbol("deferred");

/** What became of a request: the reply's payload, a failure, or `DEFERRED`. */
export type Outcome = ByteString | Failure | typeof DEFERRED;

/** The payload of success without data. */
export const OK = "OK\0";

const failures = new Map<ErrorName, Failure>(ERROR_NAMES.map((error) => [error, { error }]));

/** The outcome of a failed request. */
export function fail(error: ErrorName): Failure {
  return failures.get(error) ?? { error };
}
