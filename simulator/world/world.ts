/**
 * A world in one process: daemon and actors in virtual time, whose course follows from a seed alone.
 *
 * Owns the wiring. The same seed gives the same commits, times and all; another one another order of what may happen in any.
 */
import { connectXenstore } from "../../clients/xenstore/client.js";
import type { Transport } from "../../clients/xenstore/transport.js";
import {
  emptyState,
  startMemoryDaemon,
  type Commit,
  type MemoryDaemon,
  type StoreState,
  type Witness,
} from "../../daemon/memory-daemon.js";
import type { Listener } from "../../daemon/platform/listener.js";
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
  /** A daemon starts; what is returned is told in which order it takes up what. */
  readonly daemonStarts?: () => Witness;
  /** The daemon has ended. */
  readonly daemonStopped?: () => void;
}

/** How a world is to be. */
export interface WorldOptions {
  readonly observer?: WorldObserver;
  /** Whether what is sent arrives in chunks that are cut at random places. */
  readonly cutsChunks?: boolean;
  readonly mistakes?: Mistakes;
  /** Whether contended transactions take turns; they do unless told otherwise. */
  readonly takesTurns?: boolean;
}

/** Mistakes that are made on purpose in the daemon's name, to see whether they are found. */
export interface Mistakes {
  /** Comes between the daemon and its sockets. */
  readonly listener?: (listener: Listener) => Listener;
  /** Comes between the daemon and whoever takes its commits. */
  readonly commits?: (commits: readonly Commit[]) => readonly Commit[];
}

/** A world: a daemon and its machines in one process, in virtual time. */
export class World {
  readonly scheduler: Scheduler;
  readonly environment: Environment;
  readonly network: MemoryNetwork;
  /** What the daemon has logged as errors. */
  readonly errors: string[] = [];
  readonly #observer: WorldObserver;
  readonly #mistakes: Mistakes;
  readonly #takesTurns: boolean;
  #daemon: MemoryDaemon | undefined;
  #state: StoreState = emptyState();

  constructor(
    seed: number,
    { observer = {}, cutsChunks = false, mistakes = {}, takesTurns = true }: WorldOptions = {},
  ) {
    this.#observer = observer;
    const random = createRandom({ seed, stream: 1 });
    this.scheduler = new Scheduler(createRandom({ seed }));
    this.network = new MemoryNetwork(this.scheduler, cutsChunks ? createRandom({ seed, stream: 2 }) : undefined);
    this.#mistakes = mistakes;
    this.#takesTurns = takesTurns;
    const { scheduler } = this;
    const pacing = {
      delay: (milliseconds: number, signal?: AbortSignal) => scheduler.delay(milliseconds, signal),
      random: () => random.fraction(),
    };
    this.environment = {
      ...pacing,
      nowMilliseconds: () => Math.floor(scheduler.nowMicroseconds() / 1000),
      connect: (domid, actor) => connectXenstore(this.transport(domid, actor), { pacing }),
    };
  }

  /** A way to the daemon as a domain. */
  transport(domid: number, actor: string): Transport {
    const path = domid === 0 ? SOCKET : `${DOMAINS}/${String(domid)}`;
    return this.network.transport(path, this.#observer.connected?.(domid, actor));
  }

  /** The state of the store. */
  get state(): StoreState {
    return this.#daemon?.state ?? this.#state;
  }

  /** What the scheduling of contended transactions has done in the daemon that runs; undefined while none does. */
  get turnCounters(): MemoryDaemon["turnCounters"] | undefined {
    return this.#daemon?.turnCounters;
  }

  /** Starts the daemon, where the last one ended. */
  async startDaemon(): Promise<void> {
    this.#daemon = await startMemoryDaemon(
      {
        listener: this.#mistakes.listener?.(this.network) ?? this.network,
        clock: this.scheduler,
        timers: this.scheduler,
        committed: (commits) => {
          this.#observer.committed?.(this.#mistakes.commits?.(commits) ?? commits);
        },
        log: (level, _key, message) => {
          if (level === "error") this.errors.push(message);
        },
        witness: this.#observer.daemonStarts?.(),
        takesTurns: this.#takesTurns,
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
    this.#observer.daemonStopped?.();
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
