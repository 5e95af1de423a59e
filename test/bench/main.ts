/**
 * `npm run bench -- [NAME]… [--seconds N] [--rounds N] [--commits N] [--json]`: figures of this daemon on this machine.
 *
 * Single figures drift with the machine; they say what fits, not what is fast. Comparisons have the peers in the same run:
 * `npm run bench -- wire|boot|watch|memory [--row NAME]… [--flags FLAGS] [--variant NAME=FLAGS]… [--markdown]`; see README.md.
 * Each benchmark is a file here; what is built in `dist/` is measured where there is something, else the source.
 */
import { parseArgs } from "node:util";
import { benchBisect } from "./bisect.js";
import { benchBoot } from "./boot.js";
import { comparisonFigures, formatMarkdown, formatTable, type Comparison } from "./comparison-report.js";
import { benchConnections } from "./connections.js";
import { benchConsolidation } from "./consolidation.js";
import { parseFlags, parseVariant } from "./contenders.js";
import { benchExplorer } from "./explorer.js";
import { benchExpressions } from "./expressions.js";
import { benchFork } from "./fork.js";
import { formatFigures, type Benchmark, type BenchmarkOptions, type Figures } from "./figures.js";
import { benchHistory } from "./history.js";
import { benchHttpFlood } from "./http-flood.js";
import { benchJournal } from "./journal.js";
import { benchMemory } from "./memory.js";
import { benchMetrics } from "./metrics.js";
import { benchPathIndex } from "./path-index.js";
import { benchQueries } from "./queries.js";
import { benchReader } from "./reader.js";
import { benchRequests } from "./requests.js";
import { benchRetention } from "./retention.js";
import { benchStartup } from "./startup.js";
import { benchSustained } from "./sustained.js";
import { benchTrace } from "./trace.js";
import { benchWatch } from "./watch.js";
import { benchWire } from "./wire.js";

const COMPARISONS: ReadonlyMap<string, (options: BenchmarkOptions) => Promise<Comparison>> = new Map([
  ["wire", benchWire],
  ["boot", benchBoot],
  ["watch", benchWatch],
  ["memory", benchMemory],
]);

const BENCHMARKS: ReadonlyMap<string, Benchmark> = new Map([
  ["connections", benchConnections],
  ["requests", benchRequests],
  ["history", benchHistory],
  ["journal", benchJournal],
  ["metrics", benchMetrics],
  ["trace", benchTrace],
  ["sustained", benchSustained],
  ["queries", benchQueries],
  ["http-flood", benchHttpFlood],
  ["reader", benchReader],
  ["path-index", benchPathIndex],
  ["startup", benchStartup],
  ["consolidation", benchConsolidation],
  ["retention", benchRetention],
  ["bisect", benchBisect],
  ["fork", benchFork],
  ["explorer", benchExplorer],
  ["expressions", benchExpressions],
]);

const NAMES: readonly string[] = [...COMPARISONS.keys(), ...BENCHMARKS.keys()];
const USAGE = `Usage: npm run bench -- [NAME]… [--seconds N] [--rounds N] [--commits N] [--json]
                        [--row NAME]… [--flags FLAGS] [--variant NAME=FLAGS]… [--markdown]

Measures this daemon on this machine. Comparisons with other daemons, for which the second line is:
${[...COMPARISONS.keys()].join(", ")}.

Single figures:
${[...BENCHMARKS.keys()].join(", ")}.

Each is a file in test/bench, which tells what it measures. Without a NAME all are run, which takes an hour or more.
`;

/** @throws TypeError where the command line is misused */
function parseCommandLine() {
  return parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      json: { type: "boolean" },
      markdown: { type: "boolean" },
      seconds: { type: "string" },
      rounds: { type: "string" },
      commits: { type: "string" },
      row: { type: "string", multiple: true },
      flags: { type: "string" },
      variant: { type: "string", multiple: true },
    },
  });
}

function commandLine(): ReturnType<typeof parseCommandLine> {
  try {
    return parseCommandLine();
  } catch (error) {
    if (error instanceof TypeError) misused(`${error.message}\n\n${USAGE}`);
    throw error;
  }
}

async function main(): Promise<void> {
  const { values, positionals: chosen } = commandLine();
  if (values.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  const unknown = chosen.find((word) => !NAMES.includes(word));
  if (unknown !== undefined) misused(`there is no benchmark ${unknown}; there are: ${NAMES.join(", ")}`);
  const options = {
    seconds: number(values.seconds),
    rounds: number(values.rounds),
    commits: number(values.commits),
    rows: values.row ?? [],
    flags: parseFlags(values.flags ?? ""),
    variants: (values.variant ?? []).map(parseVariant),
  };
  const results: Record<string, Figures> = {};
  const isChosen = (name: string): boolean => chosen.length === 0 || chosen.includes(name);
  let isRowMissing = values.row !== undefined;
  for (const [name, run] of COMPARISONS) {
    if (!isChosen(name)) continue;
    const comparison = await run(options);
    if (comparison.results.length > 0) isRowMissing = false;
    results[name] = comparisonFigures(comparison);
    if (values.json === true) continue;
    const text = values.markdown === true ? formatMarkdown(comparison) : formatTable(comparison);
    process.stdout.write(values.markdown === true ? `### ${name}\n\n${text}\n` : `${name}:\n${text}`);
  }
  for (const [name, run] of BENCHMARKS) {
    if (!isChosen(name)) continue;
    const figures = (results[name] = await run(options));
    if (values.row?.some((row) => row in figures) === true) isRowMissing = false;
    if (values.json !== true) process.stdout.write(`${name}: ${formatFigures(figures)}\n`);
  }
  if (values.json === true) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
  if (isRowMissing) misused(`there is no row ${(values.row ?? []).join(" or ")}`);
}

function number(text: string | undefined): number | undefined {
  const value = text === undefined ? undefined : Number(text);
  if (value !== undefined && !(value > 0)) misused(`${text ?? ""} is not a number above 0`);
  return value;
}

function misused(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

await main();
