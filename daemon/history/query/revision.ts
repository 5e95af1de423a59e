/**
 * Revisions: how a person names a commit.
 *
 * Owns the notation and every check of it; which commit it comes to is `resolve-revision.ts`. It is Git's (gitrevisions(7))
 * where Git has one, with seqs in place of reflog entries:
 *
 *     main, v1, refs/tags/v1, HEAD     a branch, a tag, any ref; HEAD or `@` is the repository's branch
 *     9c1185a5                         an oid, or its first digits, four at least, where only one commit has them; in capitals too.
 *                                      Fewer than seven that are a commit's number too are refused
 *     @{1234}, try@{1234}              the commit with that seq on main, on another branch
 *     @{2026-11-23T07:10:04.5}         the last commit at that time, UTC unless it says otherwise (`+01:00`)
 *     @{5 minutes ago}, @{now}         the same, counted back from now
 *     main~3, @{1234}~, ~3             so many commits before it; without anything before it, before HEAD
 */
import type { Microseconds } from "../../../protocol/identifiers.js";

/** What a revision begins with. A branch that is not named is main. */
export type RevisionStart =
  /** A ref, or an oid in hexadecimal, perhaps abbreviated. */
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "seq"; readonly branch: string | undefined; readonly seq: number }
  | { readonly kind: "time"; readonly branch: string | undefined; readonly time: Microseconds };

/** A revision. */
export interface Revision {
  /** As it was written. */
  readonly text: string;
  readonly start: RevisionStart;
  /** How many commits before it, along first parents. */
  readonly before: number;
}

/** Names no commit: it makes no sense, or there is none. The message says what was wrong and what would be right. */
export class RevisionError extends Error {
  override readonly name: string = "RevisionError";
}

/** Names a time before the first commit that is left. */
export class BeforeHistoryError extends RevisionError {}

const STEPS_BACK = /[~^][0-9]*/g;
const BEHIND = /((?:[~^][0-9]*)*)$/;
const BRACES = /^(.*?)@\{(.*)\}$/s;
const SEQ = /^(?:0|[1-9][0-9]{0,15})$/;

const AGO = /^([0-9]+(?:\.[0-9]+)?) *([a-z]+) ago$/;
const UNIT_SECONDS: ReadonlyMap<string, number> = new Map(
  (
    [
      [1, ["second", "seconds", "sec", "secs", "s"]],
      [60, ["minute", "minutes", "min", "mins", "m"]],
      [3600, ["hour", "hours", "h"]],
      [86_400, ["day", "days", "d"]],
      [604_800, ["week", "weeks", "w"]],
    ] as const
  ).flatMap(([seconds, words]) => words.map((word) => [word, seconds])),
);
const MOMENT =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6})[0-9]*)?)?)?(Z|[+-][0-9]{2}:[0-9]{2})?$/;

const MICROSECONDS_PER_SECOND = 1_000_000;
const MICROSECONDS_PER_MILLISECOND = 1000;

/**
 * Reads a revision.
 *
 * @param now - what `ago` is counted from
 * @throws RevisionError
 */
export function parseRevision(text: string, now: Microseconds): Revision {
  const behind = BEHIND.exec(text)?.[1] ?? "";
  let before = 0;
  for (const [step] of behind.matchAll(STEPS_BACK)) before += stepsOf(step, text);
  const name = text.slice(0, text.length - behind.length);
  if (name === "" && behind === "") throw new RevisionError(`an empty revision names no commit: ${EXAMPLES}`);
  return { text, start: parseStart(name, text, now), before };
}

const EXAMPLES = "write a branch, a tag, an object id, @{1234}, @{5 minutes ago} or @{2026-11-23T07:10:04}";

function stepsOf(step: string, text: string): number {
  const count = step.length === 1 ? 1 : Number(step.slice(1));
  // The second parent is the other side of a merge, and has a name of its own.
  if (step.startsWith("^") && count > 1) {
    throw new RevisionError(
      `${text}: ${step} is not known here: ~N goes N commits back; of a merge, xs show tells the object id of the other parent`,
    );
  }
  return count;
}

function parseStart(name: string, text: string, now: Microseconds): RevisionStart {
  if (name === "" || name === "@") return { kind: "name", name: "HEAD" };
  const [, branch = "", inside] = BRACES.exec(name) ?? [];
  if (inside === undefined) return { kind: "name", name };
  const on = branch === "" ? undefined : branch;
  if (SEQ.test(inside)) return { kind: "seq", branch: on, seq: Number(inside) };
  return { kind: "time", branch: on, time: parseTime(inside, now, text) };
}

function parseTime(inside: string, now: Microseconds, text: string): Microseconds {
  if (inside === "now") return now;
  const [, count, word] = AGO.exec(inside) ?? [];
  if (count !== undefined && word !== undefined) {
    const unit = UNIT_SECONDS.get(word);
    if (unit === undefined) {
      throw new RevisionError(`${text}: ${word} is no unit of time: write seconds, minutes, hours, days or weeks`);
    }
    return Math.round(now - Number(count) * unit * MICROSECONDS_PER_SECOND) as Microseconds;
  }
  const moment = parseMoment(inside);
  if (moment !== undefined) return moment;
  throw new RevisionError(
    `${text}: ${JSON.stringify(inside)} is neither a commit's number nor a time: write @{1234}, @{5 minutes ago} or @{2026-11-23T07:10:04.5}`,
  );
}

/** A calendar time; what is left out at its end is zero. Undefined when it is none. */
function parseMoment(inside: string): Microseconds | undefined {
  const [, date, minutes = "00:00", seconds = "00", fraction = "", zone = "Z"] = MOMENT.exec(inside) ?? [];
  if (date === undefined) return undefined;
  const local = Date.parse(`${date}T${minutes}:${seconds}Z`);
  // 30 February is a day in March to `Date`.
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, date.length) !== date) return undefined;
  const milliseconds = Date.parse(`${date}T${minutes}:${seconds}${zone}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return (milliseconds * MICROSECONDS_PER_MILLISECOND + Number(fraction.padEnd(6, "0"))) as Microseconds;
}
