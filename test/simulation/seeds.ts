/**
 * Many checked runs, one for each seed.
 *
 * Owns the sum of them, and the words in which one that fails is told. It ends with the first that fails.
 */
import { runChecked, type CheckedRun } from "../../simulator/checker/checked-run.js";
import { describeViolation } from "../../simulator/checker/violation.js";

/** What is to be run. */
export interface SeedsPlan {
  readonly first: number;
  readonly seeds: number;
  readonly vms: number;
  /** Told after each run, with what there is in all so far. */
  readonly report?: (total: Readonly<SeedsTotal>) => void;
  /** Told what a restart kept from going well, a line each. */
  readonly setback?: (line: string) => void;
}

/** What was run, and what the checker looked at. */
export interface SeedsTotal {
  seeds: number;
  requests: number;
  replies: number;
  events: number;
  commits: number;
  conflicts: number;
  restarts: number;
  /** Runs in which a restart kept a machine from coming up or from going without a trace. */
  setbacks: number;
  /** How often requests of each operation were answered so: `READ OK`, `WRITE EACCES`. */
  readonly outcomes: Map<string, number>;
}

/** The total of no runs. */
export function noSeeds(): SeedsTotal {
  const counts = { seeds: 0, requests: 0, replies: 0, events: 0, commits: 0, conflicts: 0, restarts: 0, setbacks: 0 };
  return { ...counts, outcomes: new Map() };
}

/** Adds what was run elsewhere to a total. */
export function addSeeds(total: SeedsTotal, { outcomes, ...counts }: AddedSeeds): void {
  for (const [name, count] of Object.entries(counts)) total[name as keyof typeof counts] += count;
  for (const [outcome, count] of outcomes) total.outcomes.set(outcome, (total.outcomes.get(outcome) ?? 0) + count);
}

type AddedSeeds = Readonly<Omit<SeedsTotal, "outcomes">> & Pick<CheckedRun, "outcomes">;

/**
 * Runs the seeds one after the other.
 *
 * @throws Error when one fails, with the seed and what was found
 */
export async function runSeeds({ first, seeds, vms, report, setback }: SeedsPlan): Promise<SeedsTotal> {
  const total = noSeeds();
  for (let seed = first; seed < first + seeds; seed++) {
    const run = await runChecked({ seed, vms });
    const problems = problemsOf(run);
    if (problems.length > 0) {
      const again = `npm run simulate -- --first ${String(seed)} --seeds 1 --vms ${String(vms)}`;
      throw new Error(`seed ${String(seed)} failed; \`${again}\` repeats it\n${problems.join("\n")}`);
    }
    const { requests, replies, events, commits, conflicts, daemons } = run.counts;
    const setbacks = run.setbacks.length > 0 ? 1 : 0;
    const { outcomes } = run;
    const counts = { requests, replies, events, commits, conflicts, restarts: daemons - 1, setbacks };
    addSeeds(total, { seeds: 1, ...counts, outcomes });
    for (const line of run.setbacks) setback?.(`seed ${String(seed)}, after a restart: ${line}`);
    report?.(total);
  }
  return total;
}

/** What is wrong with a run, in words. */
export function problemsOf({ violation, troubles }: CheckedRun): string[] {
  return [...(violation === undefined ? [] : [describeViolation(violation)]), ...troubles];
}
