/** The block script: what it does with a device that two machines want. */
import { describe, expect, test } from "vitest";
import type { Domid } from "../../../../protocol/identifiers.js";
import { HotplugScripts } from "../../../../simulator/actors/hotplug-scripts.js";
import { FaultPlan } from "../../../../simulator/faults/fault-plan.js";
import { backendPath, vmSpec, type DiskSpec } from "../../../../simulator/vm/vm.js";
import { storeInWorld } from "./store-in-world.js";

const DOMIDS = [1, 2, 3].map((domid) => domid as Domid);

function backendOf(domid: Domid, disk: DiskSpec): string {
  return backendPath(domid, { kind: "vbd", device: disk.virtualDevice });
}

describe("HotplugScripts", () => {
  test("gives a device to one of all machines that want it at once, and tells the others", async () => {
    const [disk] = vmSpec(1).disks;
    if (disk === undefined) throw new Error("no disk");
    const nodes = DOMIDS.map((domid) => [`${backendOf(domid, disk)}/params`, disk.params]);
    const { world, other, run } = await storeInWorld(Object.fromEntries(nodes) as Record<string, string>);
    const scripts = new HotplugScripts(world.environment, new FaultPlan());
    const results = await run(Promise.all(DOMIDS.map((domid) => scripts.block("add", domid, disk))));
    expect(results.filter((isMade) => isMade)).toHaveLength(1);
    for (const [index, isMade] of results.entries()) {
      const backend = backendOf(DOMIDS[index] ?? (0 as Domid), disk);
      expect(await run(other.read(`${backend}/hotplug-status`))).toBe(isMade ? "connected" : "error");
      if (isMade) expect(await run(other.read(`${backend}/physical-device`))).toBe("fd:0");
      else expect(await run(other.read(`${backend}/hotplug-error`))).toContain("is in use by another domain");
    }
  });

  test("goes on with the next machine when a script fails", async () => {
    const disks = [1, 2].map((number) => vmSpec(number).disks[0]);
    const { world, other, run } = await storeInWorld();
    const scripts = new HotplugScripts(world.environment, new FaultPlan());
    const [first, second] = disks;
    if (first === undefined || second === undefined) throw new Error("no disk");
    const losing = scripts.block("add", 1 as Domid, { ...first, params: "\u0100" });
    const winning = scripts.block("add", 2 as Domid, second);
    await expect(run(losing)).rejects.toThrow();
    expect(await run(winning)).toBe(true);
    expect(await run(other.read(`${backendOf(2 as Domid, second)}/hotplug-status`))).toBe("connected");
  });
});
