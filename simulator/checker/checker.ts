/**
 * The checker of deterministic runs: everything that a daemon answers, commits and tells must be explained.
 *
 * Owns a model of the store and what is due to each client. It looks on while a world runs, and remembers the first thing
 * that may not be; from then on it looks no more. What it proves of a run without a violation:
 *
 * - **Strict serializability.** There is one order of all requests in which the model gives each client the replies that it
 *   got and makes the commits that were handed over, in their order. Each request stands in it between the moment when it
 *   reached the daemon and the moment when its reply was sent, and those of one connection stand in the order in which they
 *   were asked. A transaction stands in it as a whole where it ended: its requests gave on the snapshot of its start what
 *   they give there, or it ended in EAGAIN because one would not; so EAGAIN is never spurious either.
 * - **Watches.** Each commit's events reach each client that may see them, in order, behind the reply that they belong to;
 *   nothing else does, and nothing twice.
 * - **Acknowledgement.** Nothing reaches a client before the commits that it can tell of were handed over.
 *
 * The order is not searched for: the daemon bears witness in which order it carried requests out, and the checker believes
 * it in that alone. A wrong order, or a wrong deed in the right one, leaves replies and commits that the model does not
 * give. (The order of arrival would be no such order: who is held for fairness, or has used up its share of a tick, is
 * passed by others.)
 *
 * The model knows nothing of the store's code, and is proved against the core by random traffic in the property tests. What
 * it does not know it answers as an error that no daemon gives, so that nothing passes unlooked at.
 *
 *   watch a run:   observer ─► (violation?) … ─► finish
 *
 * NEEDSWORK: a tick that is undone, because its commits could not be written, is reported as a violation: no journal of a
 * simulated daemon fails yet. CONTROL is known as far as simulated machines use it.
 */
import type { Commit, StoreState, Witness } from "../../daemon/memory-daemon.js";
import { getOperation, operationNamed, WATCH_EVENT } from "../../protocol/operation.js";
import type { Tap } from "../world/memory-network.js";
import type { WorldObserver } from "../world/world.js";
import { Channel, describe, type Cause, type Problem } from "./channel.js";
import { compareCommit, compareStates } from "./commit-comparison.js";
import { Model, type ModelCommit } from "./model/model.js";
import type { Mutation } from "./model/state.js";
import type { CheckName, Violation } from "./violation.js";

/** What was looked at. */
export interface CheckedCounts {
  connections: number;
  /** Requests whose place in the order is known. */
  requests: number;
  /** Replies that reached their client and are explained. */
  replies: number;
  events: number;
  commits: number;
  /** Transactions that ended in EAGAIN, rightly. */
  conflicts: number;
  daemons: number;
}

/** What a checker is told besides what it looks on at. */
export interface CheckerOptions {
  readonly seed: number;
  /** How many things have happened in the world. */
  readonly steps: () => number;
  /** A way in which the model is to be wrong, to prove that a wrong daemon would be found out. */
  readonly mutation?: Mutation | undefined;
}

/** The connection on which a daemon makes the first commit of a new store, by itself. */
const DAEMON = "daemon";

