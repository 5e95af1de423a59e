/**
 * `npm run bench -- [memory|connections|requests|history|reader]… [--json]`: figures of this daemon on this machine.
 *
 * Single figures drift with the machine; they say what fits, not what is fast. Comparisons want two programs in one run.
 */
import { startBenchDaemon, type BenchDaemon } from "./daemon.js";
import { benchHistory } from "./history.js";
import { measureReader } from "./reader.js";
import { connect, runLoad } from "./load.js";

/** One benchmark's figures, by name; the names end in their units. */
type Figures = Readonly<Record<string, number | string>>;

const MEBIBYTE = 1024 * 1024;
const VALUE = "0123456789abcdef0123456789abcdef";
const NODES = 100_000;
const NODES_PER_DIRECTORY = 100;

function mebibytes(bytes: number): number {
  return Number((bytes / MEBIBYTE).toFixed(1));
}

function fillPayload(index: number): string {
  const directory = Math.floor(index / NODES_PER_DIRECTORY);
  return `/fill/${String(directory)}/${String(index % NODES_PER_DIRECTORY)}\0${VALUE}`;
}

/** 100,000 nodes of 32 bytes, written 64 deep; memory at once and when the history has them. */
async function memory(daemon: BenchDaemon): Promise<Figures> {
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
}

/** 4,000 connections open at once, each with one request answered. */
async function connections(daemon: BenchDaemon): Promise<Figures> {
  const count = 4000;
  const before = daemon.residentBytes();
  const sockets = [];
  for (let index = 0; index < count; index++) {
    const socket = await connect(daemon.socket);
    await runLoad(socket, { operation: "READ", count: 1, depth: 1, payload: () => "/\0" });
    sockets.push(socket);
  }
  const after = daemon.residentBytes();
  for (const socket of sockets) socket.destroy();
  return { connections: count, emptyMebibytes: mebibytes(before), openMebibytes: mebibytes(after) };
}

/** READ and WRITE on one connection, 64 in flight. */
async function requests(daemon: BenchDaemon): Promise<Figures> {
  const socket = await connect(daemon.socket);
  const count = 100_000;
  const figures: Record<string, number> = {};
  const loads = [
    { operation: "WRITE", payload: (index: number) => `/bench/k${String(index % 8)}\0${VALUE}` },
    { operation: "READ", payload: (index: number) => `/bench/k${String(index % 8)}\0` },
  ] as const;
  for (const { operation, payload } of loads) {
    const start = performance.now();
    await runLoad(socket, { operation, count, depth: 64, payload });
    figures[`${operation.toLowerCase()}sPerSecond`] = Math.round((count * 1000) / (performance.now() - start));
  }
  socket.destroy();
  return figures;
}

const BENCHMARKS: ReadonlyMap<string, (daemon: BenchDaemon) => Promise<Figures>> = new Map([
  ["memory", memory],
  ["connections", connections],
  ["requests", requests],
]);

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const asJson = words.includes("--json");
  const chosen = words.filter((word) => word !== "--json");
  const names = [...BENCHMARKS.keys(), "history", "reader"];
  const unknown = chosen.find((word) => !names.includes(word));
  if (unknown !== undefined) {
    process.stderr.write(`there is no benchmark ${unknown}; there are: ${names.join(", ")}\n`);
    process.exit(2);
  }
  const results: Record<string, Figures> = {};
  for (const [name, run] of BENCHMARKS) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    const daemon = await startBenchDaemon();
    try {
      results[name] = { program: daemon.program, ...(await run(daemon)) };
    } finally {
      await daemon.stop();
    }
    if (!asJson) process.stdout.write(`${name}: ${formatFigures(results[name])}\n`);
  }
  if (chosen.length === 0 || chosen.includes("history")) {
    results["history"] = await benchHistory();
    if (!asJson) process.stdout.write(`history: ${formatFigures(results["history"])}\n`);
  }
  if (chosen.length === 0 || chosen.includes("reader")) {
    results["reader"] = measureReader({ commits: 50_000, domains: 1000 });
    if (!asJson) process.stdout.write(`reader: ${formatFigures(results["reader"])}\n`);
  }
  if (asJson) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
}

function formatFigures(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
}

await main();
