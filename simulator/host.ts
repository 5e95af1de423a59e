/**
 * A simulated host: dom0's kernel and daemons, a hypervisor, and virtual machines that come and go.
 *
 * Owns the wiring of the actors, and who is told when something goes wrong. The actors meet in the store alone.
 */
import type { Domid } from "../protocol/identifiers.js";
import { blkback } from "./actors/backend/blkback.js";
import { netback } from "./actors/backend/netback.js";
import { XenbusBackend } from "./actors/backend/xenbus-backend.js";
import type { Environment } from "./actors/environment.js";
import { startAgent, type Agent } from "./actors/guest/agent.js";
import { bootGuest } from "./actors/guest/guest-kernel.js";
import { HotplugScripts } from "./actors/hotplug-scripts.js";
import { Hypervisor } from "./actors/hypervisor.js";
import { initializeDom0 } from "./actors/init-dom0.js";
import { Kernel } from "./actors/kernel.js";
import { StoreAccess } from "./actors/store-access.js";
import {
  LIBXL_TIMEOUTS,
  runXlShutdown,
  startXl,
  type PhaseObserver,
  type Xl,
  type XlTimeouts,
} from "./actors/toolstack/xl.js";
import { Xenconsoled } from "./actors/xenconsoled.js";
import type { FaultName } from "../protocol/predicate/faults.js";
import { FaultPlan } from "./faults/fault-plan.js";
import type { VmSpec } from "./vm/vm.js";

const DOM0 = 0 as Domid;
const DISTURBANCES_MAX = 500;

/** Whoever looks on. */
export interface HostObserver {
  /** A machine enters a phase; what this returns is waited for. */
  phase: (spec: VmSpec, phase: Parameters<PhaseObserver>[0]) => Promise<void> | void;
  /** An actor met an error that its real counterpart would not expect. */
  trouble: (actor: string, error: unknown) => void;
}

/** How a host is to be. */
export interface HostOptions {
  readonly environment: Environment;
  readonly observer: HostObserver;
  /** libxl's own when left out. A simulated host is slower than a host, and may need longer ones. */
  readonly timeouts?: XlTimeouts;
  /** None when left out. */
  readonly faults?: FaultPlan;
}

/** A machine on a host. */
export interface Vm {
  readonly spec: VmSpec;
  readonly xl: Xl;
  /** Resolves when the guest has all its devices. */
  readonly connected: Promise<void>;
}

/** A host. Made by `startHost`. */
export class SimulatedHost {
  readonly #environment: Environment;
  readonly #observer: HostObserver;
  readonly #hypervisor: Hypervisor;
  readonly #scripts: HotplugScripts;
  readonly #timeouts: XlTimeouts;
  readonly #faults: FaultPlan;
  /** Of machines that were made and are not gone. */
  readonly #processes = new Set<Xl>();
  readonly #stop: () => void;

  constructor(
    { environment, observer, timeouts, faults }: Required<HostOptions>,
    hypervisor: Hypervisor,
    stop: () => void,
  ) {
    this.#environment = environment;
    this.#observer = observer;
    this.#timeouts = timeouts;
    this.#faults = faults;
    this.#hypervisor = hypervisor;
    this.#stop = stop;
    this.#scripts = new HotplugScripts(environment, faults);
  }

  /** `xl create`: resolves when the domain runs, and rejects with a ToolstackError when it could not be made. */
  async create(spec: VmSpec): Promise<Vm> {
    const vm = await this.prepare(spec);
    await vm.xl.create();
    return vm;
  }

