/**
 * What `--trace` costs: the daemon with it against the daemon without. It is to keep 0.9 of its throughput.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Benchmark } from "./figures.js";
import type { ComparedLoad } from "./measured-load.js";
import { comparePair } from "./paired.js";

/** Ratio of the throughput with a trace to that without. */
const RATIO_WANTED = 0.9;

const LOADS: readonly ComparedLoad[] = [
  { kind: "write", connections: 1, depth: 1 },
  { kind: "write", connections: 10, depth: 1 },
  { kind: "write", connections: 10, depth: 16 },
  { kind: "tx", connections: 10, depth: 1 },
];

/** `--seconds` for each load (2), `--rounds` (5). */
export const benchTrace: Benchmark = async (options) => {
  const directory = mkdtempSync(join(tmpdir(), "xenstore-bench-trace-"));
  try {
    const costly = ["traced", { flags: ["--trace", join(directory, "trace.json")] }] as const;
    return await comparePair({ plain: ["plain", {}], costly, ratioWanted: RATIO_WANTED, loads: LOADS }, options);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};
