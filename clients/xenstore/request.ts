/**
 * From a request's meaning to what a session sends.
 *
 * Owns the checks that only the sender can make: a NUL inside a path would be read as the next argument, and a character
 * that is no byte would be cut to one silently. Whether a path is valid is the daemon's to say.
 */
import { isByteString, type ByteString } from "../../protocol/bytes.js";
import type { OperationName } from "../../protocol/operation.js";
import { REQUEST_CODECS, type RequestPayloads } from "../../protocol/payload.js";
import { XenstoreError } from "./errors.js";
import type { SessionRequest } from "./session.js";

/** What a request is about, for messages to people. */
function subjectOf(request: RequestPayloads[OperationName]): ByteString {
  if ("path" in request) return request.path;
  if ("command" in request) return request.command;
  if ("quota" in request && request.quota !== undefined) return request.quota;
  if ("domid" in request && request.domid !== undefined) return `domain ${String(request.domid)}`;
  return "";
}

/** The first argument with a NUL in it. A WRITE's value may hold any byte. */
function argumentWithNul(request: object): string | undefined {
  for (const [name, value] of Object.entries(request) as [string, unknown][]) {
    if (name === "value") continue;
    if (typeof value === "string" ? value.includes("\0") : Array.isArray(value) && hasNul(value)) return name;
  }
  return undefined;
}

function hasNul(values: readonly unknown[]): boolean {
  return values.some((value) => typeof value === "string" && value.includes("\0"));
}

/** Encodes a request; throws when it could not arrive as it is meant. */
export function encodeRequest<Name extends OperationName>(
  operation: Name,
  request: RequestPayloads[Name],
  txId: number,
): SessionRequest {
  const subject = subjectOf(request);
  const name = argumentWithNul(request);
  if (name !== undefined) {
    const reason = `the ${name} holds a NUL byte, which ends an argument`;
    throw new XenstoreError({ operation, subject: subject.replaceAll("\0", "\\0"), code: "EINVAL", reason });
  }
  const payload = REQUEST_CODECS[operation].serialize(request);
  if (!isByteString(payload)) {
    throw new TypeError(
      `${operation} ${subject}: a character above U+00FF is no byte; encode text with bytesFromText, or use writeText`,
    );
  }
  return { operation, txId, payload, subject };
}
