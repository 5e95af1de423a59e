/**
 * The kernel of a guest: starts xenbus, finds its devices and drives them, and shuts down when it is told to (Linux,
 * `xenbus_probe_frontend.c`, `manage.c`).
 *
 * Owns one boot. All it does comes through the guest's own socket, with the guest's rights; paths are relative, as Linux
 * sends them.
 *
 * A guest that has shut down does not run any more: events for it are delivered and never handled, as they stay in the ring
 * of a domain whose processors stand still.
 */
import { isXenstoreError } from "../../../clients/xenstore/errors.js";
import type { Domid } from "../../../protocol/identifiers.js";
import { XENBUS_STATES } from "../../vm/xenbus-state.js";
import type { FaultName } from "../../../protocol/predicate/faults.js";
import type { VmSpec } from "../../vm/vm.js";
import type { Environment } from "../environment.js";
import { hasSlashes, Kernel, pathStart } from "../kernel.js";
import { readIfVisible, StoreAccess } from "../store-access.js";
import { fillQuota } from "./agent.js";
import { blkfront } from "./blkfront.js";
import {
  failFrontend,
  switchFrontend,
  type FrontendDevice,
  type FrontendDriver,
  type FrontendInstance,
} from "./frontend-driver.js";
import { netfront } from "./netfront.js";

const DRIVERS: ReadonlyMap<string, FrontendDriver> = new Map([
  ["vbd", blkfront],
  ["vif", netfront],
]);
const ROOT = "device";
/** Slashes in the path of what may be a device or more: `device/KIND/DEVICE`. */
const DEVICE_SLASHES = 2;
const DEVICE_COMPONENTS = 3;
/** Linux's numbers of what a driver is refused. */
const REFUSALS = { EACCES: 13, ENOSPC: 28 } as const;
/** The first numbers are the console's and the store's. */
const FIRST_NUMBER = 8;

interface Driven {
  readonly device: FrontendDevice;
  readonly instance: FrontendInstance;
}

/** What a guest tells whoever looks on, and asks of its hypervisor. */
export interface GuestPorts {
  readonly environment: Environment;
  /** All devices are connected. */
  connected(): void;
  /** The guest's last hypercall. */
  shutDown(): Promise<void>;
  /** Whether this goes wrong for the guest. */
  readonly strikes: (fault: FaultName) => boolean;
  /** Told of an error that no kernel expects. */
  failed(error: unknown): void;
}

/** A guest's kernel. Made by `bootGuest`. */
export class GuestKernel {
  readonly #kernel: Kernel;
  readonly #ports: GuestPorts;
  readonly #spec: VmSpec;
  readonly #devices = new Map<string, Driven>();
  #numbers = FIRST_NUMBER;
  #isConnected = false;
  #isEnding = false;
  #deviceChanged: (() => void) | undefined;

  constructor(kernel: Kernel, spec: VmSpec, ports: GuestPorts) {
    this.#kernel = kernel;
    this.#spec = spec;
    this.#ports = ports;
  }

  /** Stops at once, as when the domain is destroyed. */
  halt(): void {
    this.#kernel.halt();
  }

