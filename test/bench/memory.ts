/**
 * `npm run bench -- memory`: how much resident memory nodes and connections cost.
 *
 * Owns the rows: 100,000 nodes of 32 bytes, and 1,000 connections that have had one answer each. A figure is what the process
 * has grown by; ours has had the history record the nodes by then. Details tell the empty process and, of ours, the moment
 * before that.
 */
import type { Row } from "./comparison.js";
import type { Comparison } from "./comparison-report.js";
import { compare } from "./contenders.js";
import { mebibytes, type BenchmarkOptions } from "./figures.js";
import { connect, runLoad } from "./load.js";

const VALUE = "0123456789abcdef0123456789abcdef";
const NODES = 100_000;
const NODES_PER_DIRECTORY = 100;
const CONNECTIONS = 1000;

function fillPayload(index: number): string {
  const directory = Math.floor(index / NODES_PER_DIRECTORY);
  return `/fill/${String(directory)}/${String(index % NODES_PER_DIRECTORY)}\0${VALUE}`;
}

/** Written 64 deep. */
const nodes: Row = {
  name: `nodes-${String(NODES)}`,
  unit: "MiB",
  target: {},
  measure: async (daemon) => {
    const socket = await connect(daemon.socket);
    const empty = daemon.residentBytes();
    const start = performance.now();
    await runLoad(socket, { operation: "WRITE", count: NODES, depth: 64, payload: fillPayload });
    const writesPerSecond = Math.round((NODES * 1000) / (performance.now() - start));
    const written = daemon.residentBytes();
    if (daemon.program !== "peer") {
      await runLoad(socket, { operation: "CONTROL", count: 1, depth: 1, payload: () => "flush\0" });
    }
    const recorded = daemon.residentBytes();
    socket.destroy();
    return {
      value: mebibytes(recorded - empty),
      details: { writesPerSecond, emptyMebibytes: mebibytes(empty), writtenMebibytes: mebibytes(written - empty) },
    };
  },
};

const connections: Row = {
  name: `connections-${String(CONNECTIONS)}`,
  unit: "MiB",
  target: {},
  measure: async (daemon) => {
    const empty = daemon.residentBytes();
    const sockets = [];
    for (let index = 0; index < CONNECTIONS; index++) {
      const socket = await connect(daemon.socket);
      await runLoad(socket, { operation: "READ", count: 1, depth: 1, payload: () => "/\0" });
      sockets.push(socket);
    }
    const open = daemon.residentBytes();
    for (const socket of sockets) socket.destroy();
    return { value: mebibytes(open - empty), details: { emptyMebibytes: mebibytes(empty) } };
  },
};

/** Runs it: `--rounds` (3). */
export async function benchMemory(options: BenchmarkOptions): Promise<Comparison> {
  return compare([nodes, connections], options, []);
}
