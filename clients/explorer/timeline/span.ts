/**
 * A stretch of time in an address: `2026-11-23T07:10:04.500000Z~2026-11-23T07:11:00.000000Z`.
 */
import { isoOf, microsecondsOf } from "../words/times.js";
import type { Span } from "./density-scale.js";

/** The stretch that a text names; undefined where it names none. */
export function parseSpan(text: string): Span | undefined {
  const [from, to] = text.split("~").map(microsecondsOf);
  if (from === undefined || to === undefined || !(from < to)) return undefined;
  return { from, to };
}

/** The text of a stretch. */
export function serializeSpan({ from, to }: Span): string {
  return `${isoOf(from)}~${isoOf(to)}`;
}