  /** Starts the toolstack's process for a machine; its `create` makes the domain. */
  async prepare(spec: VmSpec): Promise<Vm> {
    const environment = this.#environment;
    let isConnected: () => void = () => undefined;
    const connected = new Promise<void>((resolve) => {
      isConnected = resolve;
    });
    const failed = (actor: string) => (error: unknown) => {
      this.#observer.trouble(`${actor} of ${spec.name}`, error);
    };
    const xl = await startXl(spec, {
      environment,
      hypervisor: this.#hypervisor,
      scripts: this.#scripts,
      timeouts: this.#timeouts,
      faults: this.#faults,
      observer: (phase) => this.#observer.phase(spec, phase),
      startGuest: (domid) => {
        let agent: Agent | undefined;
        const strikes = (fault: FaultName): boolean => this.#faults.strikes(fault, domid);
        const guest = bootGuest(domid, spec, {
          environment,
          strikes,
          connected: () => {
            agent = startAgent(domid, spec, { environment, failed: failed("agent") });
            isConnected();
          },
          shutDown: async () => {
            agent?.halt();
            await this.#hypervisor.shutDown(domid);
          },
          failed: failed("guest"),
        });
        return {
          halt: () => {
            agent?.halt();
            guest.halt();
          },
        };
      },
    });
    this.#processes.add(xl);
    return { spec, xl, connected };
  }

  /** `xl shutdown -w`, then what the process of `xl create` does when the domain has shut down: destroys it. */
  async shutDown(vm: Vm): Promise<void> {
    const { xl } = vm;
    const hasShutDown = xl.waitForShutdown();
    await runXlShutdown(xl.domid, { environment: this.#environment, timeouts: this.#timeouts, hasShutDown });
    await hasShutDown;
    await this.destroy(vm);
  }

  /** `xl destroy`. */
  async destroy({ xl }: Vm): Promise<void> {
    const disturbance = this.#faults.strikes("eagain-storm", xl.domid) ? this.#disturb() : undefined;
    try {
      await xl.destroy();
    } finally {
      await disturbance?.stop();
    }
    this.#processes.delete(xl);
    xl.close();
  }

  /** Somebody who changes what every destruction of a disk reads, over and over, and at last no more. */
  #disturb(): { stop(): Promise<void> } {
    let isOver = false;
    const disturb = async (): Promise<void> => {
      const store = new StoreAccess(await this.#environment.connect(DOM0, "disturber"));
      // Each time another name: a list that is again as it was conflicts with nothing.
      const path = (round: number): string => `/local/domain/0/backend/vbd/disturbed-${String(round)}`;
      let round = 0;
      while (round < DISTURBANCES_MAX && !isOver) {
        await store.write(path(++round), "");
        await store.remove(path(round - 1));
      }
      await store.remove(path(round));
      store.close();
    };
    const disturbing = disturb();
    return {
      stop: async () => {
        isOver = true;
        await disturbing;
      },
    };
  }

  /** The host loses its power: all that runs on it is gone at once, and what it wrote stays. */
  stop(): void {
    for (const xl of this.#processes) xl.close();
    this.#stop();
  }
}

/** Starts dom0 of a host. */
export async function startHost(options: HostOptions): Promise<SimulatedHost> {
  const { environment, observer, timeouts = LIBXL_TIMEOUTS, faults = new FaultPlan() } = options;
  const failed = (actor: string) => (error: unknown) => {
    observer.trouble(actor, error);
  };
  const initializer = new StoreAccess(await environment.connect(DOM0, "init-dom0"));
  await initializeDom0(initializer);
  initializer.close();
  const hypervisorStore = new StoreAccess(await environment.connect(DOM0, "hypervisor"));
  const hypervisor = new Hypervisor(hypervisorStore);
  const kernel = new Kernel(new StoreAccess(await environment.connect(DOM0, "dom0k")), failed("dom0k"));
  const drivers = new Map([
    ["vbd", blkback],
    ["vif", netback],
  ]);
  await new XenbusBackend(kernel, drivers, faults).start();
  const consoleStore = new StoreAccess(await environment.connect(DOM0, "xenconsoled"));
  const xenconsoled = new Xenconsoled(consoleStore, hypervisor, failed("xenconsoled"));
  await xenconsoled.start();
  const stop = (): void => {
    xenconsoled.stop();
    kernel.halt();
    hypervisor.halt();
  };
  return new SimulatedHost({ environment, observer, timeouts, faults }, hypervisor, stop);
}
