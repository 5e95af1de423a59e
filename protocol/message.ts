/**
 * Messages: a header of four little-endian uint32 (type, req_id, tx_id, len) and a payload.
 *
 * Owns the header's encoding. Source: xenstore.txt, `struct xsd_sockmsg` of `io/xs_wire.h`.
 */
import type { ByteString } from "./bytes.js";
import type { ErrorName } from "./errno.js";
import { XENSTORE_HEADER_SIZE } from "./limits.js";
import { ERROR, WATCH_EVENT } from "./operation.js";

/** A message in either direction. */
export interface Message {
  /** Message type: a number of the operation table, WATCH_EVENT or ERROR; anything at all from a bad client. */
  readonly type: number;
  /** Chosen by the client and echoed in the reply; uint32. */
  readonly requestId: number;
  /** Transaction, or 0; uint32. */
  readonly txId: number;
  readonly payload: ByteString;
}

const char = String.fromCharCode;

/** Encodes a uint32 as four bytes, least significant first. */
export function serializeUint32(value: number): ByteString {
  return char(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}

/** Decodes the little-endian uint32 at `offset`; the caller has checked that four bytes are there. */
export function parseUint32(bytes: ByteString, offset: number): number {
  return (
    (bytes.charCodeAt(offset) |
      (bytes.charCodeAt(offset + 1) << 8) |
      (bytes.charCodeAt(offset + 2) << 16) |
      (bytes.charCodeAt(offset + 3) << 24)) >>>
    0
  );
}

/** Encodes a header for a payload of `length` bytes. */
export function serializeHeader(type: number, requestId: number, txId: number, length: number): ByteString {
  return char(
    type & 0xff,
    (type >>> 8) & 0xff,
    (type >>> 16) & 0xff,
    type >>> 24,
    requestId & 0xff,
    (requestId >>> 8) & 0xff,
    (requestId >>> 16) & 0xff,
    requestId >>> 24,
    txId & 0xff,
    (txId >>> 8) & 0xff,
    (txId >>> 16) & 0xff,
    txId >>> 24,
    length & 0xff,
    (length >>> 8) & 0xff,
    (length >>> 16) & 0xff,
    length >>> 24,
  );
}

/** Encodes a message. The caller keeps the payload within `XENSTORE_PAYLOAD_MAX`. */
export function serializeMessage(message: Message): ByteString {
  const { type, requestId, txId, payload } = message;
  return serializeHeader(type, requestId, txId, payload.length) + payload;
}

/** Encodes the error reply to a request: type ERROR, payload `ENAME|`. */
export function serializeError(requestId: number, txId: number, error: ErrorName): ByteString {
  return serializeHeader(ERROR, requestId, txId, error.length + 1) + error + "\0";
}

/** Encodes a watch event `<epath>|<token>|`; req_id and tx_id are 0 (xenstore.txt, WATCH_EVENT). */
export function serializeWatchEvent(path: ByteString, token: ByteString): ByteString {
  return serializeHeader(WATCH_EVENT, 0, 0, path.length + token.length + 2) + path + "\0" + token + "\0";
}

/** Bytes of a message with a payload of `payloadLength` bytes. */
export function messageSize(payloadLength: number): number {
  return XENSTORE_HEADER_SIZE + payloadLength;
}
