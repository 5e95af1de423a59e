/**
 * What something costs: the daemon with it against the daemon without, in turns.
 *
 * Owns the comparison of two. They take turns, so that what else the machine does falls on both, and the first turn of a round
 * alternates, because whoever comes second finds another machine; a ratio is the median of the rounds' ratios. Rates say
 * little where the processors are busy with something else, so the processor time of the main thread per operation is told
 * too, as `bench -- journal` does and says why.
 */
import type { BenchDaemonStart } from "./daemon.js";
import { median, type BenchmarkOptions, type Figures } from "./figures.js";
import { loadClientProgram } from "./load-process.js";
import { measureLoad, medianRatio, type ComparedLoad } from "./measured-load.js";

/** What is compared. */
export interface Pair {
  /** Without what costs, under its name. */
  readonly plain: readonly [name: string, start: BenchDaemonStart];
  /** With it. */
  readonly costly: readonly [name: string, start: BenchDaemonStart];
  /** The ratio of the rates that is wanted. */
  readonly ratioWanted: number;
  readonly loads: readonly ComparedLoad[];
}

/** Compares; `--seconds` for each load (2), `--rounds` (5). */
export async function comparePair(
  { plain: [plain, plainStart], costly: [costly, costlyStart], ratioWanted, loads }: Pair,
  { seconds = 2, rounds = 5 }: Pick<BenchmarkOptions, "seconds" | "rounds">,
): Promise<Figures> {
  const figures: Record<string, Figures | string | number> = {
    loadClient: loadClientProgram() === undefined ? "ours" : "C",
    rounds,
    ratioWanted,
  };
  for (const load of loads) {
    const [plainRates, costlyRates, plainCosts, costlyCosts]: [number[], number[], number[], number[]] = [
      [],
      [],
      [],
      [],
    ];
    const sides = [
      [plainStart, plainRates, plainCosts],
      [costlyStart, costlyRates, costlyCosts],
    ] as const;
    for (let round = 0; round < rounds; round++) {
      for (const [start, rates, costs] of round % 2 === 0 ? sides : sides.toReversed()) {
        const { operationsPerSecond, mainMicroseconds, program } = await measureLoad(start, load, seconds);
        rates.push(operationsPerSecond);
        costs.push(mainMicroseconds);
        figures["program"] = program;
      }
    }
    const { kind, connections, depth } = load;
    figures[`${kind}, ${String(connections)} connections, depth ${String(depth)}`] = {
      [`${plain}PerSecond`]: Math.round(median(plainRates)),
      [`${costly}PerSecond`]: Math.round(median(costlyRates)),
      [`${costly}To${capitalized(plain)}`]: medianRatio(costlyRates, plainRates),
      [`${plain}MainMicroseconds`]: Number(median(plainCosts).toFixed(2)),
      [`${costly}MainMicroseconds`]: Number(median(costlyCosts).toFixed(2)),
      [`${plain}To${capitalized(costly)}Main`]: medianRatio(plainCosts, costlyCosts),
    };
  }
  return figures;
}

function capitalized(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
