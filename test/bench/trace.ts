/**
 * What `--trace` costs: the daemon with it against the daemon without.
 *
 * Owns the comparison. The two take turns, so that what else the machine does falls on both; a ratio is the median of the
 * rounds' ratios. The daemon is to keep 0.9 of its throughput. Rates say little where the processors are busy with something
 * else, so the processor time of the main thread per operation is told too, as `bench -- journal` does and says why.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, type Benchmark, type Figures } from "./figures.js";
import type { LoadOptions } from "./load-client.js";
import { loadClientProgram } from "./load-process.js";
import { measureLoad, medianRatio } from "./measured-load.js";

/** Ratio of the throughput with a trace to that without. */
const RATIO_WANTED = 0.9;

type Load = Pick<LoadOptions, "kind" | "connections" | "depth">;

const LOADS: readonly Load[] = [
  { kind: "write", connections: 1, depth: 1 },
  { kind: "write", connections: 10, depth: 1 },
  { kind: "write", connections: 10, depth: 16 },
  { kind: "tx", connections: 10, depth: 1 },
];

/** `--seconds` for each load (2), `--rounds` (5). */
export const benchTrace: Benchmark = async ({ seconds = 2, rounds = 5 }) => {
  const directory = mkdtempSync(join(tmpdir(), "xenstore-bench-trace-"));
  const programs = { plain: {}, traced: { flags: ["--trace", join(directory, "trace.json")] } } as const;
  const figures: Record<string, Figures | string | number> = {
    loadClient: loadClientProgram() === undefined ? "ours" : "C",
    rounds,
    ratioWanted: RATIO_WANTED,
  };
  try {
    for (const load of LOADS) {
      const rates = { plain: [] as number[], traced: [] as number[] };
      const costs = { plain: [] as number[], traced: [] as number[] };
      for (let round = 0; round < rounds; round++) {
        // Whoever comes second finds another machine, so the first turn alternates.
        const names = round % 2 === 0 ? (["plain", "traced"] as const) : (["traced", "plain"] as const);
        for (const name of names) {
          const { operationsPerSecond, mainMicroseconds, program } = await measureLoad(programs[name], load, seconds);
          rates[name].push(operationsPerSecond);
          costs[name].push(mainMicroseconds);
          figures["program"] = program;
        }
      }
      const { kind, connections, depth } = load;
      figures[`${kind}, ${String(connections)} connections, depth ${String(depth)}`] = {
        plainPerSecond: Math.round(median(rates.plain)),
        tracedPerSecond: Math.round(median(rates.traced)),
        tracedToPlain: medianRatio(rates.traced, rates.plain),
        plainMainMicroseconds: Number(median(costs.plain).toFixed(1)),
        tracedMainMicroseconds: Number(median(costs.traced).toFixed(1)),
        plainToTracedMain: medianRatio(costs.plain, costs.traced),
      };
    }
    return figures;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};
