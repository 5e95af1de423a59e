/**
 * `npm run bench -- watch`: watch events to many connections, each of which reads them.
 *
 * Owns the rows and their target: ours is to be as fast as the better peer. `fan-out`: 1,000 connections watch 10 nodes each,
 * one writer changes them in turn, and each change is one connection's event. `to-all`: one node that 1,000 connections
 * watch, and the time from its change until the last of them has read the event.
 */
import type { Row } from "./comparison.js";
import type { Comparison } from "./comparison-report.js";
import { compare } from "./contenders.js";
import type { BenchmarkOptions } from "./figures.js";
import { compileWireLoad, NoCompilerError, numberOf, runLoadProgram } from "./wire-load.js";

const SECONDS = 2;
const WARMUP_SECONDS = 1;
const CONNECTIONS = 1000;
const WATCHES = 10;
/** Changes under way at once: enough that the writer waits for nobody alone. */
const DEPTH = 16;
const RATIO_WANTED = 1;

/** Runs it: `--seconds` for each load (2), `--rounds` (3). */
export async function benchWatch(options: BenchmarkOptions): Promise<Comparison> {
  try {
    return await compare(rowsWith(await compileWireLoad(), options.seconds ?? SECONDS), options, []);
  } catch (error) {
    if (!(error instanceof NoCompilerError)) throw error;
    return compare([], options, [error.message]);
  }
}

function rowsWith(program: string, seconds: number): readonly Row[] {
  const target = { ratio: RATIO_WANTED };
  const times = [WARMUP_SECONDS, seconds];
  return [
    {
      name: "fan-out",
      unit: "/s",
      target,
      measure: async ({ socket }) => {
        const words = ["fan-out", socket, CONNECTIONS, WATCHES, DEPTH, ...times];
        const line = await runLoadProgram(program, words, seconds);
        return { value: numberOf(line, "events_s"), p99Microseconds: numberOf(line, "p99_us") };
      },
    },
    {
      name: "to-all",
      unit: "ms",
      target,
      measure: async ({ socket }) => {
        const line = await runLoadProgram(program, ["broadcast", socket, CONNECTIONS, ...times], seconds);
        return {
          value: numberOf(line, "p50_us") / 1000,
          p99Microseconds: numberOf(line, "p99_us"),
          details: { eventsPerSecond: numberOf(line, "events_s") },
        };
      },
    },
  ];
}
