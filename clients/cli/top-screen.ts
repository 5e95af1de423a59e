/**
 * How `xs top` looks: the lines of a screen.
 */
import { bytesFromText } from "../../protocol/bytes.js";
import { escapeValue } from "../../protocol/escape.js";
import type { TopFigures } from "./top-figures.js";

const NUMBERS = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const MEBIBYTE = 1024 * 1024;

/** The lines, cut where they are longer than the screen is wide. @param columns - Infinity for any */
export function topScreen(figures: TopFigures, columns: number): string[] {
  return [...summary(figures), "", ...operationTable(figures), "", ...shareTable(figures)].map((line) =>
    line.length > columns ? line.slice(0, columns) : line,
  );
}

function count(value: number): string {
  return NUMBERS.format(value);
}

/** Small rates with a digit behind the point: 0.3 is not nothing. */
function rate(value: number): string {
  return value > 0 && value < 10 ? value.toFixed(1) : count(value);
}

function summary(figures: TopFigures): string[] {
  const { requestsPerSecond, commitsPerSecond, eagainPerSecond, eventsPerSecond, lag } = figures;
  const lagText = `${lag.seconds.toFixed(1)} s behind, ${count(lag.commits)} commits`;
  const history = lag.isFailing ? `${lagText}, IT CANNOT BE WRITTEN: see the daemon's log` : lagText;
  return [
    `requests ${rate(requestsPerSecond)}/s   commits ${rate(commitsPerSecond)}/s   EAGAIN ${rate(eagainPerSecond)}/s   events ${rate(eventsPerSecond)}/s`,
    `connections ${count(figures.connections.dom0)} dom0, ${count(figures.connections.guest)} guest   domains ${count(figures.domains)}   nodes ${count(figures.nodes)}   watches ${count(figures.watches)}`,
    `transactions ${count(figures.transactionsOpen)} open, ${count(figures.turnWaiters)} wait for a turn   unread output ${(figures.unreadBytes / MEBIBYTE).toFixed(1)} MiB`,
    `history ${history}`,
    `processor ${count(figures.processorShare * 100)}%   memory ${count(figures.residentBytes / MEBIBYTE)} MiB   event loop late by ${(figures.eventLoopP99Seconds * 1000).toFixed(1)} ms (p99)`,
  ];
}

function operationTable({ operations }: TopFigures): string[] {
  const rows = operations.map(({ operation, perSecond, errorsPerSecond, meanMicroseconds }) => [
    operation,
    rate(perSecond),
    rate(errorsPerSecond),
    meanMicroseconds === undefined ? "" : `${count(meanMicroseconds)} us`,
  ]);
  return table(["OPERATION", "per second", "errors", "mean"], rows);
}

function shareTable({ busiestDomains, busiestPaths, commitsLooked }: TopFigures): string[] {
  const share = (commits: number): string => `${count((100 * commits) / commitsLooked)}%`;
  const rows = Array.from({ length: Math.max(busiestDomains.length, busiestPaths.length) }, (_, place) => {
    const [domain, path] = [busiestDomains[place], busiestPaths[place]];
    return [
      domain?.name ?? "",
      domain === undefined ? "" : share(domain.commits),
      path === undefined ? "" : share(path.commits),
      path === undefined ? "" : escapeValue(bytesFromText(path.name)),
    ];
  });
  return table(["DOMAIN", "commits", "commits", "PATH"], rows, 3);
}

/** @param lastLeft - the column from which on cells are not put to the right; the first never is */
function table(head: readonly string[], rows: readonly (readonly string[])[], lastLeft = Infinity): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || column >= lastLeft ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
