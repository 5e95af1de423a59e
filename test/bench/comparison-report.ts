/**
 * Comparisons for people and programs: a table on a terminal, the same in Markdown, and figures for JSON.
 *
 * Owns their form. A line of the table is one row with one of ours; the peers stand beside each.
 */
import {
  describeMeasured,
  detailsOf,
  judge,
  p99Of,
  valueOf,
  type Contender,
  type Measured,
  type RowResult,
  type Target,
} from "./comparison.js";
import { rounded, type Figures } from "./figures.js";

/** What a comparison came to. */
export interface Comparison {
  readonly contenders: readonly Pick<Contender, "name" | "isPeer">[];
  readonly results: readonly RowResult[];
  /** What could not be measured, and what else there is to say, a line each. */
  readonly notes: readonly string[];
}

/** As figures: rows, in which contenders, in which figures. */
export function comparisonFigures({ contenders, results, notes }: Comparison): Figures {
  const figures: Record<string, Figures | string> = {};
  const [, peers] = sides(contenders);
  for (const result of results) {
    const { row, cells } = result;
    const columns: Record<string, Figures> = {};
    for (const { name, isPeer } of contenders) {
      const cell = cells.get(name);
      const p99 = p99Of(cells, name);
      columns[name] = {
        unit: row.unit,
        ...(cell?.samples.length === 0 ? {} : { value: valueOf(cells, name) }),
        ...(p99 === undefined ? {} : { p99Microseconds: p99 }),
        ...detailsOf(cells, name),
        ...(cell?.failure === undefined ? {} : { failure: cell.failure }),
        ...(isPeer ? {} : judgementFigures(result, name, peers)),
      };
    }
    figures[row.name] = columns;
  }
  for (const [index, note] of notes.entries()) figures[`note ${String(index + 1)}`] = note;
  return figures;
}

function judgementFigures(result: RowResult, ours: string, peers: readonly string[]): Figures {
  const { ratio, p99Ratio, ratios, verdict } = judge(result, ours, peers);
  const target = describeTarget(result.row.target);
  return {
    ...(ratio === undefined ? {} : { ratio: rounded(ratio) }),
    ...(p99Ratio === undefined ? {} : { p99Ratio: rounded(p99Ratio) }),
    ...Object.fromEntries([...ratios].map(([peer, value]) => [`ratioTo ${peer}`, rounded(value)])),
    ...(target === "" ? {} : { target }),
    verdict,
  };
}

/** As a table in Markdown, with the notes below. */
export function formatMarkdown(comparison: Comparison): string {
  const [head = [], ...lines] = table(comparison);
  const line = (words: readonly string[]): string => `| ${words.join(" | ")} |\n`;
  const notes = comparison.notes.map((note) => `\n${note}\n`).join("");
  return `${line(head)}${line(head.map(() => "---"))}${lines.map(line).join("")}${notes}`;
}

/** As a table in columns, with the notes below. */
export function formatTable(comparison: Comparison): string {
  const lines = table(comparison);
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((words) => (words[column] ?? "").length)));
  const text = lines.map((words) => words.map((word, column) => word.padEnd(widths[column] ?? 0)).join("  "));
  return `${[...text.map((line) => line.trimEnd()), ...comparison.notes].join("\n")}\n`;
}

function table({ contenders, results }: Comparison): readonly (readonly string[])[] {
  const [ours, peers] = sides(contenders);
  const head = [
    "row",
    ours.length === 1 ? (ours[0] ?? "") : "ours",
    ...peers,
    "ratio",
    "p99 ratio",
    "target",
    "verdict",
  ];
  const lines = results.flatMap((result) =>
    ours.map((name) => {
      const { row, cells } = result;
      const { ratio, p99Ratio, verdict } = judge(result, name, peers);
      const figure = (value: number | undefined): string => (value === undefined ? "" : String(rounded(value)));
      return [
        ours.length === 1 ? row.name : `${row.name} (${name})`,
        ...[name, ...peers].map((contender) => describeCell(result, contender)),
        describeRatios(result, name, peers, ratio),
        figure(p99Ratio),
        describeTarget(row.target),
        cells.get(name) === undefined ? "" : verdict,
      ];
    }),
  );
  return [head, ...lines];
}

/** To the better peer, or to each where the targets are of each. */
function describeRatios(result: RowResult, ours: string, peers: readonly string[], ratio: number | undefined): string {
  const { ratios } = judge(result, ours, peers);
  if (result.row.target.ratioTo !== undefined) {
    return [...ratios].map(([peer, value]) => `${String(rounded(value))} (${peer})`).join(", ");
  }
  return ratio === undefined ? "" : String(rounded(ratio));
}

function describeCell({ row, cells }: RowResult, contender: string): string {
  const cell = cells.get(contender);
  if (cell === undefined) return "";
  if (cell.failure !== undefined) return "failed";
  const p99Microseconds = p99Of(cells, contender);
  const measured: Measured = {
    value: valueOf(cells, contender),
    ...(p99Microseconds === undefined ? {} : { p99Microseconds }),
    isLeast: cell.samples.some(({ isLeast }) => isLeast === true),
  };
  return describeMeasured(measured, row.unit);
}

/** What is wanted, in words; empty for nothing. */
function describeTarget({ ratio, ratioTo = {}, p99Ratio }: Target): string {
  const parts = [
    ...(ratio === undefined ? [] : [`≥ ${String(ratio)}`]),
    ...Object.entries(ratioTo).map(([peer, wanted]) => `≥ ${String(wanted)} (${peer})`),
    ...(p99Ratio === undefined ? [] : [`p99 ≤ ${String(p99Ratio)}`]),
  ];
  return parts.join(", ");
}

function sides(contenders: Comparison["contenders"]): readonly [ours: readonly string[], peers: readonly string[]] {
  const names = (isPeer: boolean) => contenders.filter((one) => one.isPeer === isPeer).map(({ name }) => name);
  return [names(false), names(true)];
}
