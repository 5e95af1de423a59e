/**
 * The driver of disks (Linux, `drivers/block/xen-blkfront.c`).
 *
 * Owns one disk. Frontend: 1 → 3 when the backend waits for it (2) and the rings' places are told; → 4 when the backend is
 * connected and the disk's size read; 5 comes from the guest's end, 6 when the backend agrees.
 */
import { parseQueues, queuePaths } from "../../vm/queues.js";
import { XENBUS_STATES, type XenbusState } from "../../vm/xenbus-state.js";
import { switchFrontend, type FrontendDevice, type FrontendInstance } from "./frontend-driver.js";

const DISK_KEYS: readonly string[] = [
  "sectors",
  "info",
  "sector-size",
  "physical-sector-size",
  "feature-barrier",
  "feature-flush-cache",
  "feature-discard",
  "discard-granularity",
  "discard-alignment",
  "discard-secure",
  "feature-persistent",
  "feature-max-indirect-segments",
];

/** Drives a disk. */
export function blkfront(device: FrontendDevice): FrontendInstance {
  const { kernel, path, backend } = device;
  const { store } = kernel;

  const offerRings = async (): Promise<void> => {
    await store.read(`${path}/trusted`);
    await store.read(`${backend}/max-ring-page-order`);
    const offered = parseQueues(await store.read(`${backend}/multi-queue-max-queues`));
    const queues = Math.min(offered, device.vcpus);
    const places = queuePaths(path, queues).map((queue) => ({
      queue,
      ring: device.nextNumber(),
      channel: device.nextNumber(),
    }));
    await store.transaction(async (transaction) => {
      if (queues > 1) await transaction.write(`${path}/multi-queue-num-queues`, String(queues));
      for (const { queue, ring, channel } of places) {
        if (!device.strikes("ring-ref-missing")) await transaction.write(`${queue}/ring-ref`, String(ring));
        await transaction.write(`${queue}/event-channel`, String(channel));
      }
      await transaction.write(`${path}/protocol`, "x86_64-abi");
      await transaction.write(`${path}/feature-persistent`, "1");
    });
    await switchFrontend(device, XENBUS_STATES.initialised);
  };

  const connect = async (): Promise<void> => {
    for (const key of DISK_KEYS) await store.read(`${backend}/${key}`);
    await switchFrontend(device, XENBUS_STATES.connected);
  };

  return {
    probe: async () => {
      await store.read(`${path}/virtual-device`);
      await store.read(`${path}/device-type`);
    },
    backendChanged: async (state: XenbusState) => {
      if (state === XENBUS_STATES.initWait && device.state === XENBUS_STATES.initialising) await offerRings();
      else if (state === XENBUS_STATES.connected && device.state === XENBUS_STATES.initialised) await connect();
      else if (state === XENBUS_STATES.closing && device.state !== XENBUS_STATES.closed) {
        await switchFrontend(device, XENBUS_STATES.closed);
      }
    },
  };
}
