/**
 * What the kernels of dom0 and of guests have in common: xenbus on one connection (Linux, `drivers/xen/xenbus`).
 *
 * Owns the thread for watch events. Invariants:
 *
 * 1. Events are handled one after the other, in the order of their arrival, each to its end: a driver that waits for a reply
 *    holds up all other drivers' events, as `xenwatch` does.
 * 2. No event of a watch is handled after `unwatch` of it was called, those that wait included.
 * 3. After `standStill` no event is handled, and after `halt` nothing is sent any more.
 */
import type { Watch, WatchEvent } from "../../clients/xenstore/watch.js";
import { parseXenbusState, type XenbusState } from "../vm/xenbus-state.js";
import { readIfVisible, type StoreAccess } from "./store-access.js";

/**
 * What a kernel does when a watch fires.
 *
 * @param path - what changed
 * @param missed - whether changes before it may have been missed, because the daemon was restarted
 */
export type WatchHandler = (path: string, missed: boolean) => Promise<void>;

/** A watch of a kernel. */
export interface KernelWatch {
  readonly path: string;
  readonly handler: WatchHandler;
  watch: Watch | undefined;
  isRemoved: boolean;
}

/** Base of the made-up addresses that a kernel's tokens are. */
const TOKEN_BASE = 0xffffffff82000000n;
const TOKEN_STEP = 0x40n;

/** Xenbus of one kernel. */
export class Kernel {
  readonly store: StoreAccess;
  readonly #failed: (error: unknown) => void;
  readonly #queue: { readonly watch: KernelWatch; readonly path: string; readonly missed: boolean }[] = [];
  #isHandling = false;
  #isStandingStill = false;
  #isHalted = false;
  #watchesMade = 0n;

  /** @param failed - told of an error that no driver expects; the thread goes on with the next event */
  constructor(store: StoreAccess, failed: (error: unknown) => void) {
    this.store = store;
    this.#failed = failed;
  }

  /** Whether the kernel stands still. */
  get isHalted(): boolean {
    return this.#isHalted;
  }

  /** Registers a watch. Its token is what Linux sends: the address of the watch, in hexadecimal. */
  async watch(path: string, handler: WatchHandler): Promise<KernelWatch> {
    const token = (TOKEN_BASE + TOKEN_STEP * this.#watchesMade++).toString(16).toUpperCase();
    const kernelWatch: KernelWatch = { path, handler, watch: undefined, isRemoved: false };
    kernelWatch.watch = await this.store.watch(path, token, (event: WatchEvent) => {
      if (this.#isStandingStill) return;
      this.#queue.push({ watch: kernelWatch, path: event.path, missed: event.missed });
      if (!this.#isHandling) void this.#handleEvents();
    });
    return kernelWatch;
  }

  /** Removes a watch; nothing when it is removed already. */
  async unwatch(watch: KernelWatch | undefined): Promise<void> {
    if (watch === undefined || watch.isRemoved) return;
    watch.isRemoved = true;
    await watch.watch?.close();
  }

  /** The state that stands at a device's path. */
  async readState(path: string): Promise<XenbusState> {
    return parseXenbusState(await this.store.read(`${path}/state`));
  }

  /**
   * Changes a device's state as `xenbus_switch_state` does: not when the device is gone meanwhile. The transaction is given
   * up then.
   */
  async switchState(path: string, state: XenbusState): Promise<void> {
    await this.store.transactionIf(async (transaction) => {
      const isThere = (await readIfVisible(transaction, `${path}/state`)) !== undefined;
      if (isThere) await transaction.write(`${path}/state`, String(state));
      return { apply: isThere, result: undefined };
    });
  }

  /** Handles no event any more; they go on to arrive, as in the ring of a domain whose processors stand still. */
  standStill(): void {
    this.#isStandingStill = true;
    this.#queue.length = 0;
  }

  /** Stops for good: what is under way ends at its next request. */
  halt(): void {
    this.standStill();
    this.#isHalted = true;
    this.store.close();
  }

  async #handleEvents(): Promise<void> {
    this.#isHandling = true;
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      if (event.watch.isRemoved) continue;
      try {
        await event.watch.handler(event.path, event.missed);
      } catch (error) {
        if (!this.#isHalted) this.#failed(error);
      }
    }
    this.#isHandling = false;
  }
}

/** Whether a path has at least so many slashes: the depth at which xenbus takes it for a device. */
export function hasSlashes(path: string, least: number): boolean {
  let count = 0;
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) if (++count === least) return true;
  return false;
}

/** The first `components` components of a path. */
export function pathStart(path: string, components: number): string {
  return path.split("/", components).join("/");
}
