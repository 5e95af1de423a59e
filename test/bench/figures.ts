/**
 * What benchmarks have in common: how they are called, and how their figures look.
 */

/** One benchmark's figures, by name; the names end in their units. Figures of parts stand in their own table. */
export interface Figures {
  readonly [name: string]: number | string | Figures;
}

/** What the command line asks of every benchmark; each has its own values for what is undefined. */
export interface BenchmarkOptions {
  readonly seconds: number | undefined;
  readonly rounds: number | undefined;
  /** How long the history is. */
  readonly commits: number | undefined;
  /** Of comparisons: names of rows, where `*` stands for anything; all when left out. */
  readonly rows?: readonly string[];
  /** Of comparisons: flags for our daemon. */
  readonly flags?: readonly string[];
  /** Of comparisons: our daemon again, with other flags. */
  readonly variants?: readonly { readonly name: string; readonly flags: readonly string[] }[];
}

/** Measures one thing. */
export type Benchmark = (options: BenchmarkOptions) => Promise<Figures>;

const MEBIBYTE = 1024 * 1024;

/** Bytes as MiB, to one digit. */
export function mebibytes(bytes: number): number {
  return Number((bytes / MEBIBYTE).toFixed(1));
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = NaN, high = NaN] = sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1);
  return (low + high) / 2;
}

/** Figures as a line for people; those of parts on lines of their own. */
export function formatFigures(figures: Figures): string {
  const parts = Object.entries(figures).map(([name, value]) =>
    typeof value === "object" ? `\n  ${name}: ${formatFigures(value)}` : `${name} ${String(value)}`,
  );
  return parts.join(", ").replaceAll(", \n", "\n");
}

/** What this part of the values, which are ascending, is not above; with 1 the largest. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.floor((sorted.length - 1) * part)] ?? NaN;
}

/** To two decimals. */
export function rounded(value: number): number {
  return Number(value.toFixed(2));
}
