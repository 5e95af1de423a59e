/**
 * The core does what a naive model does: every reply, every event and every state, for random traffic of six clients.
 *
 * `SEED=… npx vitest run test/property/core-model` repeats a failure; the message holds a transcript of the shortest run
 * that fails.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runArbitrary, type Command } from "../support/model/command.js";
import { Comparison } from "../support/model/comparison.js";
import { MUTATIONS, type Mutation } from "../../simulator/checker/model/state.js";
import { propertyParameters, seed } from "../support/seed.js";

const RUNS = 1300;
/** About a hundred commands in a run of average length. */
const COMMANDS_MAX = 220;

/** So many commands are compared in all of the runs. */
const COMMANDS_MIN = 100_000;

/** A wrong model is found out within so many runs. */
const MUTANT_RUNS = 1000;

const runs = runArbitrary({ commandsMax: COMMANDS_MAX, withFailures: false });

/** What random traffic must meet often, or the comparison says little: an operation, how it ends, and how often. */
const MUST_MEET: readonly (readonly [what: string, times: number])[] = [
  ["TRANSACTION_END OK", 500],
  ["TRANSACTION_END EAGAIN", 100],
  ["TRANSACTION_END ENOSPC", 20],
  ["TRANSACTION_START ENOSPC", 20],
  ["WRITE OK", 2000],
  ["WRITE EACCES", 200],
  ["WRITE ENOSPC", 100],
  ["MKDIR ENOSPC", 20],
  ["SET_PERMS OK", 1000],
  ["SET_PERMS EPERM", 50],
  ["SET_PERMS ENOSPC", 50],
  ["WATCH ENOSPC", 50],
  ["WATCH EEXIST", 50],
  ["UNWATCH OK", 100],
  ["RM OK", 500],
  ["RELEASE OK", 50],
  ["SET_TARGET OK", 50],
  ["RESET_WATCHES OK", 50],
];

describe("Core and its model", () => {
  test("agree on every reply, every event and every state", () => {
    const met = new Map<string, number>();
    let commands = 0;
    const parameters = propertyParameters(RUNS);
    fc.assert(
      fc.property(runs, (run) => {
        const comparison = new Comparison();
        comparison.run(run);
        commands += run.length;
        for (const [what, count] of comparison.replies) met.set(what, (met.get(what) ?? 0) + count);
      }),
      { ...parameters, endOnFailure: false },
    );
    expect(commands).toBeGreaterThan((parameters.numRuns / RUNS) * COMMANDS_MIN);
    const rare = MUST_MEET.filter(([what, times]) => (met.get(what) ?? 0) < (times * parameters.numRuns) / RUNS);
    expect(rare.map(([what, times]) => `${what}: ${String(met.get(what))}, not ${String(times)}`)).toEqual([]);
  }, 120_000);
});

/** The shortest run, of those tried, in which the core differs from this model. */
function differingRun(mutation: Mutation): { readonly run: Command[]; readonly message: string } | undefined {
  const details = fc.check(
    fc.property(runs, (run) => {
      new Comparison(mutation).run(run);
    }),
    { seed: seed(), numRuns: MUTANT_RUNS },
  );
  const [run] = details.counterexample ?? [];
  return run === undefined ? undefined : { run, message: String(details.errorInstance) };
}

describe("Comparison", () => {
  test.each(MUTATIONS)("finds out a model in which %s", (mutation) => {
    const found = differingRun(mutation);
    expect(found, "no run differs from the wrong model").toBeDefined();
    // Shrinking works: a few commands are enough, and the message tells them.
    expect(found?.run.length).toBeLessThan(14);
    expect(found?.message).toMatch(/ (must|gets|are|is) .*\n[^]*The run:\n/);
    // It is the mutation that differs, and not the core.
    new Comparison().run(found?.run ?? []);
  });
});
