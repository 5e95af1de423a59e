/**
 * How fast the daemon takes commits, for a moment and for long, with its history being recorded.
 *
 * Owns the two measurements; the load client runs beside. Burst: five seconds at full speed, how far the history is behind
 * then, and how long it takes to catch up. Sustained: `--seconds` (60) at full speed; the lag must stay bounded, so the
 * rate is the recorder's as soon as the journal's limit has made it so. The figures of the second half of that time are the
 * sustained ones: in the first the journal fills up. The load is one value at depth 7 per commit, ten domains in turn.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseHistoryStatus, type HistoryStatus } from "../support/control-history.js";
import { connectClient, type WireClient } from "../support/wire-client.js";
import { withBenchDaemon } from "./daemon.js";
import { median, mebibytes, type Benchmark, type Figures } from "./figures.js";
import type { LoadOptions } from "./load-client.js";
import { runLoadProcess } from "./load-process.js";

const BURST_SECONDS = 5;
const SAMPLE_MILLISECONDS = 250;
/** Longest wait for the history to catch up. */
const CATCH_UP_SECONDS_MAX = 600;
/** Commits per second that are wanted, acknowledged and sealed. */
const SUSTAINED_WANTED = 15_000;

const LOAD: Pick<LoadOptions, "kind" | "connections" | "depth" | "warmupSeconds"> = {
  kind: "stream",
  connections: 10,
  depth: 16,
  warmupSeconds: 0,
};

interface Sample extends HistoryStatus {
  readonly milliseconds: number;
}

/** `--seconds` for the sustained load (60). */
export const benchSustained: Benchmark = ({ seconds = 60 }) =>
  withBenchDaemon(async ({ socket }) => {
    const observer = await connectClient(socket);
    try {
      return {
        sustainedWantedPerSecond: SUSTAINED_WANTED,
        burst: await burst(observer, socket),
        sustained: await sustained(observer, socket, seconds),
      };
    } finally {
      observer.destroy();
    }
  });

async function burst(observer: WireClient, socket: string): Promise<Figures> {
  const { operationsPerSecond } = await runLoadProcess({ ...LOAD, socket, seconds: BURST_SECONDS });
  const { lagCommits, lagBytes, lagSeconds, writers } = await sample(observer);
  const catchUpSeconds = await catchUp(observer);
  return {
    seconds: BURST_SECONDS,
    acknowledgedPerSecond: operationsPerSecond,
    lagCommits,
    lagMebibytes: mebibytes(lagBytes),
    lagSeconds,
    writers,
    catchUpSeconds,
  };
}

async function sustained(observer: WireClient, socket: string, seconds: number): Promise<Figures> {
  let isRunning = true;
  const load = runLoadProcess({ ...LOAD, socket, seconds }).finally(() => {
    isRunning = false;
  });
  // Observed below; a load that fails early must not be an unhandled rejection before that.
  load.catch(() => undefined);
  const samples: Sample[] = [];
  for (;;) {
    const taken = await sample(observer);
    if (!(isRunning as boolean)) break;
    samples.push(taken);
    await delay(SAMPLE_MILLISECONDS);
  }
  const { operationsPerSecond } = await load;
  // The load client takes a moment to start and to end.
  const busy = samples.filter(({ seq }, index) => index > 0 && seq > (samples[index - 1]?.seq ?? 0));
  const half = busy.slice(Math.floor(busy.length / 2));
  const catchUpSeconds = await catchUp(observer);
  return {
    seconds,
    acknowledgedPerSecond: operationsPerSecond,
    secondHalf: {
      acknowledgedPerSecond: rate(half, ({ seq }) => seq),
      sealedPerSecond: rate(half, ({ sealed }) => sealed),
    },
    lagCommits: curve(busy, ({ lagCommits }) => lagCommits),
    lagMebibytes: curve(busy, ({ lagBytes }) => mebibytes(lagBytes)),
    lagSeconds: curve(busy, ({ lagSeconds }) => lagSeconds),
    journalMebibytesMost: Math.max(...busy.map(({ journalBytes }) => mebibytes(journalBytes))),
    samplesSlowed: busy.filter(({ writers }) => writers !== "not slowed").length,
    samples: busy.length,
    catchUpSeconds,
  };
}

async function sample(observer: WireClient): Promise<Sample> {
  const text = await observer.must("CONTROL", ["history"]);
  return { ...parseHistoryStatus(text), milliseconds: performance.now() };
}

/** How long the history takes until it lacks nothing. */
async function catchUp(observer: WireClient): Promise<number> {
  const start = performance.now();
  for (;;) {
    const seconds = (performance.now() - start) / 1000;
    if ((await sample(observer)).lagCommits === 0) return Number(seconds.toFixed(1));
    if (seconds > CATCH_UP_SECONDS_MAX) throw new Error("the history does not catch up");
    await delay(SAMPLE_MILLISECONDS / 5);
  }
}

function rate(samples: readonly Sample[], count: (sample: Sample) => number): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return NaN;
  return Math.round(((count(last) - count(first)) * 1000) / (last.milliseconds - first.milliseconds));
}

function curve(samples: readonly Sample[], value: (sample: Sample) => number): Figures {
  const values = samples.map(value);
  return { least: Math.min(...values), median: median(values), most: Math.max(...values) };
}
