/**
 * Times as people and Git's tools read them: `2026-08-01T12:00:00.123456Z`.
 */
import type { Microseconds } from "./identifiers.js";

const MICROSECONDS_PER_SECOND = 1_000_000;
const FRACTION_DIGITS = 6;

/** The last second that was written, because most times are of the same one. */
let known = { seconds: 0, text: "1970-01-01T00:00:00" };

/** A time in ISO 8601, UTC, with all six digits of its fraction. */
export function isoTime(time: Microseconds): string {
  const seconds = Math.floor(time / MICROSECONDS_PER_SECOND);
  if (seconds !== known.seconds) {
    known = { seconds, text: new Date(seconds * 1000).toISOString().slice(0, -".000Z".length) };
  }
  const fraction = String(time - seconds * MICROSECONDS_PER_SECOND).padStart(FRACTION_DIGITS, "0");
  return `${known.text}.${fraction}Z`;
}
