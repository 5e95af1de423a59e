/**
 * The catalogue of faults: each fault makes its predicate true at the commit that broke the machine, and a healthy life
 * makes none true.
 *
 * Owns what the breaking commit of each fault is, told by what it changed and not by the predicate.
 */
import { describe, expect, test } from "vitest";
import type { Domid } from "../../protocol/identifiers.js";
import { parsePredicate } from "../../protocol/predicate/parse-predicate.js";
import { commitsNeeded } from "../../protocol/predicate/predicate.js";
import { PredicateMonitor } from "../../protocol/predicate/predicate-monitor.js";
import { serializePerms } from "../../protocol/perms.js";
import type { Commit } from "../../daemon/store/commit.js";
import { applyChanges } from "../../daemon/store/diff.js";
import { emptyRoot, getNode } from "../../daemon/store/root.js";
import { FAULT_NAMES, FAULTS, type FaultName } from "../../simulator/faults/catalogue.js";
import { FaultPlan } from "../../simulator/faults/fault-plan.js";
import { startHost, type SimulatedHost, type Vm } from "../../simulator/host.js";
import { SMALLEST_VM, vmSpec, type VmSpec } from "../../simulator/vm/vm.js";
import { World } from "../../simulator/world/world.js";
import { seed } from "../support/seed.js";

/** Lives are tried in so many orders of things. */
const HEALTHY_SEEDS = 5;
const FAULTY_SEEDS = 3;

interface Lives {
  readonly commits: readonly Commit[];
  /** The domain of the second machine, which has the fault where there is one. */
  readonly domid: Domid;
  readonly domids: readonly Domid[];
}

/**
 * Four machines live on one host; the second has the fault. What fails, fails: the history is looked at afterwards.
 *
 * @param run - from 0: adds to the seed, and has the machines take turns with one processor and two
 */
async function live(run: number, fault?: FaultName): Promise<Lives> {
  const commits: Commit[] = [];
  const world = new World(seed() + run, { observer: { committed: (made) => commits.push(...made) } });
  await world.startDaemon();
  const faults = new FaultPlan(new Map(fault === undefined ? [] : [["vm2", fault]]));
  const host = await world.runUntil(
    startHost({
      environment: world.environment,
      faults,
      observer: { phase: () => undefined, trouble: () => undefined },
    }),
  );
  const boot = async (number: number): Promise<Vm> => {
    const vcpus = 1 + ((number + run) % 2);
    return world.runUntil(tryToBoot(world, host, vmSpec(number, { ...SMALLEST_VM, vcpus })));
  };
  const first = await boot(1);
  const second = await boot(2);
  const third = await boot(3);
  // Until all have come to rest: agents too are at work.
  await world.runUntil(world.environment.delay(1000));
  const isGone = await world.runUntil(succeeds(host.shutDown(second)));
  const others = [third, await boot(4)];
  if (!isGone) await world.runUntil(succeeds(host.destroy(second)));
  for (const vm of [first, ...others]) await world.runUntil(host.shutDown(vm));
  return { commits, domid: second.xl.domid, domids: [first, second, ...others].map(({ xl }) => xl.domid) };
}

/** Boots a machine, as far as it comes within a minute. */
async function tryToBoot(world: World, host: SimulatedHost, spec: VmSpec): Promise<Vm> {
  const vm = await host.prepare(spec);
  const isMade = await succeeds(vm.xl.create());
  if (isMade) await Promise.race([vm.connected, world.environment.delay(60_000)]);
  return vm;
}

async function succeeds(action: Promise<unknown>): Promise<boolean> {
  return action.then(
    () => true,
    () => false,
  );
}

/** The seqs at which a predicate becomes true, having been false. */
function onsets(predicate: string, domid: Domid, commits: readonly Commit[]): number[] {
  const monitor = new PredicateMonitor(parsePredicate(predicate, new Map([["D", String(domid)]])));
  let root = emptyRoot();
  let held = false;
  const seqs: number[] = [];
  for (const { seq, changes } of commits) {
    root = applyChanges(root, changes, seq);
    const at = root;
    const holds = monitor.next({ node: (path) => getNode(at, path) });
    if (holds && !held) seqs.push(seq);
    held = holds;
  }
  return seqs;
}

