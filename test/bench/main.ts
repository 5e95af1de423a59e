/**
 * `npm run bench -- [NAME]… [--seconds N] [--rounds N] [--commits N] [--json]`: figures of this daemon on this machine.
 *
 * Single figures drift with the machine; they say what fits, not what is fast. Comparisons want two programs in one run.
 * Each benchmark is a file here; what is built in `dist/` is measured where there is something, else the source.
 */
import { parseArgs } from "node:util";
import { benchBisect } from "./bisect.js";
import { benchConnections } from "./connections.js";
import { benchConsolidation } from "./consolidation.js";
import { benchFork } from "./fork.js";
import { formatFigures, type Benchmark, type Figures } from "./figures.js";
import { benchHistory } from "./history.js";
import { benchJournal } from "./journal.js";
import { benchMemory } from "./memory.js";
import { benchPathIndex } from "./path-index.js";
import { benchQueries } from "./queries.js";
import { benchReader } from "./reader.js";
import { benchRequests } from "./requests.js";
import { benchRetention } from "./retention.js";
import { benchStartup } from "./startup.js";
import { benchSustained } from "./sustained.js";
import { benchTrace } from "./trace.js";

const BENCHMARKS: ReadonlyMap<string, Benchmark> = new Map([
  ["memory", benchMemory],
  ["connections", benchConnections],
  ["requests", benchRequests],
  ["history", benchHistory],
  ["journal", benchJournal],
  ["trace", benchTrace],
  ["sustained", benchSustained],
  ["queries", benchQueries],
  ["reader", benchReader],
  ["path-index", benchPathIndex],
  ["startup", benchStartup],
  ["consolidation", benchConsolidation],
  ["retention", benchRetention],
  ["bisect", benchBisect],
  ["fork", benchFork],
]);

async function main(): Promise<void> {
  const { values, positionals: chosen } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean" },
      seconds: { type: "string" },
      rounds: { type: "string" },
      commits: { type: "string" },
    },
  });
  const unknown = chosen.find((word) => !BENCHMARKS.has(word));
  if (unknown !== undefined) {
    process.stderr.write(`there is no benchmark ${unknown}; there are: ${[...BENCHMARKS.keys()].join(", ")}\n`);
    process.exit(2);
  }
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  const options = {
    seconds: number(values.seconds),
    rounds: number(values.rounds),
    commits: number(values.commits),
  };
  const results: Record<string, Figures> = {};
  for (const [name, run] of BENCHMARKS) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    const figures = (results[name] = await run(options));
    if (values.json !== true) process.stdout.write(`${name}: ${formatFigures(figures)}\n`);
  }
  if (values.json === true) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
}

await main();
