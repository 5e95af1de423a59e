/**
 * A storm: many virtual machines that are made, run, shut down and destroyed, at once or at a rate.
 *
 * Owns the course of the run and its report. Each machine lives its life for itself; one that fails is destroyed, told of in
 * the report, and holds up no other. When all are gone, the store must be as it was before the first came.
 */
import type { SimulatedHost, Vm } from "../host.js";
import type { StoreAccess } from "../actors/store-access.js";
import type { Phase } from "../actors/toolstack/xl.js";
import { interruptible, withTimeLimit } from "../time-limit.js";
import { vmSpec, type VmShape, type VmSpec } from "../vm/vm.js";
import { compareSnapshots, takeSnapshot } from "./store-snapshot.js";

/** What is to come. */
export interface StormPlan {
  readonly vms: number;
  /** Most machines at once. */
  readonly aliveMax: number;
  /** Machines started each second; Infinity for as fast as they may. */
  readonly startsPerSecond: number;
  /** How long a machine runs between its boot and its shutdown. */
  readonly runMilliseconds: number;
  /** How long a guest may take from its start until all devices are connected. */
  readonly connectMillisecondsMax: number;
  readonly shape: VmShape;
}

/** Where a machine is in its life. */
export type Stage = "waiting" | "booting" | "running" | "ending" | "done" | "failed";

/** A machine that failed. */
export interface VmFailure {
  readonly vm: string;
  /** The toolstack's phase. */
  readonly phase: Phase | "connect";
  readonly reason: string;
}

/** How long something took, in milliseconds, over all machines that came so far. */
export interface Durations {
  readonly median: number;
  readonly p99: number;
  readonly most: number;
}

/** What became of a storm. */
export interface StormReport {
  readonly vms: number;
  readonly connected: number;
  readonly aliveMost: number;
  readonly failures: readonly VmFailure[];
  /** Nodes that differ from before the storm, in words. */
  readonly leaks: readonly string[];
  readonly seconds: number;
  /** From `xl create` until all devices are connected. */
  readonly boot: Durations | undefined;
  /** From `xl shutdown` until the domain is gone. */
  readonly end: Durations | undefined;
  readonly slowest: { readonly vm: string; readonly milliseconds: number } | undefined;
}

/** Errors that actors met and did not expect. */
export interface StormPorts {
  readonly host: SimulatedHost;
  /** For looking at the store before and after. */
  readonly store: StoreAccess;
  readonly monotonicMilliseconds: () => number;
  readonly delay: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  /** Ends the storm: machines that run are destroyed, and no more come. */
  readonly signal: AbortSignal;
}

/** A storm that is going on: what a view of it shows. */
export class Storm {
  readonly plan: StormPlan;
  readonly #ports: StormPorts;
  readonly #stages = new Map<Stage, number>();
  readonly #bootMilliseconds: number[] = [];
  readonly #endMilliseconds: number[] = [];
  readonly #failures: VmFailure[] = [];
  /** Machines that boot now, and since when. */
  readonly #booting = new Map<VmSpec, number>();
  #slowest: { readonly vm: string; readonly milliseconds: number } | undefined;
  #connected = 0;
  #alive = 0;
  #aliveMost = 0;
  #wake: (() => void) | undefined;

  constructor(plan: StormPlan, ports: StormPorts) {
    this.plan = plan;
    this.#ports = ports;
    this.#stages.set("waiting", plan.vms);
  }

  /** How many machines are at a stage. */
  count(stage: Stage): number {
    return this.#stages.get(stage) ?? 0;
  }

  get failures(): readonly VmFailure[] {
    return this.#failures;
  }

  /** The machine that took longest to boot, or has been booting for longer than that. */
  get slowest(): { readonly vm: string; readonly milliseconds: number } | undefined {
    let slowest = this.#slowest;
    const now = this.#ports.monotonicMilliseconds();
    // Machines stand in the order of their start.
    for (const [spec, since] of this.#booting) {
      const milliseconds = now - since;
      if (slowest === undefined || milliseconds > slowest.milliseconds) slowest = { vm: spec.name, milliseconds };
      break;
    }
    return slowest;
  }

