/**
 * A daemon without a disk: the same core and server, over a listener, a clock and timers that are the caller's.
 *
 * Owns the wiring for simulations, in which time and the order of everything follow from a seed. What it commits is handed
 * over where the real daemon writes its journal, and is acknowledged by that; a daemon that is to go on where another has
 * ended starts from the other's root. It has no history: CONTROL `flush` answers at once, `compact` that there is none.
 */
import type { Seq } from "../protocol/identifiers.js";
import { Core } from "./dispatch/core.js";
import type { RequestObserver } from "./dispatch/observer.js";
import type { TurnCounters } from "./connection/turn-counters.js";
import type { Clock } from "./platform/clock.js";
import type { Listener } from "./platform/listener.js";
import type { RateLimitedLog } from "./platform/log.js";
import type { Timers } from "./platform/timers.js";
import { Server, type ServerPaths } from "./server/server.js";
import { WriteGate } from "./server/write-gate.js";
import type { Commit } from "./store/commit.js";
import { emptyRoot, type Root } from "./store/root.js";

/**
 * Told in which order a daemon takes up connections and requests. Connections are named as commits name them; the requests
 * of one connection are answered in the order in which they arrived.
 */
export interface Witness {
  /** It takes up a connection, while the listener hands it over. */
  opened(connection: string): void;
  /** It has carried out the connection's next request. */
  answered(connection: string): void;
  /** It has dropped a connection with its watches and transactions. */
  closed(connection: string): void;
  /** It takes back all that it has answered since the last commits were handed over, and carries it out again. */
  undone(): void;
}

export type { Commit } from "./store/commit.js";

/** A state of the store, and the seq of the commit that made it. */
export interface StoreState {
  readonly root: Root;
  readonly seq: Seq;
}

/** What a daemon in memory works with. */
export interface MemoryDaemonPorts {
  readonly listener: Listener;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Takes the commits of each tick, before any reply to them is sent. */
  readonly committed: (commits: readonly Commit[]) => void;
  /** Takes what the real daemon would log. */
  readonly log: RateLimitedLog["log"];
  /** Nobody unless given. */
  readonly witness?: Witness | undefined;
  /** Whether contended transactions take turns; they do unless told otherwise. */
  readonly takesTurns?: boolean | undefined;
}

/** A running daemon in memory. */
export interface MemoryDaemon {
  /** The state now. */
  readonly state: StoreState;
  /** What the scheduling of contended transactions has done. */
  readonly turnCounters: Readonly<TurnCounters>;
  /** Closes all sockets; what clients sent and was not answered never is. */
  stop(): void;
}

/** The state before the first commit. */
export function emptyState(): StoreState {
  return { root: emptyRoot(), seq: 0 as Seq };
}

/** Starts a daemon that goes on from `state`. */
export async function startMemoryDaemon(
  ports: MemoryDaemonPorts,
  paths: ServerPaths,
  state: StoreState = emptyState(),
): Promise<MemoryDaemon> {
  const { listener, clock, timers, committed, log, witness, takesTurns } = ports;
  const core = new Core(state.root, state.seq, {
    log,
    describeHistory: () => "this daemon has no history\n",
    describeMemory: () => "",
    setAccessLog: () => undefined,
    observer: witness === undefined ? undefined : observerFor(witness),
  });
  const server = new Server(
    {
      core,
      journal: {
        append: (commits) => {
          committed(commits);
          return { segment: "none", offset: 0, seq: core.seq };
        },
        lineBytesMax: () => 0,
      },
      listener,
      clock,
      timers,
      log: { log, flush: () => undefined },
      writeGate: new WriteGate(Infinity, { unsealedBytes: () => 0, sealedSeq: () => 0, trouble: () => undefined }),
      journalWritten: () => undefined,
      flushHistory: () => Promise.resolve(),
      compactHistory: () => Promise.resolve({ refusal: "there is no history" }),
      accessLog: () => undefined,
      takesTurns,
    },
    paths,
  );
  await server.start();
  return {
    get state() {
      return { root: core.root, seq: core.seq };
    },
    turnCounters: core.turnCounters,
    stop: () => {
      server.stop();
    },
  };
}

function observerFor(witness: Witness): RequestObserver {
  return {
    opened: ({ name }) => {
      witness.opened(name);
    },
    closed: ({ name }) => {
      witness.closed(name);
    },
    answered: ({ name }) => {
      witness.answered(name);
    },
    tickUndone: () => {
      witness.undone();
    },
    tickBegan: () => undefined,
    delivered: () => undefined,
    tickEnded: () => undefined,
  };
}
