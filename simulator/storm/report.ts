/**
 * A storm's report for people.
 *
 * Owns its words. What was asked of the store is told beside it, because a rate alone says nothing.
 */
import type { Durations, StormReport } from "./storm.js";
import type { Traffic } from "./traffic-meter.js";

/** Most failures and leaks that are told one by one. */
const LINES_MAX = 10;

/** All figures of a run: what `--json` prints. */
export interface RunReport extends StormReport {
  readonly traffic: Traffic;
  /** Commits that the run made; undefined where the daemon does not tell. */
  readonly commits: number | undefined;
  /** Errors that an actor met and its real counterpart would not expect. */
  readonly troubles: readonly string[];
  /** What the bad clients did meanwhile. */
  readonly wireFaults: readonly { readonly name: string; readonly connections: number; readonly bytes: number }[];
}

/** Whether all went as it should. */
export function isClean(report: RunReport): boolean {
  return report.failures.length === 0 && report.leaks.length === 0 && report.troubles.length === 0;
}

/** The report as text. */
export function describeReport(report: RunReport): string {
  const { traffic, seconds } = report;
  const rate = (count: number): string =>
    `${String(count)} (${String(seconds === 0 ? 0 : Math.round(count / seconds))}/s)`;
  const lines = [
    `${String(report.connected)} of ${String(report.vms)} machines were connected, at most ${String(report.aliveMost)} at once, in ${seconds.toFixed(1)} s`,
    `boot: ${describeDurations(report.boot)}`,
    `shutdown and destruction: ${describeDurations(report.end)}`,
    `requests ${rate(traffic.requests)}, transactions ${rate(traffic.transactions)}, EAGAIN ${String(traffic.conflicts)}, watch events ${rate(traffic.events)}, connections ${String(traffic.connections)}`,
    report.commits === undefined ? undefined : `commits ${rate(report.commits)}`,
    report.slowest === undefined
      ? undefined
      : `slowest boot: ${report.slowest.vm}, ${(report.slowest.milliseconds / 1000).toFixed(2)} s`,
    ...report.wireFaults.map(
      ({ name, connections, bytes }) =>
        `meanwhile ${name}: ${String(connections)} connections, ${String(bytes)} bytes sent`,
    ),
    ...some(
      report.failures.map(({ vm, phase, reason }) => `${vm} failed in phase ${phase}: ${reason}`),
      "more machines failed",
    ),
    ...some(
      report.troubles.map((trouble) => `unexpected: ${trouble}`),
      "more unexpected errors",
    ),
    report.leaks.length === 0
      ? "the store is as it was before the first machine"
      : `the store differs from before the first machine in ${String(report.leaks.length)} nodes:`,
    ...some(
      report.leaks.map((leak) => `  ${leak}`),
      "more nodes",
    ),
  ];
  return `${lines.filter((line) => line !== undefined).join("\n")}\n`;
}

function some(lines: readonly string[], rest: string): readonly string[] {
  if (lines.length <= LINES_MAX) return lines;
  return [...lines.slice(0, LINES_MAX), `… ${String(lines.length - LINES_MAX)} ${rest}`];
}

function describeDurations(durations: Durations | undefined): string {
  if (durations === undefined) return "none";
  const { median, p99, most } = durations;
  return `median ${seconds(median)}, 99% within ${seconds(p99)}, at most ${seconds(most)}`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