/** Whether a commit wrote a value to a node, or created it with one. */
function writes(commit: Commit, path: string, value: string | RegExp): boolean {
  return commit.changes.some(
    (change) =>
      change.kind === "node" &&
      change.path === path &&
      change.after !== undefined &&
      (typeof value === "string" ? change.after.value === value : value.test(change.after.value)),
  );
}

function sets(commit: Commit, path: string, perms: string): boolean {
  return commit.changes.some(
    (change) =>
      change.kind === "node" &&
      change.path === path &&
      change.after !== undefined &&
      serializePerms(change.after.perms) === perms,
  );
}

function removes(commit: Commit, path: string): boolean {
  return commit.changes.some((change) => change.kind === "node" && change.path === path && change.after === undefined);
}

/** The commit that broke the machine; where the predicate has a window, the one with which the bad state began. */
const BREAKS: Readonly<Record<FaultName, (commit: Commit, domid: string) => boolean>> = {
  "node-not-guest-owned": (commit, d) => sets(commit, `/local/domain/${d}/control/sysrq`, `n0 r${d}`),
  "frontend-perms-wrong": (commit, d) => sets(commit, `/local/domain/${d}/device/vif/0`, `n0 r${d}`),
  "ring-ref-missing": (commit, d) => writes(commit, `/local/domain/${d}/device/vbd/51712/state`, "3"),
  // The driver has given up by then; broken for good it is when the backend has agreed.
  "event-channel-refused": (commit, d) => writes(commit, `/local/domain/0/backend/vif/${d}/0/state`, "6"),
  "hotplug-script-fails": (commit, d) =>
    writes(commit, `/local/domain/0/backend/vbd/${d}/51712/hotplug-status`, "error"),
  "hotplug-script-never-ends": (commit, d) => writes(commit, `/local/domain/${d}/device/vbd/51712/state`, "3"),
  "backend-jumps": (commit, d) => writes(commit, `/local/domain/0/backend/vif/${d}/0/state`, "4"),
  "backend-never-probes": (commit, d) => writes(commit, `/local/domain/0/backend/vbd/${d}/51712/state`, "1"),
  "stale-backend": (commit, d) => removes(commit, `/local/domain/${d}`),
  "tree-resurrected": (commit, d) =>
    writes(commit, `/local/domain/${d}/memory/target`, /./) && !writes(commit, `/local/domain/${d}/domid`, /./),
  "duplicate-name": (commit, d) => writes(commit, `/local/domain/${d}/name`, "vm1"),
  "rename-half-done": (commit) =>
    commit.changes.some((change) => change.kind === "node" && change.after?.value === "vm2-renamed"),
  "duplicate-device": (commit, d) => writes(commit, `/libxl/${d}/device/vbd/51712/params`, "/dev/vg/another"),
  // With `data` and `fill` themselves these are 501.
  "node-quota-hit": (commit, d) => writes(commit, `/local/domain/${d}/data/fill/498`, ""),
  // The first change of who disturbs, once the machine's own part is gone.
  "eagain-storm": (commit, d) => removes(commit, `/local/domain/${d}/device/vbd`),
  "shutdown-unacknowledged": (commit, d) => writes(commit, `/local/domain/${d}/control/shutdown`, "poweroff"),
};

describe("A fault", () => {
  test.each(FAULT_NAMES)("%s makes its predicate true at the commit that broke the machine", async (name) => {
    for (let run = 0; run < FAULTY_SEEDS; run++) {
      const { commits, domid } = await live(run, name);
      const broken = commits.filter((commit) => BREAKS[name](commit, String(domid))).map(({ seq }) => Number(seq));
      const { predicate } = FAULTS[name];
      const window = commitsNeeded(parsePredicate(predicate, new Map([["D", String(domid)]])));
      const [first] = onsets(predicate, domid, commits);
      expect(broken.length).toBeGreaterThan(0);
      expect(first).toBe((broken[0] ?? 0) + window - 1);
    }
  });
});

describe("A healthy life", () => {
  test("makes no fault's predicate true, for any machine", async () => {
    for (let run = 0; run < HEALTHY_SEEDS; run++) {
      const { commits, domids } = await live(run);
      for (const name of FAULT_NAMES) {
        for (const domid of domids) expect([name, ...onsets(FAULTS[name].predicate, domid, commits)]).toEqual([name]);
      }
    }
  });
});
