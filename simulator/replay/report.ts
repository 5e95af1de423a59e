/**
 * A replay's report: its figures, and its words for people.
 *
 * Owns both. Differences are told with the names of the trace, whichever copy had them.
 */
import type { TracedReply } from "../../protocol/request-trace.js";
import { DIFFERENCE_KINDS, HARMLESS_KINDS, type HarmlessKind } from "./compare.js";
import type { LoadedTrace } from "./load-trace.js";
import type { Answer } from "./raw-session.js";
import type { ReplayPlan, RequestStep } from "./replay-plan.js";
import type { DifferenceExample, EventExample, ReplayTally } from "./tally.js";

/** Most examples of a kind that are told to people. */
const LINES_MAX = 5;
const TEXT_LENGTH_MAX = 80;
const DIFFERENCE_WORDS = { error: "another error", data: "other data", lost: "no answer" } as const;

/** All figures of a replay: what `--json` prints. */
export interface ReplayReport {
  readonly files: readonly string[];
  readonly life: number;
  readonly lives: number;
  readonly notes: readonly string[];
  readonly copies: number;
  readonly requests: number;
  readonly connections: number;
  readonly events: {
    readonly traced: number;
    readonly received: number;
    /** Of the trace, and did not come. */
    readonly missing: number;
    /** Came, and are not in the trace; 0 where there are copies. */
    readonly extra: number;
    readonly examples: readonly EventExampleReport[];
  };
  readonly differences: { readonly total: number; readonly byKind: Readonly<Record<string, number>> };
  readonly harmless: Readonly<Record<string, number>>;
  /** Transactions that were run again after EAGAIN. */
  readonly repeats: number;
  /** Requests that could not be sent, for each copy. */
  readonly leftOut: number;
  readonly sharedRemovals: number;
  readonly unopened: readonly string[];
  readonly examples: readonly ExampleReport[];
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly latencyMilliseconds: { readonly p50: number | undefined; readonly p99: number | undefined };
}

/** A difference, in texts. */
export interface ExampleReport {
  readonly kind: string;
  readonly file: string;
  readonly line: number;
  /** From 1. */
  readonly copy: number;
  readonly connection: string;
  readonly request: string;
  readonly expected: string;
  readonly got: string;
}

/** Events of one path and token, in texts. */
export interface EventExampleReport {
  readonly kind: EventExample["kind"];
  /** From 1. */
  readonly copy: number;
  readonly connection: string;
  readonly path: string;
  readonly token: string;
  readonly count: number;
}

/** What a report is made from. */
export interface ReplayOutcome {
  readonly trace: LoadedTrace;
  readonly plan: ReplayPlan;
  readonly copies: number;
  readonly tally: ReplayTally;
  readonly seconds: number;
}

/** Makes the report. */
export function makeReport({ trace, plan, copies, tally, seconds }: ReplayOutcome): ReplayReport {
  return {
    files: trace.files,
    life: trace.life.number,
    lives: trace.lives,
    notes: trace.notes,
    copies,
    requests: tally.requests,
    connections: tally.connections,
    events: {
      traced: plan.events * copies,
      received: tally.events,
      ...tally.differingEvents,
      examples: tally.eventExamples.map(describeEvent),
    },
    differences: { total: tally.differenceCount, byKind: Object.fromEntries(tally.differences) },
    harmless: Object.fromEntries(tally.harmless),
    repeats: tally.repeats,
    leftOut: plan.leftOut,
    sharedRemovals: tally.sharedRemovals,
    unopened: [...new Set(tally.unopened)],
    examples: tally.examples.map(describeExample),
    seconds,
    requestsPerSecond: seconds === 0 ? 0 : tally.requests / seconds,
    latencyMilliseconds: { p50: tally.latency(0.5), p99: tally.latency(0.99) },
  };
}

function describeExample({ kind, step, copy, expected, got }: DifferenceExample): ExampleReport {
  const { place, connection } = step;
  return {
    kind,
    file: place.file,
    line: place.line,
    copy: copy + 1,
    connection: connection.name,
    request: describeRequest(step),
    expected: describeAnswer(expected),
    got: describeAnswer(got),
  };
}

