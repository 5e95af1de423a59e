/**
 * Comparisons: the same load on our daemon and on its peers, in turns, in one run.
 *
 * Owns the turns, and what is reckoned from them. Invariants:
 *
 *  1. Each measurement has a daemon of its own that has just started: nobody pays for what another load left behind.
 *  2. In a round everybody has one turn with a row, one after the other, so what else the machine does falls on all of them.
 *  3. A figure is the median of its rounds. A ratio is the median of the rounds' ratios, each of which has two neighbours in
 *     time, and says how many times as good ours is: 2 is twice the rate, or half the time. Only the ratio of two latencies
 *     says how many times as long ours takes.
 *  4. The peer that counts is the better one, by its median.
 */
import type { BenchDaemon } from "./daemon.js";
import { median } from "./figures.js";

/** What a figure counts. Of rates more is better, of all else less. */
export type Unit = "/s" | "s" | "ms" | "MiB";

/** What a load came to. */
export interface Measured {
  readonly value: number;
  /** The time within which 99 of 100 requests were answered. */
  readonly p99Microseconds?: number;
  /** The load was ended before it was over, and would have taken longer. */
  readonly isLeast?: boolean;
  /** What else is worth telling, by name with its unit. */
  readonly details?: Readonly<Record<string, number>>;
}

/** What is wanted. */
export interface Target {
  /** Ratio to the better peer, at least. */
  readonly ratio?: number;
  /** Ratio to one peer, at least. */
  readonly ratioTo?: Readonly<Record<string, number>>;
  /** Ratio of our 99% latency to the better peer's, at most. */
  readonly p99Ratio?: number;
}

/** One thing that is compared. */
export interface Row {
  readonly name: string;
  readonly unit: Unit;
  readonly target: Target;
  measure(daemon: BenchDaemon): Promise<Measured>;
}

/** Who is compared. */
export interface Contender {
  readonly name: string;
  readonly isPeer: boolean;
  start(): Promise<BenchDaemon>;
}

/** A contender's rounds of a row. */
export interface Cell {
  readonly samples: readonly Measured[];
  /** Why there are no more samples. */
  readonly failure: string | undefined;
}

/** All rounds of a row, by contender. */
export interface RowResult {
  readonly row: Pick<Row, "name" | "unit" | "target">;
  readonly cells: ReadonlyMap<string, Cell>;
}

/** Measures the rows with everybody in turn; `progress` is told of each measurement in a line. */
export async function compareRows(
  rows: readonly Row[],
  contenders: readonly Contender[],
  { rounds, progress }: { readonly rounds: number; readonly progress: (line: string) => void },
): Promise<readonly RowResult[]> {
  const results: RowResult[] = [];
  for (const row of rows) {
    const samples = new Map(contenders.map(({ name }) => [name, [] as Measured[]]));
    const failures = new Map<string, string>();
    for (let round = 1; round <= rounds; round++) {
      for (const contender of contenders) {
        const { name } = contender;
        if (failures.has(name)) continue;
        const place = `${row.name}, round ${String(round)}, ${name}`;
        try {
          const measured = await measureWith(contender, row);
          samples.get(name)?.push(measured);
          progress(`${place}: ${describeMeasured(measured, row.unit)}`);
        } catch (error) {
          const failure = error instanceof Error ? error.message : String(error);
          failures.set(name, failure);
          progress(`${place} FAILED: ${failure}`);
        }
      }
    }
    const cells = contenders.map(({ name }) => {
      const cell: Cell = { samples: samples.get(name) ?? [], failure: failures.get(name) };
      return [name, cell] as const;
    });
    results.push({ row, cells: new Map(cells) });
  }
  return results;
}

async function measureWith(contender: Contender, row: Row): Promise<Measured> {
  const daemon = await contender.start();
  try {
    return await row.measure(daemon);
  } finally {
    await daemon.stop();
  }
}

/** How one of ours did in a row. */
export interface Judgement {
  /** To the better peer; undefined where ours or all peers have no figure. */
  readonly ratio: number | undefined;
  readonly p99Ratio: number | undefined;
  /** By peer. */
  readonly ratios: ReadonlyMap<string, number>;
  readonly verdict: Verdict;
}

/** What became of a target. */
export type Verdict = "reached" | "FALLS SHORT" | "FAILED" | "no target" | "no peer";

