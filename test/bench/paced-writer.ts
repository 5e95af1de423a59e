/**
 * A client that commits at a steady pace.
 *
 * Owns the pace: so many commits a second over so many domains, and what each took; and the comparison of the client alone with
 * itself beside something that may slow it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { XenstoreClient } from "../../clients/xenstore/client.js";
import { median, quantile, rounded, type Figures } from "./figures.js";

export const COMMITS_PER_SECOND = 500;
export const DOMAINS = 50;
const TICK_MILLISECONDS = 10;

/** What came of some seconds of writing. */
interface Written {
  readonly perSecond: number;
  /** In milliseconds, ascending. */
  readonly latencies: readonly number[];
}

let lastCount = 99;

/** Writes for so long, as often as it should or as it can. */
export async function writeFor(client: XenstoreClient, seconds: number): Promise<Written> {
  const latencies: number[] = [];
  const begin = performance.now();
  const perTick = (COMMITS_PER_SECOND * TICK_MILLISECONDS) / 1000;
  let asked = 0;
  while (performance.now() - begin < seconds * 1000) {
    const due = Math.ceil(((performance.now() - begin) / TICK_MILLISECONDS) * perTick);
    // Who is late has not asked for it: nothing is made up for.
    const batch = Math.min(perTick, due - asked);
    asked = due;
    await Promise.all(
      Array.from({ length: batch }, async () => {
        const start = performance.now();
        lastCount++;
        await client.write(`/local/domain/${String(lastCount % DOMAINS)}/bench/count`, String(lastCount));
        latencies.push(performance.now() - start);
      }),
    );
    await delay(TICK_MILLISECONDS);
  }
  const elapsed = (performance.now() - begin) / 1000;
  return { perSecond: latencies.length / elapsed, latencies: latencies.sort((left, right) => left - right) };
}

/** What may slow the client, in turns with nothing. */
interface Beside {
  /** Of each turn. */
  readonly seconds: number;
  readonly rounds: number;
  /** Begins it; what it resolves to ends it. */
  readonly begin: () => Promise<() => Promise<void>>;
}

/** The client beside something, to what it is alone: medians of the rounds' ratios. */
export async function compareBeside(client: XenstoreClient, { seconds, rounds, begin }: Beside): Promise<Figures> {
  const ratios: number[] = [];
  const p50: number[] = [];
  const p99: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const alone = await writeFor(client, seconds);
    const end = await begin();
    const beside = await writeFor(client, seconds);
    await end();
    ratios.push(beside.perSecond / alone.perSecond);
    p50.push(quantile(beside.latencies, 0.5) / quantile(alone.latencies, 0.5));
    p99.push(quantile(beside.latencies, 0.99) / quantile(alone.latencies, 0.99));
  }
  return {
    commitsToAlone: rounded(median(ratios)),
    latencyP50ToAlone: rounded(median(p50)),
    latencyP99ToAlone: rounded(median(p99)),
  };
}
