/**
 * Errors as HTTP tells them: problem documents (RFC 9457).
 *
 * Owns which error has which status. What went wrong inside is told to the log, and to the client only that it did.
 */
import { STATUS_CODES } from "node:http";
import type { FastifyError } from "fastify";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import type { Problem } from "../../protocol/http-api/problem.js";

/** The media type of a problem document. */
export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** It cannot be done at this moment, and may be soon. */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";
}

/** There is no such thing here, and could be: the message says how. */
export class NotHereError extends Error {
  override readonly name = "NotHereError";
}

/** What a client is told of an error. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ConflictError) return { ...problem(409, error.message), conflicts: error.conflicts };
  if (error instanceof UnavailableError) return problem(503, error.message);
  if (error instanceof QueryError) return problem(400, error.message);
  if (error instanceof NotHereError) return problem(404, error.message);
  const { statusCode } = error as Partial<FastifyError>;
  // Fastify's own refusals: what cannot be parsed, what no schema allows, what is too large.
  if (error instanceof Error && statusCode !== undefined && statusCode < 500) return problem(statusCode, error.message);
  return problem(500, "the daemon failed to answer this; its log says why");
}

/** A problem document. */
export function problem(status: number, detail: string): Problem {
  return { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail };
}
