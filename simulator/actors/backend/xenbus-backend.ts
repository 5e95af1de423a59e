/**
 * Xenbus in dom0: finds the devices that toolstacks add below `backend`, and gives each to its driver (Linux,
 * `xenbus_probe_backend.c`, `xenbus_dev_changed` in `xenbus_probe.c`).
 *
 * Owns the devices. Every write below `backend`, its own drivers' too, comes here as an event and costs a DIRECTORY: that is
 * how Linux asks whether a node exists.
 */
import type { Domid } from "../../../protocol/identifiers.js";
import type { FaultPlan } from "../../faults/fault-plan.js";
import { XENBUS_STATES } from "../../vm/xenbus-state.js";
import { hasSlashes, pathStart, type Kernel } from "../kernel.js";
import { switchBackend, type BackendDevice, type BackendDriver, type BackendInstance } from "./backend-driver.js";

/** The watched directory; a relative path, so that events are relative too. */
const ROOT = "backend";
/** Slashes in the path of what may be a device or more: `backend/KIND/DOMID`. */
const DEVICE_SLASHES = 2;
/** `backend/KIND/DOMID/DEVICE`. */
const DEVICE_COMPONENTS = 4;

interface Served {
  readonly device: BackendDevice;
  /** Undefined for a kind without a driver here: the console is served by xenconsoled. */
  readonly instance: BackendInstance | undefined;
}

/** Serves devices. */
export class XenbusBackend {
  readonly #kernel: Kernel;
  readonly #drivers: ReadonlyMap<string, BackendDriver>;
  readonly #faults: FaultPlan;
  readonly #served = new Map<string, Served>();

  /** @param drivers - by the kind of device, such as `vbd` */
  constructor(kernel: Kernel, drivers: ReadonlyMap<string, BackendDriver>, faults: FaultPlan) {
    this.#kernel = kernel;
    this.#faults = faults;
    this.#drivers = drivers;
  }

  /** Begins to look for devices. */
  async start(): Promise<void> {
    await this.#kernel.watch(ROOT, async (path, missed) => {
      if (missed) await this.#lookForAll();
      await this.#changed(path);
    });
  }

  /** Looks at every device: some may have come and gone unnoticed. */
  async #lookForAll(): Promise<void> {
    const { store } = this.#kernel;
    for (const device of [...this.#served.keys()]) await this.#changed(device);
    for (const kind of (await store.directory(ROOT)) ?? []) {
      for (const domid of (await store.directory(`${ROOT}/${kind}`)) ?? []) {
        for (const device of (await store.directory(`${ROOT}/${kind}/${domid}`)) ?? []) {
          await this.#changed(`${ROOT}/${kind}/${domid}/${device}`);
        }
      }
    }
  }

  async #changed(path: string): Promise<void> {
    if (!hasSlashes(path, DEVICE_SLASHES)) return;
    const exists = (await this.#kernel.store.directory(path)) !== undefined;
    if (!exists) {
      await this.#forgetBelow(path);
      return;
    }
    const device = pathStart(path, DEVICE_COMPONENTS);
    if (!hasSlashes(path, DEVICE_COMPONENTS - 1) || this.#served.has(device)) return;
    await this.#probe(device);
  }

  async #probe(path: string): Promise<void> {
    // A device in another state is not new: it is going away.
    if ((await this.#kernel.readState(path)) !== XENBUS_STATES.initialising) return;
    const [, kind = "", guest] = path.split("/");
    const domid = Number(guest) as Domid;
    if (kind === "vbd" && this.#faults.strikes("backend-never-probes", domid)) return;
    const frontend = await this.#readFrontend(path);
    if (frontend === undefined) return;
    const device: BackendDevice = {
      path,
      domid,
      faults: this.#faults,
      frontend,
      kernel: this.#kernel,
      frontendWatch: undefined,
      state: XENBUS_STATES.initialising,
    };
    const instance = this.#drivers.get(kind)?.(device);
    const served: Served = { device, instance };
    this.#served.set(path, served);
    if (instance === undefined) return;
    // The bus has looked at the frontend to name the device, the driver's probe does to talk to it.
    await this.#readFrontend(path);
    await instance.probe();
    device.frontendWatch = await this.#kernel.watch(`${frontend}/state`, () => this.#frontendChanged(served));
  }

  /** The frontend's directory; undefined when the backend names none that exists. */
  async #readFrontend(path: string): Promise<string | undefined> {
    const { store } = this.#kernel;
    const domid = await store.read(`${path}/frontend-id`);
    const frontend = await store.read(`${path}/frontend`);
    if (domid === undefined || frontend === undefined || frontend === "") return undefined;
    return (await store.directory(frontend)) === undefined ? undefined : frontend;
  }

  async #frontendChanged({ device, instance }: Served): Promise<void> {
    const state = await this.#kernel.readState(device.frontend);
    if (state === XENBUS_STATES.unknown) await this.#remove(device.path);
    else await instance?.frontendChanged(state);
  }

  /** Drops what stood at or below a path that is gone. */
  async #forgetBelow(path: string): Promise<void> {
    for (const served of [...this.#served.keys()]) {
      if (served !== path && !served.startsWith(`${path}/`)) continue;
      await this.#kernel.readState(served);
      await this.#remove(served);
    }
  }

  async #remove(path: string): Promise<void> {
    const served = this.#served.get(path);
    if (served === undefined) return;
    this.#served.delete(path);
    const { device, instance } = served;
    await this.#kernel.unwatch(device.frontendWatch);
    if (instance === undefined) return;
    await instance.remove();
    // Whoever removes a device that was at work waits for this (Linux, `xenbus_dev_remove`).
    if (device.state !== XENBUS_STATES.closed) await switchBackend(device, XENBUS_STATES.closed);
  }
}
