/** The guest agent: what it tells of its machine. */
import { describe, expect, test } from "vitest";
import type { Domid } from "../../../../../protocol/identifiers.js";
import { startAgent } from "../../../../../simulator/actors/guest/agent.js";
import { SMALLEST_VM, vmSpec, type VmSpec } from "../../../../../simulator/vm/vm.js";
import { storeInWorld } from "../store-in-world.js";

/** Where an agent writes that runs in dom0, which needs nobody to make its nodes first. */
const HOME = "/local/domain/0";

/** Has an agent tell of a machine, and reads what it told. */
async function told(spec: VmSpec, keys: readonly string[]): Promise<string[]> {
  const { world, other, run } = await storeInWorld();
  const failed = (error: unknown): void => {
    throw new Error("the agent failed", { cause: error });
  };
  const agent = startAgent(0 as Domid, spec, { environment: world.environment, failed });
  await world.scheduler.runUntilQuiet();
  agent.halt();
  const values: string[] = [];
  for (const key of keys) values.push(await run(other.read(`${HOME}/${key}`)));
  return values;
}

describe("startAgent", () => {
  test("tells addresses that follow from the MAC, no two interfaces the same ones", async () => {
    const keys = [0, 1].flatMap((handle) => [`attr/vif/${String(handle)}/ipv4/0`, `attr/vif/${String(handle)}/ipv6/0`]);
    const [first, second, far] = [1, 2, 256].map((number) => vmSpec(number, { ...SMALLEST_VM, vifs: 2 }));
    if (first === undefined || second === undefined || far === undefined) throw new Error("no machine");
    expect(await told(first, keys)).toEqual(["10.0.1.1", "2001:db8::101", "10.0.1.2", "2001:db8::102"]);
    expect(await told(second, keys)).toEqual(["10.0.2.1", "2001:db8::201", "10.0.2.2", "2001:db8::202"]);
    expect(await told(far, keys)).toEqual(["10.1.0.1", "2001:db8::1:1", "10.1.0.2", "2001:db8::1:2"]);
  });

  test("tells the time as C's ctime does, a day of one digit padded", async () => {
    const [updated] = await told(vmSpec(1), ["data/updated"]);
    expect(updated).toMatch(/^Thu Jan {2}1 00:00:0[0-9] 2026$/);
  });
});
