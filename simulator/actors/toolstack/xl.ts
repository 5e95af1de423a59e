/**
 * `xl`, the toolstack: makes a domain, waits for its end, and removes what is left (Xen, `tools/xl`, `tools/libs/light`).
 *
 * Owns one virtual machine's course from outside, and the connection of the process that `xl create` leaves behind. A step
 * that takes too long fails as it does in libxl: a device after 10 seconds, a hotplug script after 40.
 */
import type { Transaction } from "../../../clients/xenstore/transaction.js";
import type { Domid } from "../../../protocol/identifiers.js";
import { XENBUS_STATES } from "../../vm/xenbus-state.js";
import {
  backendPath,
  domainPath,
  libxlDevicePath,
  libxlPath,
  vmPath,
  type DeviceName,
  type DiskSpec,
  type VifSpec,
  frontendPath,
  type VmSpec,
} from "../../vm/vm.js";
import type { FaultName } from "../../../protocol/predicate/faults.js";
import type { FaultPlan } from "../../faults/fault-plan.js";
import { withTimeLimit } from "../../time-limit.js";
import type { Environment } from "../environment.js";
import type { HotplugEvent, HotplugScripts } from "../hotplug-scripts.js";
import type { Hypervisor, StartGuest } from "../hypervisor.js";
import { removeIfPresent, StoreAccess } from "../store-access.js";
import { cleanUpPath } from "./clean-up-path.js";
import { consoleNodes, diskNodes, vifNodes, writeDeviceNodes, type DeviceNodes } from "./device-nodes.js";
import { writeDomainNodes } from "./domain-nodes.js";
import { PathWait } from "./path-wait.js";

/** How long the toolstack waits for others. */
export interface XlTimeouts {
  /** For a backend, and for a console's terminal. */
  readonly deviceMilliseconds: number;
  readonly scriptMilliseconds: number;
  /** For a guest to take note that it is to shut down. */
  readonly shutdownMilliseconds: number;
}

/** libxl's own (`libxl_internal.h`), and `xl shutdown -w`'s with a limit that it lacks. */
export const LIBXL_TIMEOUTS: XlTimeouts = {
  deviceMilliseconds: 10_000,
  scriptMilliseconds: 40_000,
  shutdownMilliseconds: 60_000,
};

/** Where the builder puts the ring of the store, and the event channel for it. */
const STORE_RING = 233_473;
const STORE_PORT = 1;

/** The parts of a machine's life, as its toolstack sees them. */
export type Phase =
  "make" | "build" | "vbd" | "vbd-script" | "console" | "vif" | "vif-script" | "finish" | "guest" | "destroy";

/** Told where a machine is; what it returns is waited for. */
export type PhaseObserver = (phase: Phase) => Promise<void> | void;

/** A step of the toolstack that failed. */
export class ToolstackError extends Error {
  readonly phase: Phase;

  constructor(phase: Phase, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ToolstackError";
    this.phase = phase;
  }
}

/** What a toolstack works with. */
export interface XlPorts {
  readonly environment: Environment;
  readonly hypervisor: Hypervisor;
  readonly scripts: HotplugScripts;
  readonly startGuest: StartGuest;
  readonly observer: PhaseObserver;
  readonly timeouts: XlTimeouts;
  readonly faults: FaultPlan;
}

/** The `xl` process of one machine. Made by `startXl`. */
export class Xl {
  readonly spec: VmSpec;
  readonly #ports: XlPorts;
  readonly #store: StoreAccess;
  #phase: Phase = "make";
  #watches = 0;
  #domid: Domid | undefined;
  #releases: PathWait | undefined;

  constructor(spec: VmSpec, ports: XlPorts, store: StoreAccess) {
    this.spec = spec;
    this.#ports = ports;
    this.#store = store;
  }