  /** Boots; resolves when every driver has been started. */
  async boot(): Promise<void> {
    const { store } = this.#kernel;
    const resets = await store.read("control/platform-feature-xs_reset_watches");
    if (resets === "1") await store.resetWatches();
    await this.#kernel.watch("control/shutdown", () => this.#shutdownChanged());
    await this.#kernel.watch("control/sysrq", async () => {
      await store.inspect((transaction) => readIfVisible(transaction, "control/sysrq"));
    });
    for (const feature of ["poweroff", "reboot", "suspend"]) await store.write(`control/feature-${feature}`, "1");
    // Once for what is there already, once more when the bus is ready.
    await this.#findDevices();
    const found = await this.#findDevices();
    await this.#kernel.watch(ROOT, async (path, missed) => {
      if (missed) for (const device of await this.#findDevices()) await this.#changed(device);
      await this.#changed(path);
    });
    await this.#startBalloon();
    await this.#kernel.watch("cpu", async (path) => {
      if (path !== "cpu") return;
      for (let vcpu = 0; vcpu < this.#spec.vcpus; vcpu++) await store.read(`cpu/${String(vcpu)}/availability`);
    });
    for (const path of found) await this.#startDevice(path);
    this.#noteConnection();
  }

  async #startBalloon(): Promise<void> {
    const { store } = this.#kernel;
    let isFirst = true;
    await this.#kernel.watch("memory/target", async () => {
      await store.read("memory/target");
      if (isFirst) await store.read("memory/static-max");
      isFirst = false;
    });
  }

  /** The paths of the devices that are new and have a driver. */
  async #findDevices(): Promise<readonly string[]> {
    const { store } = this.#kernel;
    const found: string[] = [];
    for (const kind of (await store.directory(ROOT)) ?? []) {
      for (const device of (await store.directory(`${ROOT}/${kind}`)) ?? []) {
        const path = `${ROOT}/${kind}/${device}`;
        const state = await this.#kernel.readState(path);
        if (state === XENBUS_STATES.initialising && DRIVERS.has(kind)) found.push(path);
      }
    }
    // Drivers are started one after the other, disks first.
    return found.sort((left, right) => Number(left.includes("/vif/")) - Number(right.includes("/vif/")));
  }

  async #startDevice(path: string): Promise<void> {
    const { store } = this.#kernel;
    await store.read(`${path}/backend-id`);
    const backend = await store.read(`${path}/backend`);
    if (backend === undefined || (await store.directory(backend)) === undefined) return;
    const driver = DRIVERS.get(path.split("/")[1] ?? "");
    if (driver === undefined) return;
    const device: FrontendDevice = {
      path,
      backend,
      kernel: this.#kernel,
      vcpus: this.#spec.vcpus,
      nextNumber: () => this.#numbers++,
      strikes: this.#ports.strikes,
      backendWatch: undefined,
      state: XENBUS_STATES.initialising,
      backendState: XENBUS_STATES.unknown,
    };
    const driven: Driven = { device, instance: driver(device) };
    this.#devices.set(path, driven);
    await driven.instance.probe();
    device.backendWatch = await this.#kernel.watch(`${backend}/state`, () => this.#backendChanged(driven));
  }

  async #backendChanged({ device, instance }: Driven): Promise<void> {
    const state = await this.#kernel.readState(device.backend);
    device.backendState = state;
    try {
      await instance.backendChanged(state);
    } catch (error) {
      if (!isXenstoreError(error, "EACCES", "ENOSPC")) throw error;
      const errno = error.code === "ENOSPC" ? REFUSALS.ENOSPC : REFUSALS.EACCES;
      await failFrontend(device, errno, `writing ${device.path}`);
    }
    this.#noteConnection();
    this.#deviceChanged?.();
  }

  #noteConnection(): void {
    const expected = this.#spec.disks.length + this.#spec.vifs.length;
    const states = [...this.#devices.values()].map(({ device }) => device.state);
    if (this.#isConnected || states.filter((state) => state === XENBUS_STATES.connected).length < expected) return;
    this.#isConnected = true;
    this.#ports.connected();
  }

  /** Something below `device` changed; the kernel asks whether it still exists. */
  async #changed(path: string): Promise<void> {
    if (!hasSlashes(path, DEVICE_SLASHES)) return;
    const { store } = this.#kernel;
    const exists = (await store.directory(path)) !== undefined;
    const device = pathStart(path, DEVICE_COMPONENTS);
    if (!exists) {
      if (path === device) this.#devices.delete(device);
      return;
    }
    if (this.#devices.has(device) || this.#isEnding) return;
    // A device that was added while the guest runs.
    if ((await this.#kernel.readState(device)) !== XENBUS_STATES.initialising) return;
    await this.#startDevice(device);
  }

  async #shutdownChanged(): Promise<void> {
    // The guest's own acknowledgement comes here too.
    if (this.#isEnding || this.#ports.strikes("shutdown-unacknowledged")) return;
    const command = await this.#takeShutdown();
    if (command === "" || command === undefined) return;
    this.#isEnding = true;
    // The end is a process of its own: xenwatch goes on with its events.
    void this.#end().catch((error: unknown) => {
      if (!this.#kernel.isHalted) this.#ports.failed(error);
    });
  }

  /** Takes the command and acknowledges it, in one transaction; one without a command is given up. */
  async #takeShutdown(): Promise<string | undefined> {
    let taken: string | undefined;
    const command = await this.#kernel.store.transactionIf(async (transaction) => {
      // A domain that is being destroyed may no longer see its own nodes.
      const found = await readIfVisible(transaction, "control/shutdown");
      if (found === undefined || found === "") return { apply: false, result: found };
      taken = found;
      await transaction.write("control/shutdown", "");
      return { apply: true, result: found };
    });
    // When the reply to the acknowledgement was lost, it is found acknowledged.
    return command === "" ? taken : command;
  }

  /** Closes the devices one after the other, but for those that are not connected, then the guest stops. */
  async #end(): Promise<void> {
    for (const { device } of this.#devices.values()) {
      if (device.state !== XENBUS_STATES.connected) continue;
      await switchFrontend(device, XENBUS_STATES.closing);
      await this.#untilClosed(device);
    }
    this.#kernel.standStill();
    await this.#ports.shutDown();
  }

  async #untilClosed(device: FrontendDevice): Promise<void> {
    while (device.backendState !== XENBUS_STATES.closed) {
      await new Promise<void>((resolve) => {
        this.#deviceChanged = resolve;
      });
    }
  }
}

/** Boots a guest in a domain; it goes on by itself until it is halted. */
export function bootGuest(domid: Domid, spec: VmSpec, ports: GuestPorts): { halt(): void } {
  let guest: GuestKernel | undefined;
  let isHalted = false;
  const boot = async (): Promise<void> => {
    const store = new StoreAccess(await ports.environment.connect(domid, "guest"));
    const kernel = new Kernel(store, (error) => {
      ports.failed(error);
    });
    guest = new GuestKernel(kernel, spec, ports);
    if (ports.strikes("node-quota-hit")) await fillQuota(domid, ports.environment);
    if (isHalted) guest.halt();
    else await guest.boot();
  };
  boot().catch((error: unknown) => {
    if (!isHalted) ports.failed(error);
  });
  return {
    halt: () => {
      isHalted = true;
      guest?.halt();
    },
  };
}
