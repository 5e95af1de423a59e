/**
 * Loads what is known of a stretch of time, page by page.
 *
 * Owns which commits these are, what bounds them, and that what is there already is not asked again: while the tip is followed, only what
 * came since. Where the daemon keeps no trace, that is no error.
 */
import type { ActivityCommit, ActivityPage, ActivityQuery } from "../../../protocol/http-api/activity.js";
import type { DensityAnswer, DensityQuery } from "../../../protocol/http-api/density.js";
import type { FailuresAnswer } from "../../../protocol/http-api/failures.js";
import type { TraceLineJson, TracePage, TraceQuery } from "../../../protocol/http-api/trace.js";
import type { Span } from "../timeline/density-scale.js";
import { isoOf, microsecondsOf, timeOf } from "../words/times.js";
import type { Recording } from "./recording.js";

/** Who is asked. */
export interface RecordingPorts {
  density(query: DensityQuery): Promise<DensityAnswer>;
  activity(query: ActivityQuery): Promise<ActivityPage>;
  /** Undefined where there is none. */
  trace(query: TraceQuery): Promise<TracePage | undefined>;
  failures(): Promise<FailuresAnswer>;
  /** Told how far it is. */
  progress(progress: LoadProgress): void;
}

/** How far it is; what is done may be zero of zero. */
export interface LoadProgress {
  readonly what: "commits" | "lines of the trace";
  readonly done: number;
  /** Undefined where it is not known. */
  readonly of: number | undefined;
}

/** Which stretch: that of a span, or the last commits up to one. */
export type WantedStretch = { readonly span: Span } | { readonly to: string };

/** What was loaded, and of which stretch. */
export interface LoadedRecording extends Recording {
  /** How many commits the stretch has that are left out, at its beginning. */
  readonly omitted: number;
  /** Whether lines of the trace were left out. */
  readonly isTraceCut: boolean;
  /** The stretch of the trace that was asked for. */
  readonly traced: Span;
}

/** So many commits up to a moment. */
export const RECENT_COMMITS = 5000;
/** Most commits of a stretch. */
export const COMMITS_MAX = 50_000;
/** Most lines of the trace. */
export const LINES_MAX = 200_000;

/** Loads a stretch. @param held - what was loaded before, perhaps of another stretch @throws ApiError */
export async function loadRecording(
  ports: RecordingPorts,
  wanted: WantedStretch,
  held: LoadedRecording | undefined,
): Promise<LoadedRecording> {
  const { toOid, fromSeq, toSeq, omitted } = await resolve(ports, wanted);
  // Between two commits there may be reads.
  const commits = fromSeq > toSeq ? [] : await loadCommits(ports, { toOid, fromSeq, toSeq, held: held?.commits ?? [] });
  const traced = tracedSpan(wanted, commits);
  const [{ lines, isTraceCut }, { failures }] = await Promise.all([loadLines(ports, traced, held), ports.failures()]);
  const isInside = ({ time }: { readonly time: string }): boolean => {
    const at = microsecondsOf(time);
    return at >= traced.from && at <= traced.to;
  };
  return { commits, lines, failures: failures.filter(isInside), omitted, isTraceCut, traced };
}

interface ResolvedStretch {
  /** The commit's at `toSeq`. */
  readonly toOid: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly omitted: number;
}

async function resolve(ports: RecordingPorts, wanted: WantedStretch): Promise<ResolvedStretch> {
  if ("to" in wanted) {
    const { from, to } = await ports.density({ to: wanted.to, parts: 1 });
    const [oldest, toSeq] = [from.seq ?? 1, to.seq ?? 0];
    const fromSeq = Math.max(oldest, toSeq - RECENT_COMMITS + 1);
    return { toOid: to.oid, fromSeq, toSeq, omitted: fromSeq - oldest };
  }
  const { span } = wanted;
  const { from, to } = await ports.density({ from: `@{${isoOf(span.from)}}`, to: `@{${isoOf(span.to)}}`, parts: 1 });
  // A time names the last commit before it.
  const isBefore = timeOf(from) < span.from;
  const toSeq = to.seq ?? 0;
  const first = (from.seq ?? 1) + (isBefore ? 1 : 0);
  const fromSeq = Math.max(first, toSeq - COMMITS_MAX + 1);
  return { toOid: to.oid, fromSeq, toSeq, omitted: fromSeq - first };
}