  /** The domain that was made. */
  get domid(): Domid {
    if (this.#domid === undefined) throw new Error(`${this.spec.name} has not been created yet`);
    return this.#domid;
  }

  /** Where the machine is. */
  get phase(): Phase {
    return this.#phase;
  }

  /**
   * `xl create`: returns when the domain runs. When a step fails, what was made stays for `destroy`.
   *
   * @throws ToolstackError
   */
  async create(): Promise<void> {
    await this.#enter("make");
    const domid = this.#ports.hypervisor.createDomain(this.#ports.startGuest);
    this.#domid = domid;
    this.#ports.faults.bind(domid, this.spec.name);
    await this.#make(domid);
    await this.#enter("build");
    await this.#build(domid);
    for (const disk of this.spec.disks) await this.#addDisk(domid, disk);
    await this.#enter("console");
    await this.#addConsole(domid);
    for (const vif of this.spec.vifs) await this.#addVif(domid, vif);
    await this.#enter("finish");
    await this.#finish(domid);
    await this.#enter("guest");
    this.#ports.hypervisor.unpause(domid);
  }

  /** Resolves when the domain has shut down by itself, as `xl` waits for it in the background. */
  async waitForShutdown(): Promise<void> {
    const { domid } = this;
    await this.#releases?.until(() => Promise.resolve(this.#ports.hypervisor.isShutDown(domid)));
  }

  /** `xl destroy`, also what `xl` does when the domain has shut down. */
  async destroy(): Promise<void> {
    await this.#enter("destroy");
    const { domid } = this;
    await this.#removeDevices(domid);
    const store = this.#store;
    await store.getDomainPath(domid);
    const vm = await store.read(`${domainPath(domid)}/vm`);
    if (vm !== undefined && vm !== "") await store.remove(vm);
    await store.remove(domainPath(domid));
    await store.remove(libxlPath(domid));
    await store.remove(`${domainPath(domid)}/hvmloader`);
    if (this.#strikes("tree-resurrected")) {
      await store.write(`${domainPath(domid)}/memory/target`, String(this.spec.memoryKibibytes));
    }
    await this.#ports.hypervisor.destroy(domid);
  }

  /** Ends the process. */
  close(): void {
    this.#store.close();
  }

  async #enter(phase: Phase): Promise<void> {
    this.#phase = phase;
    await this.#ports.observer(phase);
  }

