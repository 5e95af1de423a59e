/**
 * What acknowledging and recording cost: the daemon against one that has neither journal nor history.
 *
 * Owns the comparison. `process` is the daemon as it is by default; `none` is it with replies that do not wait for the
 * journal, `journal` the same core and server with a journal that nobody records, `null` without a journal. So
 * `journalToNull` is what acknowledging leaves of the rate, and `processToJournal` what recording does. They take turns, so that what else the machine
 * does falls on all of them; a ratio is the median of the rounds' ratios. The daemon is to keep 0.7 of `null`.
 *
 * Where the processors are busy with something else, and the recorder's thread with the load client already fills two of
 * them, the rates say little about the daemon. So the processor time of its main thread per operation is told too: what a
 * request costs where requests wait for each other.
 */
import type { BenchDaemonStart } from "./daemon.js";
import { median, type Benchmark, type Figures } from "./figures.js";
import { loadClientProgram } from "./load-process.js";
import { measureLoad, medianRatio, type ComparedLoad } from "./measured-load.js";

/** Ratio of `process` to `null` that is wanted. */
const RATIO_WANTED = 0.7;

const LOADS: readonly ComparedLoad[] = [
  { kind: "write", connections: 1, depth: 1 },
  { kind: "write", connections: 10, depth: 1 },
  { kind: "write", connections: 100, depth: 1 },
  { kind: "write", connections: 10, depth: 16 },
  { kind: "tx", connections: 1, depth: 1 },
  { kind: "tx", connections: 10, depth: 1 },
  { kind: "tx", connections: 100, depth: 1 },
];

const PROGRAMS = {
  process: {},
  journal: { entry: "test/bench/journal-only-daemon" },
  null: { entry: "test/bench/null-journal-daemon" },
  none: { flags: ["--durability", "none"] },
} as const satisfies Readonly<Record<string, BenchDaemonStart>>;

type ProgramName = keyof typeof PROGRAMS;

/** `--seconds` for each load (2), `--rounds` (5). */
export const benchJournal: Benchmark = async ({ seconds = 2, rounds = 5 }) => {
  const figures: Record<string, Figures | string | number> = {
    loadClient: loadClientProgram() === undefined ? "ours" : "C",
    rounds,
    ratioWanted: RATIO_WANTED,
  };
  for (const load of LOADS) {
    const rates: Record<ProgramName, number[]> = { process: [], journal: [], null: [], none: [] };
    const costs: Record<ProgramName, number[]> = { process: [], journal: [], null: [], none: [] };
    for (let round = 0; round < rounds; round++) {
      for (const name of Object.keys(PROGRAMS) as ProgramName[]) {
        const { operationsPerSecond, mainMicroseconds, program } = await measureLoad(PROGRAMS[name], load, seconds);
        rates[name].push(operationsPerSecond);
        costs[name].push(mainMicroseconds);
        figures["program"] = program;
      }
    }
    const { kind, connections, depth } = load;
    figures[`${kind}, ${String(connections)} connections, depth ${String(depth)}`] = {
      processPerSecond: Math.round(median(rates.process)),
      journalPerSecond: Math.round(median(rates.journal)),
      nullPerSecond: Math.round(median(rates.null)),
      nonePerSecond: Math.round(median(rates.none)),
      processToNull: medianRatio(rates.process, rates.null),
      journalToNull: medianRatio(rates.journal, rates.null),
      processToJournal: medianRatio(rates.process, rates.journal),
      noneToNull: medianRatio(rates.none, rates.null),
      processMainMicroseconds: Number(median(costs.process).toFixed(1)),
      journalMainMicroseconds: Number(median(costs.journal).toFixed(1)),
      nullMainMicroseconds: Number(median(costs.null).toFixed(1)),
      nullToProcessMain: medianRatio(costs.null, costs.process),
    };
  }
  return figures;
};
