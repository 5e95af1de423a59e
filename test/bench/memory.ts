/**
 * How much memory the daemon takes with many nodes, and while their history is recorded.
 */
import { withBenchDaemon } from "./daemon.js";
import { mebibytes, type Benchmark } from "./figures.js";
import { connect, runLoad } from "./load.js";

const VALUE = "0123456789abcdef0123456789abcdef";
const NODES = 100_000;
const NODES_PER_DIRECTORY = 100;

function fillPayload(index: number): string {
  const directory = Math.floor(index / NODES_PER_DIRECTORY);
  return `/fill/${String(directory)}/${String(index % NODES_PER_DIRECTORY)}\0${VALUE}`;
}

/** 100,000 nodes of 32 bytes, written 64 deep; memory at once and when the history has them. */
export const benchMemory: Benchmark = () =>
  withBenchDaemon(async (daemon) => {
    const socket = await connect(daemon.socket);
    const before = daemon.residentBytes();
    const start = performance.now();
    await runLoad(socket, { operation: "WRITE", count: NODES, depth: 64, payload: fillPayload });
    const seconds = (performance.now() - start) / 1000;
    const written = daemon.residentBytes();
    await runLoad(socket, { operation: "CONTROL", count: 1, depth: 1, payload: () => "flush\0" });
    const recorded = daemon.residentBytes();
    socket.destroy();
    return {
      nodes: NODES,
      writesPerSecond: Math.round(NODES / seconds),
      emptyMebibytes: mebibytes(before),
      writtenMebibytes: mebibytes(written),
      recordedMebibytes: mebibytes(recorded),
    };
  });