  #strikes(fault: FaultName): boolean {
    return this.#ports.faults.strikes(fault, this.domid);
  }

  #nextToken(): string {
    return `3/${String(this.#watches++)}`;
  }

  async #make(domid: Domid): Promise<void> {
    const { spec } = this;
    const store = this.#store;
    await store.getDomainPath(domid);
    await store.transaction((transaction) =>
      writeDomainNodes(transaction, {
        domid,
        spec,
        chooseName: () => this.#chooseName(domid),
        isForgotten: (node) => node === "control/sysrq" && this.#strikes("node-not-guest-owned"),
      }),
    );
    await store.write(`${libxlPath(domid)}/dm-version`, "qemu_xen");
  }

  /**
   * The machine's name, when no other domain has it. The toolstack looks outside the transaction that is open meanwhile, and
   * at every domain, so the cost grows with the host.
   */
  async #chooseName(domid: Domid): Promise<string> {
    const store = this.#store;
    await store.getDomainPath(domid);
    await store.getDomainPath(domid);
    await store.read(`${domainPath(domid)}/image/device-model-domid`);
    for (const other of this.#ports.hypervisor.listDomains()) {
      const name = await store.read(`${domainPath(other)}/name`);
      if (other !== domid && other !== 0 && name !== undefined && this.#strikes("duplicate-name")) return name;
      if (other === domid || name !== this.spec.name) continue;
      throw new ToolstackError("make", `domain ${String(other)} has the name ${this.spec.name} already`);
    }
    return this.spec.name;
  }

  async #build(domid: Domid): Promise<void> {
    const { spec } = this;
    const store = this.#store;
    await store.read("/tool/xenstored/domid");
    await store.read("/tool/xenconsoled/domid");
    const domain = await store.getDomainPath(domid);
    const vm = await store.read(`${domain}/vm`);
    await store.transaction(async (transaction) => {
      await transaction.write(`${domain}/memory/static-max`, String(spec.memoryKibibytes));
      await transaction.write(`${domain}/memory/target`, String(spec.memoryKibibytes));
      await transaction.write(`${domain}/memory/videoram`, "0");
      await transaction.write(`${domain}/domid`, String(domid));
      await transaction.write(`${domain}/store/port`, String(STORE_PORT));
      await transaction.write(`${domain}/store/ring-ref`, String(STORE_RING));
      for (let vcpu = 0; vcpu < spec.vcpus; vcpu++) {
        await transaction.write(`${domain}/cpu/${String(vcpu)}/availability`, "online");
      }
      if (spec.type === "pv") {
        await transaction.write(`${vm ?? vmPath(spec.uuid)}/image/ostype`, "linux");
        await transaction.write(`${vm ?? vmPath(spec.uuid)}/image/kernel`, "/boot/vmlinuz");
      }
      const seconds = (this.#ports.environment.nowMilliseconds() / 1000).toFixed(2);
      await transaction.write(`${vm ?? vmPath(spec.uuid)}/start_time`, seconds);
    });
    await store.introduce(domid, STORE_RING, STORE_PORT);
    await store.write(`${libxlPath(domid)}/dm-version`, "qemu_xen");
  }

  async #addDisk(domid: Domid, disk: DiskSpec): Promise<void> {
    await this.#enter("vbd");
    const store = this.#store;
    const nodes = diskNodes(domid, disk);
    await store.read(`${libxlPath(domid)}/type`);
    await this.#addDevice(domid, nodes);
    await this.#waitForBackend(domid, nodes.name);
    await store.read("/local/domain/0/domid");
    await store.getDomainPath(0 as Domid);
    await store.read(`${backendPath(domid, nodes.name)}/script`);
    if (this.#strikes("duplicate-device")) {
      await store.write(`${libxlDevicePath(domid, nodes.name)}/params`, "/dev/vg/another");
    }
    await this.#enter("vbd-script");
    await this.#runScript((event) => this.#ports.scripts.block(event, domid, disk), "add", nodes.name);
  }

  async #addVif(domid: Domid, vif: VifSpec): Promise<void> {
    await this.#enter("vif");
    const store = this.#store;
    const nodes = vifNodes(domid, vif);
    await this.#addDevice(domid, nodes);
    await this.#waitForBackend(domid, nodes.name);
    await store.read("/local/domain/0/domid");
    await store.getDomainPath(0 as Domid);
    const backend = backendPath(domid, nodes.name);
    for (const key of ["script", "type", "gatewaydev", "type"]) await store.read(`${backend}/${key}`);
    await this.#enter("vif-script");
    await this.#runScript((event) => this.#ports.scripts.vif(event, domid, vif), "add", nodes.name);
  }

  async #addDevice(domid: Domid, nodes: DeviceNodes): Promise<void> {
    await this.#writeOnce(domid, nodes.name, async (transaction) => {
      await transaction.readIfPresent(libxlDevicePath(domid, nodes.name));
      await this.#store.getDomainPath(domid);
      await this.#store.getDomainPath(0 as Domid);
      await writeDeviceNodes(transaction, domid, nodes);
      if (nodes.name.kind === "vif" && this.#strikes("frontend-perms-wrong")) {
        await transaction.setPerms(frontendPath(domid, nodes.name), `n0 r${String(domid)}`);
      }
    });
  }

  /**
   * Writes a new device's nodes. Once they are there its drivers are at work, so they are not written again when it is not
   * known whether they were.
   */
  async #writeOnce(domid: Domid, name: DeviceName, write: (transaction: Transaction) => Promise<void>): Promise<void> {
    const record = `${libxlDevicePath(domid, name)}/backend`;
    await this.#store.transactionOnce(write, async () => (await this.#store.read(record)) !== undefined);
  }

  async #addConsole(domid: Domid): Promise<void> {
    const store = this.#store;
    await store.read("/local/domain/0/domid");
    const nodes = consoleNodes(domid);
    await this.#writeOnce(domid, nodes.name, async (transaction) => {
      await store.getDomainPath(domid);
      await store.getDomainPath(0 as Domid);
      await writeDeviceNodes(transaction, domid, nodes);
    });
    await store.read("/local/domain/0/domid");
  }

  async #waitForBackend(domid: Domid, name: DeviceName): Promise<void> {
    await this.#store.getDomainPath(0 as Domid);
    const path = `${backendPath(domid, name)}/state`;
    const wait = await PathWait.start(this.#store, path, this.#nextToken());
    const isReady = await wait.untilWithin(
      async () => Number(await this.#store.read(path)) === XENBUS_STATES.initWait,
      this.#ports.environment,
      this.#ports.timeouts.deviceMilliseconds,
    );
    await wait.close();
    if (isReady) return;
    const device = `${name.kind} ${String(name.device)}`;
    throw new ToolstackError(
      this.#phase,
      `the backend of ${device} was not ready within ${seconds(this.#ports.timeouts.deviceMilliseconds)}`,
    );
  }

  async #runScript(
    script: (event: HotplugEvent) => Promise<boolean>,
    event: HotplugEvent,
    name: DeviceName,
  ): Promise<void> {
    const device = `${name.kind} ${String(name.device)}`;
    const hasSucceeded = await withTimeLimit(script(event), {
      millisecondsMax: this.#ports.timeouts.scriptMilliseconds,
      clock: this.#ports.environment,
      error: (limit) => new ToolstackError(this.#phase, `the hotplug script of ${device} did not end within ${limit}`),
    });
    if (!hasSucceeded) throw new ToolstackError(this.#phase, `the hotplug script of ${device} failed`);
  }

  async #finish(domid: Domid): Promise<void> {
    const store = this.#store;
    await store.read("/local/domain/0/domid");
    await store.getDomainPath(domid);
    const path = `${domainPath(domid)}/console/tty`;
    const wait = await PathWait.start(store, path, this.#nextToken());
    const hasTerminal = await wait.untilWithin(
      async () => ((await store.read(path)) ?? "") !== "",
      this.#ports.environment,
      this.#ports.timeouts.deviceMilliseconds,
    );
    await wait.close();
    if (!hasTerminal) {
      const within = seconds(this.#ports.timeouts.deviceMilliseconds);
      throw new ToolstackError("finish", `xenconsoled named no terminal within ${within}`);
    }
    this.#releases = await PathWait.start(store, "@releaseDomain", this.#nextToken());
    if (this.#strikes("rename-half-done"))
      await store.write(`${vmPath(this.spec.uuid)}/name`, `${this.spec.name}-renamed`);
  }

  async #removeDevices(domid: Domid): Promise<void> {
    const store = this.#store;
    const domain = domainPath(domid);
    const own = libxlPath(domid);
    await store.read(`${domain}/image/device-model-domid`);
    await store.directory(`${own}/device/pci`);
    await store.read(`${own}/type`);
    await store.read(`${domain}/image/device-model-pid`);
    await store.read(`${domain}/image/device-model-domid`);
    await store.read(`${domain}/target`);
    // The first console is not among what has to agree to its end.
    const kinds = (await store.directory(`${own}/device`)) ?? [];
    for (const kind of kinds) {
      if (kind !== "vbd" && kind !== "vif" && kind !== "console") continue;
      for (const device of (await store.directory(`${own}/device/${kind}`)) ?? []) {
        const name: DeviceName = { kind, device: Number(device) };
        await store.read(`${libxlDevicePath(domid, name)}/backend`);
        await store.getDomainPath(0 as Domid);
        await store.getDomainPath(domid);
        await store.read("/local/domain/0/domid");
        if (kind === "console") await this.#removeNodes(domid, name);
        else await this.#removeDevice(domid, name);
      }
    }
  }

  /** Has the backend agree to a device's end, then removes what is left of it. */
  async #removeDevice(domid: Domid, name: DeviceName): Promise<void> {
    const store = this.#store;
    const backend = backendPath(domid, name);
    const state = `${backend}/state`;
    await store.transaction(async (transaction) => {
      await cleanUpPath(transaction, frontendPath(domid, name));
      const value = await transaction.readIfPresent(state);
      if (value === undefined) return;
      await transaction.write(`${backend}/online`, "0");
      if (Number(value) !== XENBUS_STATES.closed) await transaction.write(state, String(XENBUS_STATES.closing));
    });
    const wait = await PathWait.start(store, state, this.#nextToken());
    await wait.untilWithin(
      async () => {
        const value = await store.read(state);
        return value === undefined || Number(value) === XENBUS_STATES.closed;
      },
      this.#ports.environment,
      this.#ports.timeouts.deviceMilliseconds,
    );
    await wait.close();
    await store.read("/local/domain/0/domid");
    await store.read(`${backend}/script`);
    await this.#runRemoveScript(domid, name);
    await store.read("/local/domain/0/domid");
    await this.#removeNodes(domid, name);
  }

  async #runRemoveScript(domid: Domid, name: DeviceName): Promise<void> {
    const store = this.#store;
    const backend = backendPath(domid, name);
    const { scripts } = this.#ports;
    if (name.kind === "vif") {
      await store.read(`${backend}/type`);
      await store.read(`${backend}/gatewaydev`);
      const vif = this.spec.vifs.find(({ handle }) => handle === name.device);
      if (vif !== undefined) await scripts.vif("remove", domid, vif);
    } else {
      const disk = this.spec.disks.find(({ virtualDevice }) => virtualDevice === name.device);
      if (disk !== undefined) await scripts.block("remove", domid, disk);
    }
  }

  async #removeNodes(domid: Domid, name: DeviceName): Promise<void> {
    await this.#store.transaction(async (transaction) => {
      const frontend = frontendPath(domid, name);
      // Of what has agreed to its end the guest's half is gone, parents and all.
      if (name.kind === "console") await cleanUpPath(transaction, frontend);
      else await removeIfPresent(transaction, frontend);
      await cleanUpPath(transaction, libxlDevicePath(domid, name));
      if (name.kind === "vif" && this.#strikes("stale-backend")) return;
      await cleanUpPath(transaction, backendPath(domid, name));
    });
  }
}

