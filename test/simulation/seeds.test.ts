/**
 * Boots in virtual time, each in an order of its own, with everything checked. `npm run simulate` runs as many as one likes.
 */
import { expect, test } from "vitest";
import { OPERATIONS, type OperationName } from "../../protocol/operation.js";
import { isLongCampaign, seed } from "../support/seed.js";
import { runSeeds } from "./seeds.js";

const SEEDS = 25;
const SEEDS_LONG = 1000;

/** What visitors and machines must meet, or the runs say little of it: operations and how they end. */
const MUST_MEET: Readonly<Partial<Record<OperationName, string>>> = {
  CONTROL: "OK ENOENT",
  DIRECTORY: "OK EACCES EINVAL ENOENT E2BIG",
  READ: "OK EACCES EINVAL ENOENT",
  GET_PERMS: "OK EACCES ENOENT",
  WATCH: "OK EINVAL ENOSPC",
  UNWATCH: "OK EINVAL ENOENT",
  TRANSACTION_START: "OK EBUSY ENOENT ENOSPC",
  TRANSACTION_END: "OK EAGAIN ENOENT ENOSPC",
  INTRODUCE: "OK EINVAL",
  RELEASE: "OK",
  GET_DOMAIN_PATH: "OK EINVAL",
  WRITE: "OK EACCES ENOENT ENOSPC",
  MKDIR: "OK EACCES ENOENT ENOSPC",
  RM: "OK EACCES ENOENT",
  SET_PERMS: "OK EACCES EINVAL ENOENT ENOSPC EPERM",
  IS_DOMAIN_INTRODUCED: "OK EACCES",
  RESUME: "OK ENOENT",
  SET_TARGET: "OK ENOENT",
  RESET_WATCHES: "OK ENOENT",
  DIRECTORY_PART: "OK EACCES EINVAL ENOENT",
  GET_FEATURE: "OK EACCES",
  SET_FEATURE: "EBUSY",
  GET_QUOTA: "OK",
  SET_QUOTA: "OK",
};

test("machines boot, run and end in any order, and every reply, event and commit is explained", async () => {
  const seeds = isLongCampaign() ? SEEDS_LONG : SEEDS;
  const total = await runSeeds({ first: seed(), seeds, vms: 3 });
  console.log(JSON.stringify({ ...total, outcomes: Object.fromEntries(total.outcomes) }));
  expect(total.seeds).toBe(seeds);
  // Each run has its share of what must be met, or the runs say little.
  expect(total.replies).toBeGreaterThan(2000 * seeds);
  expect(total.events).toBeGreaterThan(400 * seeds);
  expect(total.commits).toBeGreaterThan(200 * seeds);
  expect(total.conflicts).toBeGreaterThan(seeds / 4);
  expect(total.restarts).toBeGreaterThan(0);
  const operations = OPERATIONS.map(({ name }) => name);
  const wanted = operations.flatMap((name) => (MUST_MEET[name] ?? "no").split(" ").map((end) => `${name} ${end}`));
  expect(wanted.filter((outcome) => !total.outcomes.has(outcome))).toEqual([]);
}, 180_000);
