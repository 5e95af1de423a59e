/**
 * Boots in virtual time, each in an order of its own, with everything checked. `npm run simulate` runs as many as one likes.
 */
import { expect, test } from "vitest";
import { isLongCampaign, seed } from "../support/seed.js";
import { runSeeds } from "./seeds.js";

const SEEDS = 25;
const SEEDS_LONG = 1000;

test("machines boot, run and end in any order, and every reply, event and commit is explained", async () => {
  const seeds = isLongCampaign() ? SEEDS_LONG : SEEDS;
  const total = await runSeeds({ first: seed(), seeds, vms: 3 });
  console.log(JSON.stringify(total));
  expect(total.seeds).toBe(seeds);
  // Each run has its share of what must be met, or the runs say little.
  expect(total.replies).toBeGreaterThan(2000 * seeds);
  expect(total.events).toBeGreaterThan(400 * seeds);
  expect(total.commits).toBeGreaterThan(200 * seeds);
  expect(total.conflicts).toBeGreaterThan(seeds / 4);
  expect(total.restarts).toBeGreaterThan(0);
}, 180_000);
