/**
 * The seed of a test's randomness.
 *
 * Owns where the seed comes from and how many runs a property gets. Random tests take their randomness from here and
 * from nowhere else, so that `SEED=… npx vitest run <file>` repeats a failure.
 */

/** `npm run test:long` multiplies the runs of every property by this. */
const LONG_RUNS_FACTOR = 50;

let chosen: number | undefined;

/** The seed of this test file, an int32: the environment's `SEED`, or a random one. Printed once per file. */
export function seed(): number {
  if (chosen === undefined) {
    chosen = seedFromEnvironment() ?? Math.floor(Math.random() * 0x7fffffff);
    console.log(`SEED=${String(chosen)}`);
  }
  return chosen;
}

/** Whether this is a long campaign (`LONG=1`). */
export function isLongCampaign(): boolean {
  return process.env["LONG"] === "1";
}

/** fast-check's parameters for a property of `runs` runs, many times as many in a long campaign. */
export function propertyParameters(runs: number): { seed: number; numRuns: number; endOnFailure: true } {
  return { seed: seed(), numRuns: isLongCampaign() ? runs * LONG_RUNS_FACTOR : runs, endOnFailure: true };
}

function seedFromEnvironment(): number | undefined {
  const text = process.env["SEED"];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value !== (value | 0)) throw new Error(`SEED=${text} is not a 32-bit integer`);
  return value;
}