/** Looks on at one world, from its start to its end. */
export class Checker {
  readonly counts: CheckedCounts = {
    connections: 0,
    requests: 0,
    replies: 0,
    events: 0,
    commits: 0,
    conflicts: 0,
    daemons: 0,
  };
  /** How often requests of each operation were answered so: `READ OK`, `WRITE EACCES`. */
  readonly outcomes = new Map<string, number>();
  readonly #options: CheckerOptions;
  readonly #model: Model;
  /** The channels of the daemon that runs, by the names that it gives them. */
  #channels = new Map<string, Channel>();
  /** Taken up by the daemon, and not yet known to belong to a client. */
  #unclaimed: string | undefined;
  /** Commits that must come, in order. */
  #dueCommits: { readonly commit: ModelCommit; readonly cause: Cause }[] = [];
  /** The seq of the last commit that was handed over. */
  #handedOver = 0;
  #violation: Violation | undefined;

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#model = new Model(options.mutation);
  }

  /** The first thing that may not be, or undefined while there is none. */
  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** What a world is to be given to look on through. */
  get observer(): WorldObserver {
    return {
      connected: (_domid, actor) => this.#tapFor(actor),
      committed: (commits) => {
        this.#guard(() => {
          for (const commit of commits) this.#committed(commit);
        });
      },
      daemonStarts: () => this.#startDaemon(),
      daemonStopped: () => {
        this.#forgetDaemon();
      },
    };
  }

  /**
   * Looks whether anything is missing, once nothing can happen in the world without time going on, and whether the daemon's
   * state is what its commits make.
   */
  finish(state: StoreState): void {
    this.#guard(() => {
      for (const channel of this.#channels.values()) {
        const problem = channel.missing();
        if (problem !== undefined) this.#report(problem, channel);
      }
      const [due] = this.#dueCommits;
      if (due !== undefined)
        this.#fail("completeness", `${describeCommit(due)} was never handed over`, due.cause.channel);
      if (state.seq !== this.#model.seq) {
        this.#fail("state", `the daemon's seq is ${String(state.seq)}, and must be ${String(this.#model.seq)}`);
      }
      const problem = compareStates(this.#model.state, state);
      if (problem !== undefined) this.#fail("state", problem);
    });
  }

  /** Does nothing once there is a violation; throws nothing, since a daemon would take it for a fault of its journal. */
  #guard(look: () => void): void {
    if (this.#violation !== undefined) return;
    try {
      look();
    } catch (error) {
      this.#fail("checker", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  #fail(check: CheckName, problem: string, channel?: Channel): void {
    const { seed, steps } = this.#options;
    this.#violation ??= { check, seed, step: steps(), client: channel?.label, problem };
  }

  #report({ check, problem }: Problem, channel: Channel): void {
    const [due] = this.#dueCommits;
    // The daemon may have made no such commit at all.
    const first = due === undefined ? "" : `; what is due first is ${describeCommit(due)}`;
    this.#fail(check, check === "acknowledgement" ? problem + first : problem, channel);
  }

  #tapFor(actor: string): Tap {
    let channel: Channel | undefined;
    return {
      opened: () => {
        this.#guard(() => {
          const name = this.#unclaimed;
          this.#unclaimed = undefined;
          channel = name === undefined ? undefined : this.#channels.get(name);
          if (channel === undefined) this.#fail("witness", `the daemon does not know of a connection of ${actor}`);
          else channel.actor = actor;
        });
      },
      sent: (chunk) => {
        this.#guard(() => {
          if (channel !== undefined) takeRequests(channel, chunk);
        });
      },
      received: (chunk) => {
        this.#guard(() => {
          if (channel !== undefined) this.#received(channel, chunk);
        });
      },
      closed: () => {
        channel?.close();
      },
    };
  }

  /** Each daemon has a witness of its own: what an old one says after its end is about connections that are gone. */
  #startDaemon(): Witness {
    this.counts.daemons++;
    this.#forgetDaemon();
    const channels = this.#channels;
    const whileItRuns = (look: () => void): void => {
      if (this.#channels === channels) this.#guard(look);
    };
    return {
      opened: (name) => {
        whileItRuns(() => {
          this.#opened(name);
        });
      },
      answered: (name) => {
        whileItRuns(() => {
          this.#answered(name);
        });
      },
      closed: (name) => {
        whileItRuns(() => {
          this.#closed(name);
        });
      },
      undone: () => {
        whileItRuns(() => {
          this.#fail("checker", "a tick was undone, which this checker does not know");
        });
      },
    };
  }

  #forgetDaemon(): void {
    for (const { twin } of this.#channels.values()) this.#model.disconnect(twin);
    this.#channels = new Map();
    this.#unclaimed = undefined;
  }

  #opened(name: string): void {
    const domid = domidOf(name);
    if (domid === undefined) {
      this.#fail("witness", `${name} is not a name of a connection`);
      return;
    }
    if (this.#channels.has(name)) this.#fail("witness", `two connections are called ${name}`);
    const channel = new Channel(name, this.#model.connect(domid));
    this.#channels.set(name, channel);
    this.counts.connections++;
    if (name === DAEMON) channel.arrived.push(FIRST_REQUEST);
    else this.#unclaimed = name;
  }

  #closed(name: string): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    if (channel.isOpen && name !== DAEMON) this.#fail("witness", "the daemon drops a connection that is open", channel);
    this.#model.disconnect(channel.twin);
    this.#channels.delete(name);
  }

  /** The next request of this connection is carried out now, in the model too. */
  #answered(name: string): void {
    const channel = this.#channels.get(name);
    const request = channel?.arrived.shift();
    if (channel === undefined || request === undefined) {
      this.#fail("witness", `${name} is answered, and asked nothing`, channel);
      return;
    }
    this.counts.requests++;
    const reply = this.#model.receive(channel.twin, request);
    if (reply === undefined) {
      this.#fail("witness", `${describe(request)} is carried out for a domain that is gone`, channel);
      return;
    }
    if (typeof reply !== "string" && reply.error === "EAGAIN") this.counts.conflicts++;
    const operation = getOperation(request.type)?.name ?? "unknown";
    const outcome = `${operation} ${typeof reply === "string" ? "OK" : reply.error}`;
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    const cause = { channel, request, seq: this.#model.seq };
    for (const commit of this.#model.takeCommits()) this.#dueCommits.push({ commit, cause });
    for (const each of this.#channels.values()) each.takeExpected(cause);
  }

  #committed(commit: Commit): void {
    const due = this.#dueCommits.shift();
    const seq = String(commit.seq);
    if (due === undefined) {
      this.#fail("chain", `commit ${seq} of ${commit.origin.connection} was handed over, and no request made it`);
      return;
    }
    const { channel } = due.cause;
    const { connection } = commit.origin;
    const problem =
      connection === channel.name
        ? compareCommit(due.commit, commit)
        : `it says that ${connection} made it, and ${channel.name} did`;
    if (problem !== undefined) {
      this.#fail("chain", `commit ${seq} is not ${describeCommit(due)}: ${problem}`, channel);
      return;
    }
    this.#handedOver = commit.seq;
    this.counts.commits++;
  }

  #received(channel: Channel, chunk: string): void {
    const { toClient } = channel;
    toClient.push(chunk);
    for (let message = toClient.next(); message !== undefined; message = toClient.next()) {
      const problem = channel.receive(message, this.#handedOver);
      if (problem !== undefined) {
        this.#report(problem, channel);
        return;
      }
      if (message.type === WATCH_EVENT) this.counts.events++;
      else this.counts.replies++;
    }
    if (toClient.brokenLength !== undefined) {
      this.#fail("framing", `a message of ${String(toClient.brokenLength)} bytes came`, channel);
    }
  }
}

/** What the daemon asks itself when the store is new: what C xenstored starts with. */
const FIRST_REQUEST = { type: operationNamed("MKDIR").number, requestId: 0, txId: 0, payload: "/tool/xenstored\0" };

function takeRequests(channel: Channel, chunk: string): void {
  const { toDaemon } = channel;
  toDaemon.push(chunk);
  for (let message = toDaemon.next(); message !== undefined; message = toDaemon.next()) channel.arrived.push(message);
}

/** The domain for which a connection of this name speaks: `socket-7` and `daemon` for dom0, `domain-5-7` for domain 5. */
function domidOf(name: string): number | undefined {
  const match = /^(?:daemon|socket-[0-9]+|domain-([0-9]+)-[0-9]+)$/.exec(name);
  return match === null ? undefined : Number(match[1] ?? "0");
}

function describeCommit({ commit, cause }: { readonly commit: ModelCommit; readonly cause: Cause }): string {
  return `the commit ${String(commit.seq)} that ${describe(cause.request)} of ${cause.channel.label} made`;
}
