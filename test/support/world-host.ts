/**
 * A world with a daemon and a host whose dom0 is up.
 *
 * Owns how a test comes to one, and whom the host tells.
 */
import type { FaultPlan } from "../../simulator/faults/fault-plan.js";
import { startHost, type HostObserver, type SimulatedHost } from "../../simulator/host.js";
import { World, type WorldObserver } from "../../simulator/world/world.js";

/** How they are to be; all may be left out. */
export interface WorldHostOptions {
  /** Told of connections and commits. */
  readonly observer?: WorldObserver;
  readonly faults?: FaultPlan;
  readonly phase?: HostObserver["phase"];
  /** Errors that an actor did not expect pass unnoticed when left out. */
  readonly trouble?: HostObserver["trouble"];
}

/** Starts a daemon and a host in a new world. */
export async function startWorldHost(
  worldSeed: number,
  { observer, faults, phase = () => undefined, trouble = () => undefined }: WorldHostOptions = {},
): Promise<{ readonly world: World; readonly host: SimulatedHost }> {
  const world = new World(worldSeed, observer === undefined ? {} : { observer });
  await world.startDaemon();
  const { environment } = world;
  const observed = { environment, observer: { phase, trouble } };
  const host = await world.runUntil(startHost(faults === undefined ? observed : { ...observed, faults }));
  return { world, host };
}
