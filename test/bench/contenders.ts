/**
 * Who is compared: our daemon, variants of it, and the peers that there are.
 *
 * Owns how the command line names variants, and which rows of a comparison it chooses.
 */
import { compareRows, type Contender, type Row } from "./comparison.js";
import type { Comparison } from "./comparison-report.js";
import { startBenchDaemon } from "./daemon.js";
import type { BenchmarkOptions } from "./figures.js";
import { findPeers, peersDirectory, startPeer } from "./peers.js";

/** Our daemon with more flags. */
export interface Variant {
  readonly name: string;
  readonly flags: readonly string[];
}

const ROUNDS = 3;

/**
 * Reads `NAME=FLAGS`, where flags are separated by spaces.
 *
 * @throws Error when it is none; the message is for people
 */
export function parseVariant(text: string): Variant {
  const match = /^([A-Za-z0-9._-]+)=(.*)$/s.exec(text);
  const [, name = "", flags = ""] = match ?? [];
  if (match === null) throw new Error(`--variant ${text}: it must be NAME=FLAGS, as in "ipc=--listener node-ipc"`);
  return { name, flags: parseFlags(flags) };
}

/** Flags that are separated by spaces. */
export function parseFlags(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** The rows that were asked for by name, where `*` stands for anything; all of them when none was. */
export function chooseRows<Named extends Pick<Row, "name">>(
  rows: readonly Named[],
  patterns: readonly string[],
): readonly Named[] {
  const expressions = patterns.map((pattern) => {
    const parts = pattern.split("*").map((part) => part.replace(/[^A-Za-z0-9]/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`);
  });
  return patterns.length === 0 ? rows : rows.filter(({ name }) => expressions.some((one) => one.test(name)));
}

/** Compares rows as the command line says; notes that are known before are told at once. */
export async function compare(
  rows: readonly Row[],
  options: BenchmarkOptions,
  notes: readonly string[],
): Promise<Comparison> {
  const tell = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const chosen = chooseRows(rows, options.rows ?? []);
  const { found, missing } = findPeers(peersDirectory());
  const told = missing === undefined ? notes : [missing, ...notes];
  for (const note of told) tell(note);
  const variants = [{ name: "ours", flags: options.flags ?? [] }, ...(options.variants ?? [])];
  const contenders: readonly Contender[] = [
    ...variants.map(({ name, flags }) => ({ name, isPeer: false, start: () => startBenchDaemon({ flags }) })),
    ...found.map((name) => ({ name, isPeer: true, start: () => startPeer(name) })),
  ];
  const results = await compareRows(chosen, contenders, { rounds: options.rounds ?? ROUNDS, progress: tell });
  return { contenders, results, notes: told };
}
