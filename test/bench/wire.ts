/**
 * `npm run bench -- wire`: requests and transactions a second, and how long the slowest of 100 take.
 *
 * Owns the rows and their targets. Each daemon has the load for some seconds before the clock runs
 * (`WARMUP_SECONDS`).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Measured, Row, Target } from "./comparison.js";
import type { Comparison } from "./comparison-report.js";
import { compare } from "./contenders.js";
import type { BenchmarkOptions } from "./figures.js";
import { peersDirectory } from "./peers.js";
import { compileWireLoad, NoCompilerError, numberOf, runLoadProgram, type LoadLine } from "./wire-load.js";

const SECONDS = 2;
/** What a daemon in JavaScript takes until it is compiled. */
const WARMUP_SECONDS = 3;

/** What connections do. `shared`: transactions that make and remove domains, all of which list the same directory. */
type Operation = "read" | "write" | "tx" | "shared";

/** A row that `load` runs. */
interface LoadRow {
  readonly operation: Operation;
  readonly connections: number;
  /** Requests, or transactions, under way on each. */
  readonly depth: number;
}

const CONNECTIONS = [1, 10, 100, 1000];
const IDLE_CONNECTIONS = [1000, 4000];

const LOAD_ROWS: readonly LoadRow[] = [
  ...(["read", "write", "tx"] as const).flatMap((operation) =>
    CONNECTIONS.map((connections) => ({ operation, connections, depth: 1 })),
  ),
  ...(["read", "write"] as const).flatMap((operation) =>
    [16, 64].map((depth) => ({ operation, connections: 1, depth })),
  ),
  ...[10, 100].map((connections) => ({ operation: "shared" as const, connections, depth: 1 })),
];

/** Ratios of rates to the better peer's that are wanted, by row. */
const RATIOS_WANTED: Readonly<Record<string, number>> = {
  "read-1": 0.9,
  "read-10": 1.3,
  "read-100": 1.3,
  "read-1000": 1.3,
  "write-1": 0.9,
  "write-10": 1.3,
  "write-100": 1.3,
  "write-1000": 1.3,
  "tx-100": 1.3,
  "tx-1000": 2,
  "read-1x16": 1.5,
  "read-1x64": 3,
  "write-1x16": 1.2,
  "write-1x64": 3,
  "shared-10": 3,
  "shared-100": 10,
  "reader-beside-4000": 10,
};

/** Latency: how many times the better peer's 99% ours may be. */
const P99_RATIO_MAX = 2;
const P99_RATIO_MAX_AT_10 = 3;

/** Runs it: `--seconds` for each load (2), `--rounds` (3). */
export async function benchWire(options: BenchmarkOptions): Promise<Comparison> {
  const { seconds = SECONDS } = options;
  const notes: string[] = [];
  const rows: Row[] = [];
  const load = join(peersDirectory(), "load");
  if (existsSync(load)) rows.push(...LOAD_ROWS.map((row) => loadRow(load, row, seconds)));
  else notes.push("the directory of peers (PEERS) has no load: reads, writes and transactions are not measured");
  try {
    const program = await compileWireLoad();
    rows.push(...IDLE_CONNECTIONS.map((idle) => readerRow(program, idle, seconds)));
  } catch (error) {
    if (!(error instanceof NoCompilerError)) throw error;
    notes.push(error.message);
  }
  return compare(rows, options, notes);
}

/** `OPERATION-CONNECTIONS`, and `xDEPTH` where that is more than one. */
function nameOf({ operation, connections, depth }: LoadRow): string {
  return `${operation}-${String(connections)}${depth === 1 ? "" : `x${String(depth)}`}`;
}

/** What is wanted of a row. */
export function wireTarget(name: string, connections: number): Target {
  const ratio = RATIOS_WANTED[name];
  const p99Ratio = connections === 10 ? P99_RATIO_MAX_AT_10 : P99_RATIO_MAX;
  return ratio === undefined ? { p99Ratio } : { ratio, p99Ratio };
}

function loadRow(program: string, row: LoadRow, seconds: number): Row {
  const name = nameOf(row);
  const { operation, connections, depth } = row;
  const words = ["-o", operation, "-c", connections, "-d", depth, "-t", seconds, "-w", WARMUP_SECONDS];
  return {
    name,
    unit: "/s",
    target: wireTarget(name, connections),
    measure: async ({ socket }) => {
      const line = await runLoadProgram(program, ["-S", socket, ...words], seconds + WARMUP_SECONDS);
      const details = operation === "shared" ? { eagainPerSecond: numberOf(line, "eagain") / seconds } : undefined;
      return { ...measuredOf(line), ...(details === undefined ? {} : { details }) };
    },
  };
}

function readerRow(program: string, idle: number, seconds: number): Row {
  const name = `reader-beside-${String(idle)}`;
  return {
    name,
    unit: "/s",
    target: wireTarget(name, 1),
    measure: async ({ socket }) =>
      measuredOf(
        await runLoadProgram(program, ["reader", socket, idle, WARMUP_SECONDS, seconds], seconds + WARMUP_SECONDS),
      ),
  };
}

function measuredOf(line: LoadLine): Measured {
  return { value: numberOf(line, "ops_s"), p99Microseconds: numberOf(line, "p99_us") };
}
