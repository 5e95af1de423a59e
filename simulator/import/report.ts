/**
 * An import's report for people.
 *
 * Owns its words; `--json` has all that is only counted here.
 */
import { LOG_FORMATS, type SkippedLine } from "./log-entry.js";
import type { ImportReport } from "./run-import.js";

const LINES_MAX = 10;

/** The report as text. */
export function describeImport(report: ImportReport): string {
  const { file, format, lines, commits, requests, transactions, repository } = report;
  const counted = (count: number, text: string): readonly string[] => (count === 0 ? [] : [`${String(count)} ${text}`]);
  return `${[
    `${file}: ${LOG_FORMATS[format]}, ${String(lines)} lines`,
    `${String(commits)} commits from ${String(requests)} requests, ${String(transactions)} transactions`,
    ...counted(report.conflicts, "transactions ended in a conflict and changed nothing"),
    ...counted(report.abandoned, "transactions were given up, or have no end in the log"),
    ...counted(report.cutValues, "values are cut in the log, and so in the history: they end in `..`"),
    ...counted(report.standIns, "requests of guests needed permissions that the log does not know; dom0 stood in"),
    ...listed("lines could not be used", report.skipped),
    ...listed("requests were refused, as they may have been then", report.refused),
    ...report.notes.map((note) => `note: ${note}`),
    `Git repository: ${repository}`,
  ].join("\n")}\n`;
}

function listed(what: string, skipped: readonly SkippedLine[]): readonly string[] {
  if (skipped.length === 0) return [];
  const shown = skipped.slice(0, LINES_MAX).map(({ line, reason }) => `  line ${String(line)}: ${reason}`);
  const rest = skipped.length - shown.length;
  return [
    `${String(skipped.length)} ${what}:`,
    ...shown,
    ...(rest > 0 ? [`  … ${String(rest)} more (--json lists all)`] : []),
  ];
}
