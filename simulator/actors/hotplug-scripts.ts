/**
 * The hotplug scripts `block` and `vif-bridge` (Xen, `tools/hotplug/Linux`).
 *
 * Owns what a script reads and writes. Scripts call `xenstore-read` and `xenstore-write`: one connection for every access,
 * as a privileged client of dom0.
 */
import type { Domid } from "../../protocol/identifiers.js";
import { backendPath, domainPath, frontendPath, type DiskSpec, type VifSpec } from "../vm/vm.js";
import type { FaultPlan } from "../faults/fault-plan.js";
import type { Environment } from "./environment.js";
import { StoreAccess } from "./store-access.js";

const ACTOR = "hotplug";
const VBD_BACKENDS = "/local/domain/0/backend/vbd";
const MTU = "1500";

/** What a script is called for, as the second word of its command line says. */
export type HotplugEvent = "add" | "remove";

/** Runs scripts of one host. Each resolves to whether the script succeeded: its exit status. */
export class HotplugScripts {
  readonly #environment: Environment;
  readonly #faults: FaultPlan;
  #lock: Promise<void> = Promise.resolve();

  constructor(environment: Environment, faults: FaultPlan) {
    this.#environment = environment;
    this.#faults = faults;
  }

  /** Makes a block device ready, when no other domain has it: that costs a look at every disk of the host. */
  async block(event: HotplugEvent, domid: Domid, disk: DiskSpec): Promise<boolean> {
    const backend = backendPath(domid, { kind: "vbd", device: disk.virtualDevice });
    await this.#read(`${backend}/type`);
    await this.#read(`${backend}/params`);
    await this.#read(`${backend}/mode`);
    if (event === "remove") return true;
    await this.#read(`${backend}/physical-device`);
    await this.#read(`${backend}/frontend-id`);
    await this.#read(`${domainPath(domid)}/vm`);
    // It hangs for ever, and whoever started it does not wait: then it is to the others as if it had never been.
    if (this.#faults.strikes("hotplug-script-never-ends", domid)) return true;
    return this.#locked(async () => {
      const device = `${disk.major.toString(16)}:${disk.minor.toString(16)}`;
      const isShared = await this.#isShared(device);
      if (isShared || this.#faults.strikes("hotplug-script-fails", domid)) {
        const reason = isShared ? "is in use by another domain" : "cannot be opened";
        await this.#write(`${backend}/hotplug-error`, `${disk.params} ${reason}`);
        await this.#write(`${backend}/hotplug-status`, "error");
        return false;
      }
      await this.#write(`${backend}/physical-device`, device);
      await this.#write(`${backend}/physical-device-path`, disk.params);
      await this.#write(`${backend}/hotplug-status`, "connected");
      return true;
    });
  }

  /** Puts an interface on its bridge. */
  async vif(event: HotplugEvent, domid: Domid, vif: VifSpec): Promise<boolean> {
    const name = { kind: "vif", device: vif.handle } as const;
    const backend = backendPath(domid, name);
    await this.#read(`${backend}/vifname`);
    await this.#read(`${backend}/ip`);
    await this.#read(`${backend}/bridge`);
    if (event === "remove") return true;
    await this.#read(`${backend}/mtu`);
    await this.#write(`${frontendPath(domid, name)}/mtu`, MTU);
    if (this.#faults.strikes("backend-jumps", domid)) return true;
    await this.#write(`${backend}/hotplug-status`, "connected");
    return true;
  }

  /**
   * Runs one at a time, in the order of the calls. Block scripts have a file as their lock (`claim_lock "block"`): of two that
   * looked at the same time, neither would see that the other is about to take the same device.
   */
  async #locked<T>(body: () => Promise<T>): Promise<T> {
    const previous = this.#lock;
    const result = previous.then(body);
    // Whoever comes next waits for the end, whatever it is.
    this.#lock = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #isShared(device: string): Promise<boolean> {
    for (const domid of (await this.#directory(VBD_BACKENDS)) ?? []) {
      for (const disk of (await this.#directory(`${VBD_BACKENDS}/${domid}`)) ?? []) {
        if ((await this.#read(`${VBD_BACKENDS}/${domid}/${disk}/physical-device`)) === device) return true;
      }
    }
    return false;
  }

  async #read(path: string): Promise<string | undefined> {
    return this.#once((store) => store.read(path));
  }

  async #directory(path: string): Promise<readonly string[] | undefined> {
    return this.#once((store) => store.directory(path));
  }

  async #write(path: string, value: string): Promise<void> {
    await this.#once((store) => store.write(path, value));
  }

  async #once<T>(access: (store: StoreAccess) => Promise<T>): Promise<T> {
    const store = new StoreAccess(await this.#environment.connect(0 as Domid, ACTOR));
    try {
      return await access(store);
    } finally {
      store.close();
    }
  }
}
