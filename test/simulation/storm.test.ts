/**
 * Storms in virtual time: many machines on one daemon, whatever the order of things.
 */
import { describe, expect, test } from "vitest";
import type { XenstoreClient } from "../../clients/xenstore/client.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import type { Commit } from "../../daemon/store/commit.js";
import { StoreAccess } from "../../simulator/actors/store-access.js";
import { FaultPlan } from "../../simulator/faults/fault-plan.js";
import type { SimulatedHost } from "../../simulator/host.js";
import { compareSnapshots, takeSnapshot } from "../../simulator/storm/store-snapshot.js";
import { Storm, type StormPlan, type StormReport } from "../../simulator/storm/storm.js";
import { SMALLEST_VM, vmSpec, type VmShape } from "../../simulator/vm/vm.js";
import type { World } from "../../simulator/world/world.js";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { seed } from "../support/seed.js";
import { startWorldHost } from "../support/world-host.js";
import type { Domid } from "../../protocol/identifiers.js";

const DOM0 = 0 as Domid;
/** Restarts at so many moments of a boot, so far apart: three boots have about 5,000 steps. */
const RESTARTS = 12;
const STEPS_APART = 400;

const PLAN: StormPlan = {
  vms: 40,
  aliveMax: 40,
  startsPerSecond: Infinity,
  runMilliseconds: 5000,
  connectMillisecondsMax: 60_000,
  shape: SMALLEST_VM,
};

interface Stage {
  readonly world: World;
  readonly host: SimulatedHost;
  readonly client: XenstoreClient;
  readonly commits: Commit[];
  readonly troubles: string[];
}

async function setUp(worldSeed: number, faults = new FaultPlan()): Promise<Stage> {
  const commits: Commit[] = [];
  const troubles: string[] = [];
  const { world, host } = await startWorldHost(worldSeed, {
    observer: { committed: (made) => commits.push(...made) },
    faults,
    trouble: (actor, error) => troubles.push(`${actor}: ${String(error)}`),
  });
  const client = await world.runUntil(world.environment.connect(DOM0, "test"));
  return { world, host, client, commits, troubles };
}

/** Starts a storm, which goes on as far as its world does. */
async function startStorm(
  { world, host, client }: Stage,
  plan: StormPlan,
  signal = new AbortController().signal,
): Promise<StormReport> {
  const storm = new Storm(plan, {
    host,
    store: new StoreAccess(client),
    monotonicMilliseconds: () => world.scheduler.monotonicMilliseconds(),
    delay: (milliseconds, signal) => world.scheduler.delay(milliseconds, signal),
    signal,
  });
  return storm.run();
}

async function runStorm(stage: Stage, plan: StormPlan): Promise<StormReport> {
  return stage.world.runUntil(startStorm(stage, plan));
}

/** The commit object at the tip of the history that these commits make. */
function tipOf(commits: readonly Commit[]): string {
  const fileSystem = createMemoryFileSystem();
  const repositoryDirectory = "/store.git";
  createRepository(fileSystem, repositoryDirectory);
  const recorder = new HistoryRecorder({ fileSystem, repositoryDirectory, ref: MAIN_REF, hostName: "world" });
  for (const commit of commits) recorder.record(commit);
  recorder.seal();
  recorder.close();
  return recorder.progress().tip ?? "none";
}

const SHAPES: readonly VmShape[] = [
  { type: "pv", vcpus: 1, disks: 1, vifs: 1 },
  { type: "pv", vcpus: 4, disks: 2, vifs: 3 },
  { type: "pvh", vcpus: 6, disks: 16, vifs: 8 },
  { type: "pv", vcpus: 2, disks: 0, vifs: 0 },
];

describe("A machine", () => {
  test.each(SHAPES)("of the kind $type with $vcpus processors, $disks disks, $vifs interfaces", async (shape) => {
    const { world, host, client, troubles } = await setUp(seed());
    const before = await world.runUntil(takeSnapshot(new StoreAccess(client)));
    const vms = [1, 2].map((number) => host.create(vmSpec(number, shape)));
    for (const creating of vms) {
      const { xl, connected } = await world.runUntil(creating);
      await world.runUntil(connected);
      const domain = `/local/domain/${String(xl.domid)}`;
      const names = (path: string) => world.runUntil(new StoreAccess(client).directory(path));
      const backends = (kind: string) => names(`/local/domain/0/backend/${kind}/${String(xl.domid)}`);
      expect(await names(`${domain}/cpu`)).toHaveLength(shape.vcpus);
      for (const [kind, count] of [["vbd", shape.disks] as const, ["vif", shape.vifs] as const]) {
        const devices = (await names(`${domain}/device/${kind}`)) ?? [];
        expect([devices.length, (await backends(kind))?.length ?? 0]).toEqual([count, count]);
        for (const device of devices) {
          expect(await world.runUntil(client.read(`${domain}/device/${kind}/${device}/state`))).toBe("4");
        }
      }
      const vm = await world.runUntil(client.read(`${domain}/vm`));
      expect((await names(`${vm}/image`)) ?? []).toEqual(shape.type === "pv" ? ["kernel", "ostype"] : []);
    }
    for (const creating of vms) await world.runUntil(host.shutDown(await creating));
    await world.scheduler.runUntilQuiet();
    expect(compareSnapshots(before, await world.runUntil(takeSnapshot(new StoreAccess(client))))).toEqual([]);
    expect(troubles).toEqual([]);
  });
});