  /** Runs it to its end; rejects when the host fails, not when a machine does. */
  async run(): Promise<StormReport> {
    const { store, monotonicMilliseconds, signal } = this.#ports;
    const before = await takeSnapshot(store);
    const start = monotonicMilliseconds();
    const lives: Promise<void>[] = [];
    for (let number = 1; number <= this.plan.vms; number++) {
      await this.#untilMayStart(start, number);
      if (signal.aborted) break;
      lives.push(this.#live(vmSpec(number, this.plan.shape)));
    }
    await Promise.all(lives);
    const seconds = (monotonicMilliseconds() - start) / 1000;
    const leaks = compareSnapshots(before, await takeSnapshot(store));
    return {
      vms: this.plan.vms,
      connected: this.#connected,
      aliveMost: this.#aliveMost,
      failures: this.#failures,
      leaks,
      seconds,
      boot: durations(this.#bootMilliseconds),
      end: durations(this.#endMilliseconds),
      slowest: this.#slowest,
    };
  }

  async #untilMayStart(start: number, number: number): Promise<void> {
    const { delay, monotonicMilliseconds, signal } = this.#ports;
    const due = start + ((number - 1) * 1000) / this.plan.startsPerSecond;
    const wait = due - monotonicMilliseconds();
    if (wait > 0) await delay(wait, signal).catch(() => undefined);
    while (this.#alive >= this.plan.aliveMax && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #live(spec: VmSpec): Promise<void> {
    this.#alive++;
    this.#aliveMost = Math.max(this.#aliveMost, this.#alive);
    let stage: Stage = "waiting";
    const enter = (next: Stage): void => {
      this.#stages.set(stage, this.count(stage) - 1);
      this.#stages.set(next, this.count(next) + 1);
      stage = next;
    };
    const { host, delay, signal } = this.#ports;
    const vm = await host.prepare(spec);
    try {
      enter("booting");
      await this.#boot(vm);
      enter("running");
      await delay(this.plan.runMilliseconds, signal).catch(() => undefined);
      enter("ending");
      await this.#end(vm);
      enter("done");
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#failures.push({
        vm: spec.name,
        phase: error instanceof NotConnectedError ? "connect" : vm.xl.phase,
        reason,
      });
      await host.destroy(vm).catch(() => undefined);
      enter("failed");
    } finally {
      this.#alive--;
      this.#wake?.();
    }
  }

  async #boot(vm: Vm): Promise<void> {
    const { monotonicMilliseconds, delay, signal } = this.#ports;
    const start = monotonicMilliseconds();
    this.#booting.set(vm.spec, start);
    try {
      await vm.xl.create();
      await withTimeLimit(vm.connected, {
        millisecondsMax: this.plan.connectMillisecondsMax,
        // An interrupted storm waits for no guest that may never connect.
        clock: { delay: interruptible(delay, signal) },
        error: (limit) => new NotConnectedError(`the guest did not connect all its devices within ${limit}`),
      });
    } finally {
      this.#booting.delete(vm.spec);
    }
    const milliseconds = monotonicMilliseconds() - start;
    this.#connected++;
    this.#bootMilliseconds.push(milliseconds);
    if (this.#slowest === undefined || milliseconds > this.#slowest.milliseconds) {
      this.#slowest = { vm: vm.spec.name, milliseconds };
    }
  }

  async #end(vm: Vm): Promise<void> {
    const { host, monotonicMilliseconds } = this.#ports;
    const start = monotonicMilliseconds();
    await host.shutDown(vm);
    this.#endMilliseconds.push(monotonicMilliseconds() - start);
  }
}

class NotConnectedError extends Error {}

function durations(milliseconds: readonly number[]): Durations | undefined {
  if (milliseconds.length === 0) return undefined;
  const sorted = [...milliseconds].sort((left, right) => left - right);
  const at = (fraction: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0);
  return { median: at(0.5), p99: at(0.99), most: at(1) };
}
