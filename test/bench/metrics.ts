/**
 * What counting for `/metrics` costs: the daemon as it is by default against the daemon with `--no-metrics`. It is to keep 0.97
 * of its throughput.
 */
import type { Benchmark } from "./figures.js";
import type { ComparedLoad } from "./measured-load.js";
import { comparePair } from "./paired.js";

const RATIO_WANTED = 0.97;

const LOADS: readonly ComparedLoad[] = [
  { kind: "read", connections: 10, depth: 1 },
  { kind: "read", connections: 100, depth: 1 },
  { kind: "read", connections: 1, depth: 64 },
  { kind: "write", connections: 1, depth: 1 },
  { kind: "write", connections: 100, depth: 1 },
  { kind: "write", connections: 1, depth: 64 },
  { kind: "tx", connections: 100, depth: 1 },
];

/** `--seconds` for each load (2), `--rounds` (5). */
export const benchMetrics: Benchmark = (options) =>
  comparePair(
    {
      plain: ["uncounted", { flags: ["--no-metrics"] }],
      costly: ["counted", {}],
      ratioWanted: RATIO_WANTED,
      loads: LOADS,
    },
    options,
  );
