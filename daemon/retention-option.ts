/**
 * How much history to keep, as the command line says it.
 *
 * Owns the form of `--keep-commits` and `--keep-age`, and the words about a bad one. What they mean for a history is
 * `history/recorder/retention-plan.ts`'s.
 */
import { InvalidArgumentError } from "commander";

/** Fewer than a seq can count, and more than any disk holds. */
const COMMITS_MAX = 1_000_000_000;
const AGE = /^([1-9][0-9]{0,8})([smhdw])$/;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
/** A century, so that a date less an age is still a date. */
const AGE_SECONDS_MAX = 100 * 366 * 86_400;

/** Parses a number of commits. */
export function parseKeepCommits(text: string): number {
  const value = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : NaN;
  if (value <= COMMITS_MAX) return value;
  throw new InvalidArgumentError(`It is a number of commits from 1 to ${String(COMMITS_MAX)}.`);
}

/** Parses an age such as `30d`; returns seconds. */
export function parseKeepAge(text: string): number {
  const [, count, unit] = AGE.exec(text) ?? [];
  const seconds = Number(count) * (SECONDS[unit ?? ""] ?? NaN);
  if (seconds <= AGE_SECONDS_MAX) return seconds;
  throw new InvalidArgumentError(
    "It is a number and a unit (s, m, h, d or w), such as 30d or 12h, and at most a century.",
  );
}