function seconds(milliseconds: number): string {
  return `${String(milliseconds / 1000)} seconds`;
}

/** Starts the process that is to make a machine. */
export async function startXl(spec: VmSpec, ports: XlPorts): Promise<Xl> {
  return new Xl(spec, ports, new StoreAccess(await ports.environment.connect(0 as Domid, "xl")));
}

/** What `xl shutdown -w` works with. */
export interface XlShutdownPorts {
  readonly environment: Environment;
  readonly timeouts: XlTimeouts;
  /** Resolves when the domain has shut down. */
  readonly hasShutDown: Promise<void>;
}

/**
 * `xl shutdown -w`, a process of its own: asks the guest to shut down, and returns when it has taken note or has shut down.
 *
 * The guest's note alone would not do. When the reply to the request is lost, the request is sent again, maybe after the
 * guest has taken note of the first: one that is shutting down ignores the second, which stays in the store.
 */
export async function runXlShutdown(
  domid: Domid,
  { environment, timeouts, hasShutDown }: XlShutdownPorts,
): Promise<void> {
  const store = new StoreAccess(await environment.connect(0 as Domid, "xl-shut"));
  try {
    await store.read(`${domainPath(domid)}/name`);
    await store.read(`${libxlPath(domid)}/type`);
    const path = `${await store.getDomainPath(domid)}/control/shutdown`;
    await store.write(path, "poweroff");
    const wait = await PathWait.start(store, path, "3/0");
    let isShutDown = false;
    void hasShutDown.then(() => {
      isShutDown = true;
      wait.askAgain();
    });
    const isTaken = await wait.untilWithin(
      async () => (await store.read(path)) === "" || isShutDown,
      environment,
      timeouts.shutdownMilliseconds,
    );
    await wait.close();
    if (isTaken) return;
    const within = seconds(timeouts.shutdownMilliseconds);
    throw new ToolstackError("guest", `the guest did not acknowledge the shutdown within ${within}`);
  } finally {
    store.close();
  }
}
