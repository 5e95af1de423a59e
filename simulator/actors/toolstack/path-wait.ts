/**
 * Waiting until something in the store is as it should be: the toolstack's way to wait for drivers (Xen, `libxl_event.c`).
 *
 * Owns one watch and the wish. Invariant: the condition is asked for at each event, the first one included, and events that
 * come while it is asked count as one: so no change is missed, and none asked for twice.
 */
import type { Watch } from "../../../clients/xenstore/watch.js";
import type { Environment } from "../environment.js";
import type { StoreAccess } from "../store-access.js";

/** A wait for what a watch tells of. Made by `PathWait.start`. */
export class PathWait {
  #watch: Watch | undefined;
  #hasEvent = false;
  #wake: (() => void) | undefined;

  /** Registers the watch. */
  static async start(store: StoreAccess, path: string, token: string): Promise<PathWait> {
    const wait = new PathWait();
    wait.#watch = await store.watch(path, token, () => {
      wait.#hasEvent = true;
      wait.#wake?.();
    });
    return wait;
  }

  /** Resolves when `condition` holds; rejects when asking fails. */
  async until(condition: () => Promise<boolean>, isOver: () => boolean = () => false): Promise<void> {
    while (!isOver()) {
      if (!this.#hasEvent) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
        continue;
      }
      this.#hasEvent = false;
      if (await condition()) return;
    }
  }

  /** Resolves to true when `condition` holds, to false when that takes too long. */
  async untilWithin(
    condition: () => Promise<boolean>,
    environment: Environment,
    millisecondsMax: number,
  ): Promise<boolean> {
    const timer = new AbortController();
    let isLate = false;
    const late = environment.delay(millisecondsMax, timer.signal).then(
      () => {
        isLate = true;
        this.#wake?.();
      },
      () => undefined,
    );
    try {
      await this.until(condition, () => isLate);
    } finally {
      timer.abort();
      await late;
    }
    return !isLate;
  }

  /** Removes the watch. */
  async close(): Promise<void> {
    await this.#watch?.close();
  }
}
