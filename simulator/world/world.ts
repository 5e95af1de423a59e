/**
 * A world in one process: daemon and actors in virtual time, whose course follows from a seed alone.
 *
 * Owns the wiring. The same seed gives the same commits, times and all; another one another order of what may happen in any.
 */
import { connectXenstore } from "../../clients/xenstore/client.js";
import {
  emptyState,
  startMemoryDaemon,
  type Commit,
  type MemoryDaemon,
  type StoreState,
} from "../../daemon/memory-daemon.js";
import type { Environment } from "../actors/environment.js";
import { MemoryNetwork, type Tap } from "./memory-network.js";
import { createRandom } from "./random.js";
import { Scheduler } from "./scheduler.js";

const SOCKET = "/run/socket";
const DOMAINS = "/run/domains";

/** Whoever looks on. */
export interface WorldObserver {
  /** An actor connects; what is returned is told what goes over the connection. */
  readonly connected?: (domid: number, actor: string) => Tap;
  /** The daemon has committed. */
  readonly committed?: (commits: readonly Commit[]) => void;
}

/** A world. Made by `createWorld`. */
export class World {
  readonly scheduler: Scheduler;
  readonly environment: Environment;
  readonly network: MemoryNetwork;
  /** What the daemon has logged as errors. */
  readonly errors: string[] = [];
  readonly #observer: WorldObserver;
  #daemon: MemoryDaemon | undefined;
  #state: StoreState = emptyState();

  constructor(seed: number, observer: WorldObserver = {}) {
    this.#observer = observer;
    const random = createRandom(seed, 1);
    this.scheduler = new Scheduler(createRandom(seed));
    this.network = new MemoryNetwork(this.scheduler);
    const { scheduler } = this;
    const pacing = {
      delay: (milliseconds: number, signal?: AbortSignal) => scheduler.delay(milliseconds, signal),
      random: () => random.fraction(),
    };
    this.environment = {
      ...pacing,
      nowMilliseconds: () => Math.floor(scheduler.nowMicroseconds() / 1000),
      connect: async (domid, actor) => {
        const path = domid === 0 ? SOCKET : `${DOMAINS}/${String(domid)}`;
        return connectXenstore(this.network.transport(path, observer.connected?.(domid, actor)), { pacing });
      },
    };
  }

  /** The state of the store. */
  get state(): StoreState {
    return this.#daemon?.state ?? this.#state;
  }

  /** Starts the daemon, where the last one ended. */
  async startDaemon(): Promise<void> {
    this.#daemon = await startMemoryDaemon(
      {
        listener: this.network,
        clock: this.scheduler,
        timers: this.scheduler,
        committed: (commits) => {
          this.#observer.committed?.(commits);
        },
        log: (level, _key, message) => {
          if (level === "error") this.errors.push(message);
        },
      },
      { socket: SOCKET, domains: DOMAINS },
      this.#state,
    );
  }

  /** Ends the daemon, as a kill does: what it has committed stays, and nobody is told more. */
  stopDaemon(): void {
    if (this.#daemon === undefined) return;
    this.#state = this.#daemon.state;
    this.#daemon.stop();
    this.#daemon = undefined;
  }

  /**
   * Runs until a promise settles, and hands on what it settles to.
   *
   * @throws Error when nothing can happen any more and it has not settled
   */
  async runUntil<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    if (!(await this.scheduler.run(() => isSettled))) {
      throw new Error("everybody waits: nothing can happen any more, and what was waited for has not");
    }
    return promise;
  }
}
