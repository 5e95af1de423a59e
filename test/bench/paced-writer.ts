/**
 * A client that commits at a steady pace.
 *
 * Owns the pace: so many commits a second over so many domains, and what each took.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { XenstoreClient } from "../../clients/xenstore/client.js";

export const COMMITS_PER_SECOND = 500;
export const DOMAINS = 50;
const TICK_MILLISECONDS = 10;

/** What came of some seconds of writing. */
export interface Written {
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
