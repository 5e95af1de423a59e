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
  return `${[
    `${file}: ${LOG_FORMATS[format]}, ${counted(lines, "line", "lines")}`,
    `${counted(commits, "commit", "commits")} from ${counted(requests, "request", "requests")}, ${counted(transactions, "transaction", "transactions")}`,
    ...told(report.impliedDomains, "domain", "domains", "introduced by `import`: the log does not tell of it"),
    ...told(report.earlierNodes, "node", "nodes", "from before the log begins: made by `import`"),
    ...told(
      report.emptyRemovals.length,
      "removal",
      "removals",
      "of what the history does not have: the log does not tell whether it was there (--json lists the lines)",
    ),
    ...told(report.conflicts, "transaction", "transactions", "ended in a conflict and changed nothing"),
    ...told(report.abandoned, "transaction", "transactions", "given up, or without an end in the log"),
    ...told(report.cutValues, "value", "values", "cut in the log, and so in the history, with `..` at the end"),
    ...told(
      report.standIns,
      "request",
      "requests",
      "of guests for which dom0 stood in: they needed permissions or quotas that the log does not know",
    ),
    ...listed("line", "lines", "not used", report.skipped),
    ...listed("request", "requests", "refused; any change made then is not in the history", report.refused),
    ...report.notes.map((note) => `note: ${note}`),
    `Git repository: ${repository}`,
  ].join("\n")}\n`;
}

function counted(count: number, one: string, many: string): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}

function told(count: number, one: string, many: string, what: string): readonly string[] {
  return count === 0 ? [] : [`${counted(count, one, many)} ${what}`];
}

function listed(one: string, many: string, what: string, skipped: readonly SkippedLine[]): readonly string[] {
  if (skipped.length === 0) return [];
  const shown = skipped.slice(0, LINES_MAX).map(({ line, reason }) => `  line ${String(line)}: ${reason}`);
  const rest = skipped.length - shown.length;
  return [
    `${counted(skipped.length, one, many)} ${what}:`,
    ...shown,
    ...(rest > 0 ? [`  … ${String(rest)} more (--json lists all)`] : []),
  ];
}
