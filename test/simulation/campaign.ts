/**
 * A campaign of checked runs: `npm run simulate -- --seeds 10000 [--first N] [--vms 3]`.
 *
 * Owns the command line. Each seed boots, runs and ends machines in virtual time, in an order, with visitors and restarts
 * that follow from it, and every reply, event and commit is checked. A line of progress every ten seconds; ends with code 1
 * and the seed when one fails.
 */
import { parseArgs } from "node:util";
import { runSeeds } from "./seeds.js";

const PROGRESS_MILLISECONDS = 10_000;
const FIRST_MAX = 0x7fff_0000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    first: { type: "string", default: String(Math.floor(Math.random() * FIRST_MAX)) },
    vms: { type: "string", default: "3" },
  },
});

function count(name: "seeds" | "first" | "vms", least: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`--${name} is a whole number of at least ${String(least)}, not ${values[name]}`);
}

try {
  const [seeds, first, vms] = [count("seeds", 1), count("first", 0), count("vms", 1)];
  console.log(`--seeds ${String(seeds)} --first ${String(first)} --vms ${String(vms)}`);
  const started = performance.now();
  const rate = (done: number): string => {
    const seconds = (performance.now() - started) / 1000;
    return `${seconds.toFixed(0)} s, ${(done / seconds).toFixed(1)} seeds a second`;
  };
  let reported = started;
  const total = await runSeeds({
    first,
    seeds,
    vms,
    setback: (line) => {
      console.log(line);
    },
    report: (sum) => {
      if (performance.now() - reported < PROGRESS_MILLISECONDS) return;
      reported = performance.now();
      console.log(`${rate(sum.seeds)}, next ${String(first + sum.seeds)}: ${JSON.stringify(sum)}`);
    },
  });
  console.log(`${rate(seeds)}: everything is explained: ${JSON.stringify(total)}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
