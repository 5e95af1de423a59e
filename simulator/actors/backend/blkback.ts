/**
 * The driver that serves disks (Linux, `drivers/block/xen-blkback/xenbus.c`).
 *
 * Owns one disk. Backend: 1 → 2 when it has offered what it can; → 4 when the frontend has its rings (3) and the hotplug
 * script has said which block device it is, in whichever order these two come; then 5 and 6 behind the frontend.
 */
import { parseQueues, QUEUES_OFFERED, queuePaths } from "../../vm/queues.js";
import { XENBUS_STATES, type XenbusState } from "../../vm/xenbus-state.js";
import type { KernelWatch } from "../kernel.js";
import { failBackend, switchBackend, type BackendDevice, type BackendInstance } from "./backend-driver.js";

/** Of a disk of 8 GiB. */
const SECTORS = 16_777_216;
const SECTOR_BYTES = 512;
/** The least that a discard frees: a block of the file system that a disk's file is in. */
const DISCARD_BYTES = 4096;
/** Linux's number of it. */
const EINVAL = 22;

/** Serves a disk. */
export function blkback(device: BackendDevice): BackendInstance {
  return new Blkback(device);
}

class Blkback implements BackendInstance {
  readonly #device: BackendDevice;
  #physicalDeviceWatch: KernelWatch | undefined;
  #hasPhysicalDevice = false;
  #hasRings = false;

  constructor(device: BackendDevice) {
    this.#device = device;
  }

  async probe(): Promise<void> {
    const { kernel, path } = this.#device;
    await kernel.store.write(`${path}/feature-max-indirect-segments`, "256");
    await kernel.store.write(`${path}/multi-queue-max-queues`, String(QUEUES_OFFERED));
    this.#physicalDeviceWatch = await kernel.watch(`${path}/physical-device`, () => this.#physicalDeviceChanged());
    await kernel.store.write(`${path}/max-ring-page-order`, "4");
    await switchBackend(this.#device, XENBUS_STATES.initWait);
  }

  async frontendChanged(state: XenbusState): Promise<void> {
    const { kernel, path } = this.#device;
    if (state === XENBUS_STATES.initialised) {
      if (this.#device.state === XENBUS_STATES.connected) return;
      if (!(await this.#readRings())) {
        await failBackend(this.#device, EINVAL, "reading ring-ref");
        return;
      }
      this.#hasRings = true;
      await this.#connect();
    } else if (state === XENBUS_STATES.connected) {
      // The name of the thread that serves the disk.
      await kernel.store.read(`${path}/dev`);
    } else if (state === XENBUS_STATES.closing) {
      await switchBackend(this.#device, XENBUS_STATES.closing);
    } else if (state === XENBUS_STATES.closed) {
      await switchBackend(this.#device, XENBUS_STATES.closed);
      await kernel.store.read(`${path}/online`);
    }
  }

  async remove(): Promise<void> {
    await this.#device.kernel.unwatch(this.#physicalDeviceWatch);
  }

  async #physicalDeviceChanged(): Promise<void> {
    const { kernel, path, frontend } = this.#device;
    const value = await kernel.store.read(`${path}/physical-device`);
    if (value === undefined || !/^[0-9a-f]+:[0-9a-f]+$/.test(value)) return;
    if (this.#hasPhysicalDevice) return;
    await kernel.store.read(`${path}/mode`);
    await kernel.store.read(`${frontend}/device-type`);
    this.#hasPhysicalDevice = true;
    await this.#connect();
  }

  /** Reads where the rings are; returns whether that is told of each. */
  async #readRings(): Promise<boolean> {
    const { kernel, frontend } = this.#device;
    const { store } = kernel;
    await store.read(`${frontend}/protocol`);
    await store.read(`${frontend}/feature-persistent`);
    const queues = parseQueues(await store.read(`${frontend}/multi-queue-num-queues`));
    await store.read(`${frontend}/ring-page-order`);
    for (const queue of queuePaths(frontend, queues)) {
      await store.read(`${queue}/event-channel`);
      if ((await store.read(`${queue}/ring-ref`)) === undefined) return false;
    }
    return true;
  }

  async #connect(): Promise<void> {
    if (!this.#hasRings || !this.#hasPhysicalDevice || this.#device.state === XENBUS_STATES.connected) return;
    const { kernel, path } = this.#device;
    await kernel.store.transaction(async (transaction) => {
      const write = async (key: string, value: number): Promise<void> => {
        await transaction.write(`${path}/${key}`, String(value));
      };
      await write("feature-flush-cache", 1);
      // Read outside the transaction, as the driver does.
      const discards = (await kernel.store.read(`${path}/discard-enable`)) !== "0";
      await write("discard-granularity", DISCARD_BYTES);
      await write("discard-alignment", 0);
      await write("discard-secure", 0);
      await write("feature-discard", discards ? 1 : 0);
      await write("feature-barrier", 1);
      await write("feature-persistent", 1);
      await write("sectors", SECTORS);
      await write("info", 0);
      await write("sector-size", SECTOR_BYTES);
      await write("physical-sector-size", SECTOR_BYTES);
    });
    await switchBackend(this.#device, XENBUS_STATES.connected);
  }
}