interface WantedCommits {
  readonly toOid: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly held: readonly ActivityCommit[];
}

/** What is held in the middle is kept; what is missing before it and behind it is asked. */
async function loadCommits(
  ports: RecordingPorts,
  { toOid, fromSeq, toSeq, held }: WantedCommits,
): Promise<readonly ActivityCommit[]> {
  const kept = held.filter(({ seq = 0 }) => seq >= fromSeq && seq <= toSeq);
  const [keptFrom, keptTo] = [kept[0]?.seq, kept.at(-1)?.seq];
  const count = toSeq - fromSeq + 1;
  let done = kept.length;
  const told = (came: number): void => {
    done += came;
    ports.progress({ what: "commits", done, of: count });
  };
  // A number names a commit of main, and this may be another branch.
  const revisionOf = (seq: number): string => (seq === toSeq ? toOid : `${toOid}~${String(toSeq - seq)}`);
  const load = (from: number, to: number): Promise<readonly ActivityCommit[]> =>
    loadPages(ports, { from: revisionOf(from), to: revisionOf(to) }, told);
  told(0);
  if (keptFrom === undefined || keptTo === undefined) return await load(fromSeq, toSeq);
  const before = keptFrom > fromSeq ? await load(fromSeq, keptFrom - 1) : [];
  const behind = keptTo < toSeq ? await load(keptTo + 1, toSeq) : [];
  return [...before, ...kept, ...behind];
}

async function loadPages(
  ports: RecordingPorts,
  { from, to }: { readonly from: string; readonly to: string },
  told: (came: number) => void,
): Promise<readonly ActivityCommit[]> {
  const commits: ActivityCommit[] = [];
  let query: ActivityQuery = { from, to };
  for (;;) {
    const page = await ports.activity(query);
    commits.push(...page.commits);
    told(page.commits.length);
    if (page.next === undefined) return commits;
    query = { cursor: page.next };
  }
}

/** The tip's stretch goes on behind its last commit: reads make no commit. */
const BEHIND_MICROSECONDS = 60_000_000;

function tracedSpan(wanted: WantedStretch, commits: readonly ActivityCommit[]): Span {
  if ("span" in wanted) return wanted.span;
  const [first, last] = [commits[0], commits.at(-1)];
  const to = last === undefined ? 0 : timeOf(last);
  return { from: first === undefined ? 0 : timeOf(first), to: wanted.to === "HEAD" ? to + BEHIND_MICROSECONDS : to };
}

interface LoadedLines {
  readonly lines: readonly TraceLineJson[] | undefined;
  readonly isTraceCut: boolean;
}

async function loadLines(
  ports: RecordingPorts,
  { from, to }: Span,
  held: LoadedRecording | undefined,
): Promise<LoadedLines> {
  const lines: TraceLineJson[] = [];
  const known = held?.isTraceCut === false && held.traced.from <= from ? (held.lines ?? []) : [];
  // Of the last moment there may be more by now.
  const start = Math.max(from, Math.min(known.at(-1)?.time ?? from, to));
  for (const line of known) if (line.time >= from && line.time < start) lines.push(line);
  let query: TraceQuery = { from: Math.floor(start), to: Math.ceil(to) };
  for (;;) {
    const page = await ports.trace(query);
    if (page === undefined) return { lines: undefined, isTraceCut: false };
    for (const line of page.lines) lines.push(line);
    ports.progress({ what: "lines of the trace", done: lines.length, of: undefined });
    if (page.next === undefined) return { lines, isTraceCut: false };
    if (lines.length >= LINES_MAX) return { lines, isTraceCut: true };
    query = { ...query, cursor: page.next };
  }
}