describe("A storm of many machines at once", () => {
  test("connects every machine and leaves nothing behind, twice on one daemon", { timeout: 120_000 }, async () => {
    const stage = await setUp(seed());
    for (let times = 0; times < 2; times++) {
      const report = await runStorm(stage, PLAN);
      expect(report.failures).toEqual([]);
      expect(report.leaks).toEqual([]);
      expect([report.connected, report.aliveMost]).toEqual([PLAN.vms, PLAN.vms]);
    }
    expect(stage.troubles).toEqual([]);
    expect(stage.world.errors).toEqual([]);
  });

  test("keeps to the number that may be alive, and to the rate", async () => {
    const stage = await setUp(seed());
    const plan = { ...PLAN, vms: 12, aliveMax: 4, startsPerSecond: 2 };
    const report = await runStorm(stage, plan);
    expect(report.failures).toEqual([]);
    expect([report.connected, report.aliveMost]).toEqual([12, 4]);
    // Each lives for five seconds, and four at most at once: three rounds.
    expect(report.seconds).toBeGreaterThan(15);
  });

  test("tells of a machine that fails, destroys it, and goes on with the others", async () => {
    const stage = await setUp(seed());
    // Somebody else's domain has the second machine's name.
    const { world, client, host } = stage;
    const squatter = await world.runUntil(host.create({ ...vmSpec(40), name: "vm2" }));
    await world.runUntil(squatter.connected);
    await world.scheduler.runUntilQuiet();
    const report = await runStorm(stage, { ...PLAN, vms: 3 });
    const reason = `domain ${String(squatter.xl.domid)} has the name vm2 already`;
    expect(report.failures).toEqual([{ vm: "vm2", phase: "make", reason }]);
    expect([report.connected, report.leaks]).toEqual([2, []]);
    expect(await world.runUntil(client.read(`/local/domain/${String(squatter.xl.domid)}/name`))).toBe("vm2");
  });
});

describe("An interrupted storm", () => {
  test("ends without waiting for a guest that never connects, and leaves no domain", async () => {
    const stage = await setUp(seed(), new FaultPlan(new Map([["vm1", "ring-ref-missing"]])));
    const { world, client } = stage;
    const interruption = new AbortController();
    const storm = startStorm(stage, { ...PLAN, vms: 3, connectMillisecondsMax: 3_600_000 }, interruption.signal);
    // The others run for five seconds.
    await world.runUntil(world.environment.delay(60_000));
    expect(await world.runUntil(client.directory("/local/domain"))).toHaveLength(2);
    const start = world.scheduler.monotonicMilliseconds();
    interruption.abort(new Error("interrupted by SIGINT"));
    const report = await world.runUntil(storm);
    expect(report.failures).toEqual([
      { vm: "vm1", phase: expect.any(String) as string, reason: "interrupted by SIGINT" },
    ]);
    expect(world.scheduler.monotonicMilliseconds() - start).toBeLessThan(60_000);
    expect(await world.runUntil(client.directory("/local/domain"))).toEqual(["0"]);
  });
});

describe("A world", () => {
  test("has the same history for the same seed, commit for commit, and another for another", async () => {
    const tips: string[] = [];
    for (const worldSeed of [seed(), seed(), seed() + 1]) {
      const stage = await setUp(worldSeed);
      await runStorm(stage, { ...PLAN, vms: 3 });
      expect(stage.commits.length).toBeGreaterThan(200);
      tips.push(tipOf(stage.commits));
    }
    expect(tips[1]).toBe(tips[0]);
    expect(tips[2]).not.toBe(tips[0]);
  });

  test("goes on where a daemon ended: everybody connects again, and the boot completes", async () => {
    for (let restart = 0; restart < RESTARTS; restart++) {
      const stage = await setUp(seed() + restart);
      const { world } = stage;
      const moment = world.scheduler.steps + STEPS_APART * (restart + 1);
      const running = startStorm(stage, { ...PLAN, vms: 3 });
      await world.scheduler.run(() => world.scheduler.steps >= moment);
      world.stopDaemon();
      await world.startDaemon();
      const report = await world.runUntil(running);
      expect([report.connected, report.failures, report.leaks]).toEqual([3, [], []]);
      expect(stage.troubles).toEqual([]);
    }
  });
});