function describeEvent({ kind, copy, connection, path, token, count }: EventExample): EventExampleReport {
  return { kind, copy: copy + 1, connection: connection.name, path: printable(path), token: printable(token), count };
}

function describeRequest({ request, payload }: RequestStep): string {
  const operation = typeof request.operation === "string" ? request.operation : `type ${String(request.operation)}`;
  const transaction = request.txId === 0 ? "" : ` (in transaction ${String(request.txId)})`;
  return `${operation} ${printable(payload.replace(/\0$/, "").replaceAll("\0", " "))}${transaction}`;
}

function describeAnswer(answer: Answer | TracedReply | undefined): string {
  if (answer === undefined) return "a reply that was redacted";
  if (typeof answer === "string") return `"${printable(answer.replace(/\0$/, ""))}"`;
  return "error" in answer ? answer.error : answer.lost;
}

function printable(bytes: string): string {
  const text = bytes.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)}…`;
}

/** The report as text. */
export function describeReport(report: ReplayReport): string {
  const { requests, connections, seconds, copies, events, latencyMilliseconds: latency } = report;
  const lines = [
    `${String(requests)} requests over ${String(connections)} connections in ${seconds.toFixed(1)} s (${String(Math.round(report.requestsPerSecond))}/s)${copies === 1 ? "" : `, ${String(copies)} copies of the trace`}`,
    `latency: half within ${milliseconds(latency.p50)}, 99% within ${milliseconds(latency.p99)}`,
    `watch events: ${String(events.received)} came, ${String(events.traced)} in the trace`,
    ...(["missing", "extra"] as const).flatMap((kind) => describeEvents(report, kind)),
    report.repeats === 0 ? "" : `transactions run again after EAGAIN: ${String(report.repeats)}`,
    report.leftOut === 0
      ? ""
      : `${String(report.leftOut)} requests of the trace cannot be sent: redacted, or in a transaction that began before it`,
    report.sharedRemovals === 0
      ? ""
      : `${String(report.sharedRemovals)} removals of nodes that all copies share were not sent`,
    ...report.unopened.map((reason) => `not connected: ${reason}`),
    ...Object.entries(report.harmless).map(
      ([kind, count]) => `harmless: ${String(count)} × ${HARMLESS_KINDS[kind as HarmlessKind]}`,
    ),
    report.differences.total === 0
      ? "no differences"
      : `${report.differences.total === 1 ? "one difference" : `${String(report.differences.total)} differences`} from the trace:`,
    ...DIFFERENCE_KINDS.flatMap((kind) => describeKind(report, kind)),
  ];
  return `${lines.filter((line) => line !== "").join("\n")}\n`;
}

const EVENT_WORDS = { missing: "of the trace did not come", extra: "came that the trace has not" } as const;

function describeEvents({ events, copies }: ReplayReport, kind: EventExample["kind"]): readonly string[] {
  if (events[kind] === 0) return [];
  const examples = events.examples.filter((example) => example.kind === kind).slice(0, LINES_MAX);
  const rest = events[kind] - examples.reduce((sum, { count }) => sum + count, 0);
  return [
    `${String(events[kind])} watch events ${EVENT_WORDS[kind]}:`,
    ...examples.map(({ connection, path, token, count, copy }) => {
      const where = copies === 1 ? connection : `${connection} (copy ${String(copy)})`;
      return `  ${where}: ${String(count)} × ${path}, token ${token}`;
    }),
    ...(rest > 0 ? [`  … ${String(rest)} more`] : []),
  ];
}

function describeKind(report: ReplayReport, kind: (typeof DIFFERENCE_KINDS)[number]): readonly string[] {
  const count = report.differences.byKind[kind] ?? 0;
  if (count === 0) return [];
  const examples = report.examples.filter((example) => example.kind === kind).slice(0, LINES_MAX);
  return [
    `${DIFFERENCE_WORDS[kind]}: ${String(count)}`,
    ...examples.map(({ file, line, connection, request, expected, got, copy }) => {
      const where = `${file}, line ${String(line)}${report.copies === 1 ? "" : ` (copy ${String(copy)})`}`;
      return `  ${where}: ${connection} ${request}: ${expected} in the trace, ${got} now`;
    }),
    ...(count > examples.length ? [`  … ${String(count - examples.length)} more`] : []),
  ];
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? "nothing" : `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}
