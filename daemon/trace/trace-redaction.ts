/**
 * Redaction of requests: what of a request and its reply may stand in the trace.
 *
 * Owns where the value of a node can be: in a WRITE's payload and in a READ's reply, in a transaction or not, refused or
 * not. Other replies hold names, perms, numbers and texts of the daemon. What cannot be understood may be anything, so a
 * payload that its operation does not define is left out whole; an empty value hides nothing and is told. Names, watch
 * tokens and what an operator has printed are not values. The journal's redaction (`journal/redaction.ts`) has a marker that
 * tells equal values by a key; a trace is passed around without that key, so here stands nothing.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, Path } from "../../protocol/identifiers.js";
import { getOperation } from "../../protocol/operation.js";
import { parsePath } from "../../protocol/path.js";
import { REQUEST_CODECS } from "../../protocol/payload.js";
import type { TracedReply } from "../../protocol/request-trace.js";

/** Whether the value at a path is not to be written down. */
export type IsSecret = (path: Path) => boolean;

/** A request with its reply. */
export interface Exchange {
  readonly domid: Domid;
  readonly type: number;
  readonly payload: ByteString;
  readonly reply: TracedReply;
}

/** What of it may be written. */
export interface TraceableExchange {
  readonly payload: ByteString | undefined;
  readonly reply: TracedReply | undefined;
  readonly redacted: boolean;
}

/** Leaves out the values at secret paths, and payloads of which nobody can say what they hold. */
export function redactExchange(exchange: Exchange, isSecret: IsSecret): TraceableExchange {
  const operation = getOperation(exchange.type);
  if (operation?.name === "WRITE") return redactWrite(exchange, isSecret);
  if (operation?.name === "READ") return redactRead(exchange, isSecret);
  return isUnderstood(exchange) ? whole(exchange) : withoutPayload(exchange);
}

function whole({ payload, reply }: Exchange): TraceableExchange {
  return { payload, reply, redacted: false };
}

function withoutPayload({ reply }: Exchange): TraceableExchange {
  return { payload: undefined, reply, redacted: true };
}

function redactWrite(exchange: Exchange, isSecret: IsSecret): TraceableExchange {
  const { domid, payload, reply } = exchange;
  const request = REQUEST_CODECS.WRITE.parse(payload);
  const path = request === undefined ? undefined : parsePath(request.path, domid);
  if (request === undefined || path === undefined) return withoutPayload(exchange);
  if (request.value === "") return whole(exchange);
  return isSecret(path) ? { payload: `${request.path}\0`, reply, redacted: true } : whole(exchange);
}

function redactRead(exchange: Exchange, isSecret: IsSecret): TraceableExchange {
  const { domid, payload, reply } = exchange;
  if (typeof reply !== "string") return isUnderstood(exchange) ? whole(exchange) : withoutPayload(exchange);
  const request = REQUEST_CODECS.READ.parse(payload);
  const path = request === undefined ? undefined : parsePath(request.path, domid);
  // A READ that succeeded had a path.
  if (reply === "" || (path !== undefined && !isSecret(path))) return whole(exchange);
  return { payload, reply: undefined, redacted: true };
}

/** Whether the payload is one that the operation defines; what was answered without an error was. */
function isUnderstood({ type, payload, reply }: Exchange): boolean {
  const operation = getOperation(type);
  // The payload of these is reserved and ignored: clients send a NUL or nothing.
  const isReserved = operation?.name === "TRANSACTION_START" || operation?.name === "RESET_WATCHES";
  if (isReserved) return payload === "" || payload === "\0";
  if (typeof reply === "string") return true;
  return operation !== undefined && REQUEST_CODECS[operation.name].parse(payload) !== undefined;
}
