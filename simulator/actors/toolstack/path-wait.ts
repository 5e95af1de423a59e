/**
 * Waiting until something in the store is as it should be: the toolstack's way to wait for drivers (Xen, `libxl_event.c`).
 *
 * Owns one watch and the wish. Invariant: the condition is asked for at each event, the first one included, and events that
 * come while it is asked count as one: so no change is missed, and none asked for twice.
 */
import type { Watch } from "../../../clients/xenstore/watch.js";
import { withTimeLimit } from "../../time-limit.js";
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
      wait.askAgain();
    });
    return wait;
  }

  /** Has the condition asked for once more: something that the watch does not tell of may have made it hold. */
  askAgain(): void {
    this.#hasEvent = true;
    this.#wake?.();
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

  /** Resolves to true when `condition` holds, to false when that takes too long, be it to answer; rejects when asking fails. */
  async untilWithin(
    condition: () => Promise<boolean>,
    environment: Environment,
    millisecondsMax: number,
  ): Promise<boolean> {
    let isOver = false;
    const waiting = this.until(condition, () => isOver);
    try {
      await withTimeLimit(waiting, { millisecondsMax, clock: environment, error: () => new TooLateError() });
      return true;
    } catch (error) {
      if (error instanceof TooLateError) return false;
      throw error;
    } finally {
      isOver = true;
      this.#wake?.();
    }
  }

  /** Removes the watch. */
  async close(): Promise<void> {
    await this.#watch?.close();
  }
}

class TooLateError extends Error {}
