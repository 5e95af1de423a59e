/**
 * What stands in journal and history for a value that is not written down.
 *
 * Owns the form, which anybody can tell; whether a marker is genuine only who has the key (`daemon/journal/redaction.ts`).
 */
import type { ByteString } from "./bytes.js";

/** What every marker begins with. */
export const REDACTION_PREFIX = "redacted:hmac-sha256:";

const MARKER = /^redacted:hmac-sha256:([0-9a-f]{64}):([0-9a-f]{32})$/;

/** The two hashes of a marker: that of the value, and the one that vouches for the marker; undefined for any other value. */
export function parseRedactionMarker(value: ByteString): { readonly value: string; readonly seal: string } | undefined {
  const [, hash, seal] = MARKER.exec(value) ?? [];
  return hash === undefined || seal === undefined ? undefined : { value: hash, seal };
}

/** Whether a value looks like a marker. */
export function isRedactionMarker(value: ByteString): boolean {
  return MARKER.test(value);
}
