/**
 * A campaign of checked runs: `npm run simulate -- --seeds 10000 [--first N] [--vms 3] [--jobs 2]`.
 *
 * Owns the command line, and the division of the seeds among processes. Each seed boots, runs and ends machines in virtual
 * time, in an order, with visitors and restarts that follow from it, and every reply, event and commit is checked. A line of
 * progress every ten seconds; ends with code 1 and the seed when one fails.
 */
import { fork, type ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { addSeeds, noSeeds, runSeeds, type SeedsTotal } from "./seeds.js";

const PROGRESS_MILLISECONDS = 10_000;
const FIRST_MAX = 0x7fff_0000;
/** Seeds that a process is given at a time. */
const SHARE = 10;

/** What a process is asked to run, and what it answers. */
interface Share {
  readonly first: number;
  readonly seeds: number;
  readonly vms: number;
}
interface ShareResult {
  readonly total: SeedsTotal;
  readonly setbacks: readonly string[];
  /** Why a seed failed. */
  readonly failure: string | undefined;
}

async function runShare(share: Share): Promise<ShareResult> {
  const setbacks: string[] = [];
  let total = noSeeds();
  try {
    total = await runSeeds({ ...share, setback: (line) => setbacks.push(line) });
    return { total, setbacks, failure: undefined };
  } catch (error) {
    return { total, setbacks, failure: error instanceof Error ? error.message : String(error) };
  }
}

/** A process of this file that runs one share at a time. */
class Job {
  readonly #process: ChildProcess;

  constructor() {
    this.#process = fork(fileURLToPath(import.meta.url), ["--is-job"], {
      execArgv: process.execArgv,
      // Carries maps.
      serialization: "advanced",
    });
  }

  /** @throws Error when the process ends instead */
  async run(share: Share): Promise<ShareResult> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => {
        reject(new Error(`the process that ran the seeds from ${String(share.first)} ended with ${String(code)}`));
      };
      this.#process.once("exit", ended);
      this.#process.once("message", (result) => {
        this.#process.off("exit", ended);
        resolve(result as ShareResult);
      });
      this.#process.send(share);
    });
  }

  stop(): void {
    this.#process.removeAllListeners();
    this.#process.kill();
  }
}

/** Says how far a campaign is, now and then. */
class Progress {
  readonly total = noSeeds();
  readonly #started = performance.now();
  #reported = this.#started;

  add({ total, setbacks }: ShareResult): void {
    addSeeds(this.total, total);
    for (const line of setbacks) console.log(line);
    if (performance.now() - this.#reported < PROGRESS_MILLISECONDS) return;
    this.#reported = performance.now();
    console.log(this.#line("so far"));
  }

  finish(): void {
    console.log(this.#line("everything is explained"));
    const outcomes = [...this.total.outcomes].sort(([left], [right]) => (left < right ? -1 : 1));
    console.log(`answers: ${outcomes.map(([outcome, times]) => `${outcome} ${String(times)}`).join(", ")}`);
  }

  #line(what: string): string {
    const seconds = (performance.now() - this.#started) / 1000;
    const rate = (this.total.seeds / seconds).toFixed(1);
    const counts = JSON.stringify({ ...this.total, outcomes: undefined });
    return `${seconds.toFixed(0)} s, ${rate} seeds a second, ${what}: ${counts}`;
  }
}

async function runCampaign({ first, seeds, vms }: Share, jobs: number): Promise<void> {
  const progress = new Progress();
  let next = first;
  const end = first + seeds;
  const processes = Array.from({ length: jobs }, () => new Job());
  try {
    await Promise.all(
      processes.map(async (job) => {
        while (next < end) {
          const share = { first: next, seeds: Math.min(SHARE, end - next), vms };
          next += share.seeds;
          const result = await job.run(share);
          if (result.failure !== undefined) throw new Error(result.failure);
          progress.add(result);
        }
      }),
    );
  } finally {
    for (const job of processes) job.stop();
  }
  progress.finish();
}

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    first: { type: "string", default: String(Math.floor(Math.random() * FIRST_MAX)) },
    vms: { type: "string", default: "3" },
    jobs: { type: "string", default: String(availableParallelism()) },
    "is-job": { type: "boolean", default: false },
  },
});

function count(name: "seeds" | "first" | "vms" | "jobs", least: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`--${name} is a whole number of at least ${String(least)}, not ${values[name]}`);
}

async function main(): Promise<void> {
  const [seeds, first, vms, jobs] = [count("seeds", 1), count("first", 0), count("vms", 1), count("jobs", 1)];
  console.log(`--seeds ${String(seeds)} --first ${String(first)} --vms ${String(vms)} --jobs ${String(jobs)}`);
  await runCampaign({ seeds, first, vms }, jobs);
}

if (values["is-job"]) {
  process.on("message", (share) => {
    void runShare(share as Share).then((result) => process.send?.(result));
  });
} else {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
