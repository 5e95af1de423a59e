/**
 * A machine's life across the end of the daemon, at each of the life's commits.
 */
import { describe, expect, test } from "vitest";
import { StoreAccess } from "../../simulator/actors/store-access.js";
import { Storm, type StormPlan, type StormReport } from "../../simulator/storm/storm.js";
import { SMALLEST_VM } from "../../simulator/vm/vm.js";
import type { Domid } from "../../protocol/identifiers.js";
import { isLongCampaign } from "../support/seed.js";
import { startWorldHost } from "../support/world-host.js";

const DOM0 = 0 as Domid;
const PLAN: StormPlan = {
  vms: 1,
  aliveMax: 1,
  startsPerSecond: Infinity,
  runMilliseconds: 5000,
  connectMillisecondsMax: 60_000,
  shape: SMALLEST_VM,
};
/** How many steps after the commit the daemon ends: at once, nobody has been told; later, some have. */
const STEPS_AFTER = [0, 2];
/** With the one of a short campaign the guest takes the request to shut down before that is sent again, at both steps. */
const SEEDS = isLongCampaign() ? Array.from({ length: 20 }, (_, index) => index + 1) : [5];
/** A life has about 80 commits. */
const COMMITS_LEAST = 70;
const TEST_MILLISECONDS = 120_000;

interface Life {
  readonly report: StormReport;
  readonly troubles: readonly string[];
  /** Commits of the life. */
  readonly commits: number;
}

/** When the daemon ends, to be started again. */
interface End {
  /** The number of a commit, counted from the life's first. */
  readonly commit: number;
  readonly stepsAfter: number;
}

/** One machine's life, with a daemon that ends in it or does not. */
async function live(worldSeed: number, end?: End): Promise<Life> {
  let commits = 0;
  const troubles: string[] = [];
  const { world, host } = await startWorldHost(worldSeed, {
    observer: { committed: (made) => (commits += made.length) },
    trouble: (actor, error) => troubles.push(`${actor}: ${String(error)}`),
  });
  const client = await world.runUntil(world.environment.connect(DOM0, "test"));
  const { scheduler } = world;
  commits = 0;
  const storm = new Storm(PLAN, {
    host,
    store: new StoreAccess(client),
    monotonicMilliseconds: () => scheduler.monotonicMilliseconds(),
    delay: (milliseconds, signal) => scheduler.delay(milliseconds, signal),
    signal: new AbortController().signal,
  });
  const running = storm.run();
  if (end !== undefined) {
    await scheduler.run(() => commits >= end.commit);
    const moment = scheduler.steps + end.stepsAfter;
    await scheduler.run(() => scheduler.steps >= moment);
    world.stopDaemon();
    await world.startDaemon();
  }
  const report = await world.runUntil(running);
  return { report, troubles, commits };
}

describe("A machine's life", () => {
  test.each(SEEDS)(
    "goes on when the daemon ends at any of its commits, with seed %i",
    { timeout: TEST_MILLISECONDS },
    async (worldSeed) => {
      const { commits } = await live(worldSeed);
      expect(commits).toBeGreaterThan(COMMITS_LEAST);
      const disturbed: (End & Omit<Life, "commits">)[] = [];
      for (const stepsAfter of STEPS_AFTER) {
        for (let commit = 1; commit <= commits; commit++) {
          const { report, troubles } = await live(worldSeed, { commit, stepsAfter });
          const isWell = report.connected === 1 && report.failures.length + report.leaks.length + troubles.length === 0;
          if (!isWell) disturbed.push({ commit, stepsAfter, report, troubles });
        }
      }
      expect(disturbed).toEqual([]);
    },
  );
});
