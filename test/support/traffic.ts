/**
 * XenStore traffic of actors in one form, from a trace and from a machine that lives in a world, so that both can be compared.
 *
 * Owns the form and the recording. Nothing that is sent is left out of it but the ids of requests and transactions; of what
 * is received it has the watch events.
 */
import { getOperation, WATCH_EVENT } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import type { Tap } from "../../simulator/world/memory-network.js";
import type { Trace } from "../../simulator/trace/trace.js";
import type { VmSpec } from "../../simulator/vm/vm.js";
import { startWorldHost } from "./world-host.js";

/** A request as the daemon received it, or an event as the actor did. */
export interface TrafficStep {
  readonly phase: string;
  readonly actor: string;
  /** As in traces: a request outside of a transaction, one inside, an event. */
  readonly flag: "." | "T" | "<";
  /** Empty for an event. */
  readonly operation: string;
  /** The first argument: mostly a path. */
  readonly subject: string;
  /** All others: a value in quotes, perms, a token; empty when there is none. */
  readonly rest: string;
  /** Of requests in a transaction and of its end: which of the actor's it is. */
  readonly transaction: number | undefined;
}

/** The connections of one actor. */
export interface ActorConnections {
  readonly domid: number;
  readonly opened: number;
  /** Those that neither end had closed when the machine was gone and the host at rest. */
  readonly left: number;
}

/** What a machine's life brings about in the store. */
export interface Traffic {
  /** In the order of their arrival. */
  readonly steps: readonly TrafficStep[];
  readonly connections: ReadonlyMap<string, ActorConnections>;
}

/** A step in one line, as traces have it, with its phase. */
export function stepLine({ phase, actor, flag, operation, subject, rest }: TrafficStep): string {
  return [phase, actor, flag, operation, subject, rest].filter((word) => word !== "").join(" ");
}

function payloadWords(operation: string, payload: string): { readonly subject: string; readonly rest: string } {
  const [subject = "", ...others] = payload.split("\0");
  if (operation === "WRITE") return { subject, rest: JSON.stringify(others.join("\0")) };
  return { subject, rest: others.join(" ").trimEnd() };
}

/** The traffic of a trace; it does not say which connections end. */
export function tracedTraffic(trace: Trace): Traffic {
  const steps: TrafficStep[] = [];
  const connections = new Map<string, ActorConnections>();
  const transactions = new Map<string, number>();
  for (const { name: phase, steps: traced } of trace.phases) {
    for (const step of traced) {
      const { name: actor, domid, connection } = step.actor;
      const opened = connections.get(actor)?.opened ?? 0;
      connections.set(actor, { domid, opened: connection === "each" ? opened + 1 : 1, left: 0 });
      const common = { phase, actor };
      if (step.kind === "event") {
        const { path, token } = step;
        steps.push({ ...common, flag: "<", operation: "", subject: path, rest: token, transaction: undefined });
        continue;
      }
      const { operation, inTransaction, payload } = step;
      if (operation === "TRANSACTION_START") transactions.set(actor, (transactions.get(actor) ?? 0) + 1);
      const belongs = inTransaction || operation === "TRANSACTION_END";
      steps.push({
        ...common,
        flag: inTransaction ? "T" : ".",
        operation,
        ...payloadWords(operation, payload),
        transaction: belongs ? transactions.get(actor) : undefined,
      });
    }
  }
  return { steps, connections };
}

/** How a machine's life ends: by `xl shutdown`, or by `xl destroy` while it runs. */
export type LifeEnd = "shutdown" | "destroy";

/**
 * Plays one machine's life in a world, each phase after the one before it has come to rest, and records it.
 *
 * @throws Error when an actor met an error that it does not expect, or the daemon logged one
 */
export async function recordLife(worldSeed: number, spec: VmSpec, end: LifeEnd = "shutdown"): Promise<Traffic> {
  const steps: TrafficStep[] = [];
  const connections = new Map<string, ActorConnections>();
  let phase = "setup";
  const tap = (domid: number, actor: string): Tap => {
    const [toDaemon, toClient] = [new MessageParser(), new MessageParser()];
    // It starts as soon as the guest is connected, which may still be at work.
    const common = (): Pick<TrafficStep, "phase" | "actor"> => ({ phase: actor === "agent" ? "agent" : phase, actor });
    const count = (opened: number, left: number): void => {
      const before = connections.get(actor) ?? { domid, opened: 0, left: 0 };
      connections.set(actor, { domid, opened: before.opened + opened, left: before.left + left });
    };
    return {
      opened: () => {
        count(1, 1);
      },
      closed: () => {
        count(0, -1);
      },
      sent: (chunk) => {
        toDaemon.push(chunk);
        for (let message = toDaemon.next(); message !== undefined; message = toDaemon.next()) {
          const operation = getOperation(message.type)?.name ?? String(message.type);
          steps.push({
            ...common(),
            flag: message.txId === 0 || operation === "TRANSACTION_END" ? "." : "T",
            operation,
            ...payloadWords(operation, message.payload),
            transaction: message.txId === 0 ? undefined : message.txId,
          });
        }
      },
      received: (chunk) => {
        toClient.push(chunk);
        for (let message = toClient.next(); message !== undefined; message = toClient.next()) {
          if (message.type !== WATCH_EVENT) continue;
          steps.push({
            ...common(),
            flag: "<",
            operation: "",
            ...payloadWords("", message.payload),
            transaction: undefined,
          });
        }
      },
    };
  };
  /** Who waits for the rest before it goes on. */
  let waiting: { readonly phase: string; readonly goOn: () => void } | undefined;
  const come = async (next: string): Promise<void> => {
    await new Promise<void>((resolve) => {
      waiting = { phase: next, goOn: resolve };
    });
  };
  const { world, host } = await startWorldHost(worldSeed, {
    observer: { connected: tap },
    phase: (_spec, next) => come(next),
    trouble: (actor, error) => {
      throw new Error(`${actor} met an error`, { cause: error });
    },
  });
  const life = async (): Promise<void> => {
    const vm = await host.create(spec);
    await vm.connected;
    await come(end);
    await (end === "shutdown" ? host.shutDown(vm) : host.destroy(vm));
  };
  const living = life();
  const progress = { isOver: false };
  const over = (): void => {
    progress.isOver = true;
  };
  living.then(over, over);
  while (!progress.isOver) {
    await world.scheduler.run(() => progress.isOver || waiting !== undefined);
    await world.scheduler.runUntilQuiet();
    if (waiting === undefined) continue;
    ({ phase } = waiting);
    const { goOn } = waiting;
    waiting = undefined;
    goOn();
  }
  await living;
  await world.scheduler.runUntilQuiet();
  const [error] = world.errors;
  if (error !== undefined) throw new Error(`the daemon logged: ${error}`);
  return { steps, connections };
}
