/**
 * One load on a daemon of its own: how fast it is, and what it costs the daemon's main thread.
 *
 * Owns the measurement that comparisons repeat, and how their ratios are reckoned.
 */
import { startBenchDaemon, type BenchDaemonStart } from "./daemon.js";
import { median } from "./figures.js";
import type { LoadOptions } from "./load-client.js";
import { runLoadProcess } from "./load-process.js";

/** A load that comparisons put on each daemon. */
export type ComparedLoad = Pick<LoadOptions, "kind" | "connections" | "depth">;

/** What a load came to. */
export interface MeasuredLoad {
  readonly program: string;
  readonly operationsPerSecond: number;
  /** Processor time of the main thread per operation; the warm-up is reckoned to have had the same rate. */
  readonly mainMicroseconds: number;
}

const WARMUP_SECONDS = 1;

/** Starts a daemon, puts the load on it for `seconds` after a warm-up, and ends it. */
export async function measureLoad(start: BenchDaemonStart, load: ComparedLoad, seconds: number): Promise<MeasuredLoad> {
  const daemon = await startBenchDaemon(start);
  try {
    const before = daemon.mainThreadSeconds();
    const options = { ...load, socket: daemon.socket, seconds, warmupSeconds: WARMUP_SECONDS };
    const { operationsPerSecond } = await runLoadProcess(options);
    const used = daemon.mainThreadSeconds() - before;
    const mainMicroseconds = (used * 1e6) / ((seconds + WARMUP_SECONDS) * operationsPerSecond);
    return { program: daemon.program, operationsPerSecond, mainMicroseconds };
  } finally {
    await daemon.stop();
  }
}

/** The median of the rounds' ratios, to three digits. */
export function medianRatio(numerators: readonly number[], denominators: readonly number[]): number {
  return Number(median(numerators.map((value, round) => value / (denominators[round] ?? NaN))).toFixed(3));
}
