/**
 * The driver that serves network interfaces (Linux, `drivers/net/xen-netback/xenbus.c`).
 *
 * Owns one interface. Backend: 1 → 2 when it has offered what it can; → 4 when the frontend is connected (4) and the hotplug
 * script has put the interface on its bridge; then 5 and 6 behind the frontend.
 */
import { parseQueues, QUEUES_OFFERED, queuePaths } from "../../vm/queues.js";
import { XENBUS_STATES, type XenbusState } from "../../vm/xenbus-state.js";
import type { KernelWatch } from "../kernel.js";
import { switchBackend, type BackendDevice, type BackendInstance } from "./backend-driver.js";

const OFFERED: readonly (readonly [string, string])[] = [
  ["feature-sg", "1"],
  ["feature-gso-tcpv4", "1"],
  ["feature-gso-tcpv6", "1"],
  ["feature-ipv6-csum-offload", "1"],
  ["feature-rx-copy", "1"],
  ["feature-xdp-headroom", "1"],
  ["feature-rx-flip", "0"],
  ["feature-multicast-control", "1"],
  ["feature-dynamic-multicast-control", "1"],
];

const WANTED: readonly string[] = [
  "request-rx-copy",
  "feature-rx-notify",
  "feature-sg",
  "feature-gso-tcpv4",
  "feature-gso-tcpv6",
  "feature-no-csum-offload",
  "feature-ipv6-csum-offload",
  "xdp-headroom",
  "ctrl-ring-ref",
];

/** What is told of each queue. */
const WANTED_OF_QUEUE: readonly string[] = ["tx-ring-ref", "rx-ring-ref", "event-channel-tx", "event-channel-rx"];

/** Serves a network interface. */
export function netback(device: BackendDevice): BackendInstance {
  return new Netback(device);
}

class Netback implements BackendInstance {
  readonly #device: BackendDevice;
  #rateWatch: KernelWatch | undefined;
  #multicastWatch: KernelWatch | undefined;
  #hotplugWatch: KernelWatch | undefined;

  constructor(device: BackendDevice) {
    this.#device = device;
  }

  async probe(): Promise<void> {
    const { kernel, path } = this.#device;
    const { store } = kernel;
    await store.transaction(async (transaction) => {
      for (const [key, value] of OFFERED) await transaction.write(`${path}/${key}`, value);
    });
    await store.write(`${path}/feature-split-event-channels`, "1");
    await store.write(`${path}/multi-queue-max-queues`, String(QUEUES_OFFERED));
    await store.write(`${path}/feature-ctrl-ring`, "1");
    await switchBackend(this.#device, XENBUS_STATES.initWait);
    await store.read(`${path}/script`);
    await store.read(`${path}/handle`);
  }

  async frontendChanged(state: XenbusState): Promise<void> {
    const { kernel, path } = this.#device;
    if (state === XENBUS_STATES.connected) {
      if (this.#device.state === XENBUS_STATES.connected || this.#hotplugWatch !== undefined) return;
      await this.#connect();
    } else if (state === XENBUS_STATES.closing) {
      await this.#disconnect();
      await switchBackend(this.#device, XENBUS_STATES.closing);
    } else if (state === XENBUS_STATES.closed) {
      await switchBackend(this.#device, XENBUS_STATES.closed);
      await kernel.store.read(`${path}/online`);
    }
  }

  async remove(): Promise<void> {
    const { kernel, path } = this.#device;
    await this.#disconnect();
    await kernel.store.remove(`${path}/hotplug-status`);
  }

  /** Takes over what the frontend has chosen; connected it is when the hotplug script says so. */
  async #connect(): Promise<void> {
    const { kernel, path, frontend } = this.#device;
    const { store } = kernel;
    const queues = parseQueues(await store.read(`${frontend}/multi-queue-num-queues`));
    await store.read(`${path}/mac`);
    await store.read(`${path}/rate`);
    this.#rateWatch = await kernel.watch(`${path}/rate`, async () => {
      await store.read(`${path}/rate`);
    });
    this.#multicastWatch = await kernel.watch(`${frontend}/request-multicast-control`, async () => {
      await store.read(`${frontend}/request-multicast-control`);
    });
    for (const key of WANTED) await store.read(`${frontend}/${key}`);
    for (const queue of queuePaths(frontend, queues)) {
      for (const key of WANTED_OF_QUEUE) await store.read(`${queue}/${key}`);
    }
    if (this.#device.faults.strikes("backend-jumps", this.#device.domid)) {
      await switchBackend(this.#device, XENBUS_STATES.connected);
      return;
    }
    this.#hotplugWatch = await kernel.watch(`${path}/hotplug-status`, () => this.#hotplugStatusChanged());
  }

  async #hotplugStatusChanged(): Promise<void> {
    const { kernel, path } = this.#device;
    if ((await kernel.store.read(`${path}/hotplug-status`)) !== "connected") return;
    await switchBackend(this.#device, XENBUS_STATES.connected);
    await kernel.unwatch(this.#hotplugWatch);
  }

  async #disconnect(): Promise<void> {
    const { kernel } = this.#device;
    await kernel.unwatch(this.#hotplugWatch);
    await kernel.unwatch(this.#rateWatch);
    await kernel.unwatch(this.#multicastWatch);
  }
}
