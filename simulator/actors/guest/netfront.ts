/**
 * The driver of network interfaces (Linux, `drivers/net/xen-netfront.c`).
 *
 * Owns one interface. Frontend: 1 → 4 when the backend waits for it (2) and the rings' places are told; 5 comes from the
 * guest's end, 6 when the backend agrees.
 */
import { parseQueues, queuePaths } from "../../vm/queues.js";
import { XENBUS_STATES, type XenbusState } from "../../vm/xenbus-state.js";
import { failFrontend, switchFrontend, type FrontendDevice, type FrontendInstance } from "./frontend-driver.js";

/** Linux's number of it. */
const ENOSPC = 28;
const OFFLOADS: readonly string[] = [
  "feature-sg",
  "feature-ipv6-csum-offload",
  "feature-gso-tcpv4",
  "feature-gso-tcpv6",
];

/** Drives a network interface. */
export function netfront(device: FrontendDevice): FrontendInstance {
  const { kernel, path, backend } = device;
  const { store } = kernel;

  const offerRings = async (): Promise<void> => {
    await store.read(`${backend}/feature-rx-copy`);
    await store.read(`${path}/trusted`);
    const offered = parseQueues(await store.read(`${backend}/multi-queue-max-queues`));
    const queues = Math.min(offered, device.vcpus);
    await store.read(`${backend}/feature-split-event-channels`);
    await store.read(`${path}/mac`);
    await store.read(`${backend}/feature-xdp-headroom`);
    await store.write(`${path}/xdp-headroom`, "0");
    if (device.strikes("event-channel-refused")) {
      await failFrontend(device, ENOSPC, "allocating event channel");
      return;
    }
    const places = queuePaths(path, queues).map((queue) => ({
      queue,
      transmitRing: device.nextNumber(),
      receiveRing: device.nextNumber(),
      transmitChannel: device.nextNumber(),
      receiveChannel: device.nextNumber(),
    }));
    await store.transaction(async (transaction) => {
      const write = async (key: string, value: number, directory = path): Promise<void> => {
        await transaction.write(`${directory}/${key}`, String(value));
      };
      // Outside the transaction, as the driver does.
      await store.directory(`${backend}/multi-queue-max-queues`);
      await write("multi-queue-num-queues", queues);
      for (const { queue, transmitRing, receiveRing, transmitChannel, receiveChannel } of places) {
        await write("tx-ring-ref", transmitRing, queue);
        await write("rx-ring-ref", receiveRing, queue);
        await write("event-channel-tx", transmitChannel, queue);
        await write("event-channel-rx", receiveChannel, queue);
      }
      await write("request-rx-copy", 1);
      await write("feature-rx-notify", 1);
      await write("feature-sg", 1);
      await write("feature-gso-tcpv4", 1);
      await write("feature-gso-tcpv6", 1);
      await write("feature-ipv6-csum-offload", 1);
    });
    // The network stack asks what may be switched on, once for the device and once for its features.
    for (let times = 0; times < 2; times++) for (const key of OFFLOADS) await store.read(`${backend}/${key}`);
    await switchFrontend(device, XENBUS_STATES.connected);
  };

  return {
    probe: async () => {
      // Waits while the backend is still closing down from an earlier life; asks twice, for two states.
      await kernel.readState(backend);
      await kernel.readState(backend);
    },
    backendChanged: async (state: XenbusState) => {
      if (state === XENBUS_STATES.initWait && device.state === XENBUS_STATES.initialising) await offerRings();
      else if (state === XENBUS_STATES.closing && device.state !== XENBUS_STATES.closed) {
        await switchFrontend(device, XENBUS_STATES.closed);
      }
    },
  };
}