/** Judges one of ours by its peers. */
export function judge({ row, cells }: RowResult, ours: string, peers: readonly string[]): Judgement {
  const own = samplesOf(cells, ours);
  const isOver = own.length > 0 && cells.get(ours)?.failure === undefined;
  const measuredPeers = peers.filter((peer) => samplesOf(cells, peer).length > 0);
  const ratios = new Map(measuredPeers.map((peer) => [peer, ratioOf(row.unit, own, samplesOf(cells, peer))]));
  const better = best(measuredPeers, (peer) => valueOf(cells, peer) * (row.unit === "/s" ? -1 : 1));
  const p99Better = best(
    measuredPeers.filter((peer) => p99Of(cells, peer) !== undefined),
    (peer) => p99Of(cells, peer) ?? Infinity,
  );
  const ratio = better === undefined || own.length === 0 ? undefined : ratios.get(better);
  const p99Ratio =
    p99Better === undefined || p99Of(cells, ours) === undefined
      ? undefined
      : medianRatio(own, samplesOf(cells, p99Better), ({ p99Microseconds }) => p99Microseconds ?? NaN);
  const judged = { ratio, p99Ratio, ratios };
  return { ...judged, verdict: isOver ? verdictOf(row.target, judged, measuredPeers.length > 0) : "FAILED" };
}

function verdictOf(target: Target, judged: Omit<Judgement, "verdict">, hasPeer: boolean): Verdict {
  const pairs: (readonly [got: number | undefined, wanted: number | undefined, isLeast: boolean])[] = [
    [judged.ratio, target.ratio, true],
    [judged.p99Ratio, target.p99Ratio, false],
    ...Object.entries(target.ratioTo ?? {}).map(([peer, wanted]) => [judged.ratios.get(peer), wanted, true] as const),
  ];
  const wanted = pairs.filter(([, limit]) => limit !== undefined);
  if (wanted.length === 0) return "no target";
  const known = wanted.filter(([got]) => got !== undefined);
  if (!hasPeer || known.length === 0) return "no peer";
  const isReached = known.every(([got = NaN, limit = NaN, isLeast]) => (isLeast ? got >= limit : got <= limit));
  return isReached ? "reached" : "FALLS SHORT";
}

/** The median of a contender's figures; NaN where there are none. */
export function valueOf(cells: RowResult["cells"], contender: string): number {
  return median(samplesOf(cells, contender).map(({ value }) => value));
}

/** The median of a contender's 99% latencies, in microseconds; undefined where the row has none. */
export function p99Of(cells: RowResult["cells"], contender: string): number | undefined {
  const times = samplesOf(cells, contender).flatMap(({ p99Microseconds }) => p99Microseconds ?? []);
  return times.length === 0 ? undefined : median(times);
}

/** The medians of what else a contender's rounds told, by name. */
export function detailsOf(cells: RowResult["cells"], contender: string): Readonly<Record<string, number>> {
  const samples = samplesOf(cells, contender);
  const names = Object.keys(samples[0]?.details ?? {});
  return Object.fromEntries(names.map((name) => [name, median(samples.map(({ details }) => details?.[name] ?? NaN))]));
}

function samplesOf(cells: RowResult["cells"], contender: string): readonly Measured[] {
  return cells.get(contender)?.samples ?? [];
}

function ratioOf(unit: Unit, ours: readonly Measured[], theirs: readonly Measured[]): number {
  const ratio = (left: readonly Measured[], right: readonly Measured[]) =>
    medianRatio(left, right, ({ value }) => value);
  return unit === "/s" ? ratio(ours, theirs) : ratio(theirs, ours);
}

/** Of the rounds that both have. */
function medianRatio(
  numerators: readonly Measured[],
  denominators: readonly Measured[],
  figure: (measured: Measured) => number,
): number {
  const rounds = numerators.slice(0, denominators.length);
  return median(rounds.map((measured, round) => figure(measured) / figure(denominators[round] ?? measured)));
}

function best<T>(items: readonly T[], badness: (item: T) => number): T | undefined {
  let found: T | undefined;
  for (const item of items) if (found === undefined || badness(item) < badness(found)) found = item;
  return found;
}

/** A measurement for people. */
export function describeMeasured({ value, p99Microseconds, isLeast }: Measured, unit: Unit): string {
  const p99 = p99Microseconds === undefined ? "" : `, p99 ${(p99Microseconds / 1000).toFixed(2)} ms`;
  return `${isLeast === true ? "> " : ""}${describeNumber(value)}${unit === "/s" ? "" : " "}${unit}${p99}`;
}

function describeNumber(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/\B(?=(?:[0-9]{3})+(?![0-9]))/g, digits === 0 ? "," : "");
}
