/**
 * Requests of virtual machines as a text that a C program plays: the published benchmark's, and those of whole lives.
 *
 * Owns the recording and the text's form, which `load/wire-load.c` describes. The machines of the simulator live in a world
 * in memory; what their actors ask there is what the script has, each request with the answer that it had. A played request
 * is sent when its machine's last one is answered, whatever connection either is on. So a script has none of the waits of a
 * life, and no decision: it is what the machines ask of the store, as fast as that answers.
 *
 *  1. What a machine asks finds what it found when it was recorded, however many others are played at once. So in `storm` one
 *     machine lives through all of it, that no other one is the last and removes what they share.
 *  2. Any xenstored can be asked: all connections are dom0's, so guests' paths are absolute, and a domain goes with RELEASE.
 *  3. A transaction that was in vain when it was recorded is left out.
 */
import { connectXenstore } from "../../clients/xenstore/client.js";
import type { ByteString } from "../../protocol/bytes.js";
import type { Message } from "../../protocol/message.js";
import { ERROR, getOperation, operationNamed, WATCH_EVENT } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { runPublished } from "../../simulator/published/published.js";
import { vmSpec } from "../../simulator/vm/vm.js";
import type { Tap } from "../../simulator/world/memory-network.js";
import { World } from "../../simulator/world/world.js";
import { startWorldHost } from "../support/world-host.js";

/** A request with its answer, or the end of a connection. */
export type Recorded = RecordedRequest | { readonly kind: "close"; readonly connection: number };

/** A request as it reached the daemon. */
export interface RecordedRequest {
  readonly kind: "request";
  /** From 0, in the order in which they were opened. */
  readonly connection: number;
  readonly domid: number;
  readonly operation: number;
  readonly txId: number;
  readonly payload: ByteString;
  /** `ok` or the error's name, with what a success says. */
  answer: { readonly name: string; readonly payload: ByteString } | undefined;
}

const SEED = 1;
const SUCCESS = "ok";
/** Whatever the answer is, it is no surprise. */
const ANY = "any";
const [START, END] = [operationNamed("TRANSACTION_START").number, operationNamed("TRANSACTION_END").number];
const [CONTROL, RELEASE] = [operationNamed("CONTROL").number, operationNamed("RELEASE").number];

/**
 * Machines of a script, a text each: the first one is played before the others. Any of the others may be left out.
 */
export type MachineScripts = readonly string[];

/** The published benchmark: so many machines, and one before them that makes what they share. */
export async function recordPublished(vms: number): Promise<MachineScripts> {
  const recording = new Recording();
  const world = new World(SEED, { observer: { connected: (domid) => recording.tap(domid) } });
  await world.startDaemon();
  const client = await world.runUntil(connectXenstore(world.transport(0, "published"), { pacing: world.environment }));
  const run = { client, vms: vms + 1, monotonicMilliseconds: () => 0, progress: () => undefined };
  await world.runUntil(runPublished(run));
  const machines = new Map<string, Recorded[]>();
  for (const transaction of transactionsOf(recording.take())) {
    const domain = transaction.map(domainOf).find((found) => found !== undefined);
    if (domain === undefined) throw new Error("a transaction of no machine");
    machines.set(domain, [...(machines.get(domain) ?? []), ...transaction]);
  }
  if (machines.size !== vms + 1) throw new Error(`${String(vms + 1)} machines have ${String(machines.size)} domains`);
  return [...machines.values()].map(serializeMachine);
}

/**
 * A storm: so many whole lives, boot, shutdown and destruction, with drivers, guest and agent, and before them dom0's start
 * and the life of a machine that stays.
 */
export async function recordStorm(vms: number): Promise<MachineScripts> {
  const recording = new Recording();
  const { world, host } = await startWorldHost(SEED, {
    observer: { connected: (domid) => recording.tap(domid) },
    trouble: (actor, error) => {
      throw new Error(`${actor} met an error`, { cause: error });
    },
  });
  const start = async (number: number) => {
    const vm = await world.runUntil(host.create(vmSpec(number)));
    await world.runUntil(vm.connected);
    await world.scheduler.runUntilQuiet();
    return vm;
  };
  await start(1);
  const machines = [recording.take()];
  // The machine that stays has a minute's round of its agent while others live.
  recording.ignoreDomain(1);
  for (let number = 2; number <= vms + 1; number++) {
    const vm = await start(number);
    await world.runUntil(host.shutDown(vm));
    await world.scheduler.runUntilQuiet();
    machines.push(recording.take());
  }
  host.stop();
  return machines.map(serializeMachine);
}

/** The requests of a world's clients, in the order in which they reached the daemon. */
class Recording {
  readonly #ignored = new Set<number>();
  #recorded: Recorded[] = [];
  #connections = 0;

  /** Leaves out what is asked by a domain from now on. */
  ignoreDomain(domid: number): void {
    this.#ignored.add(domid);
  }

  /** What was recorded since the last time. */
  take(): readonly Recorded[] {
    const taken = this.#recorded;
    this.#recorded = [];
    return taken;
  }

  tap(domid: number): Tap {
    let connection = -1;
    let [toDaemon, toClient] = [new MessageParser(), new MessageParser()];
    let waiting: RecordedRequest[] = [];
    const add = (recorded: Recorded): void => {
      if (!this.#ignored.has(domid)) this.#recorded.push(recorded);
    };
    return {
      opened: () => {
        connection = this.#connections++;
        [toDaemon, toClient, waiting] = [new MessageParser(), new MessageParser(), []];
      },
      closed: () => add({ kind: "close", connection }),
      sent: (chunk) => {
        for (const { type: operation, txId, payload } of messagesOf(toDaemon, chunk)) {
          const request: RecordedRequest = {
            kind: "request",
            connection,
            domid,
            operation,
            txId,
            payload,
            answer: undefined,
          };
          waiting.push(request);
          add(request);
        }
      },
      received: (chunk) => {
        for (const { type, payload } of messagesOf(toClient, chunk)) {
          if (type === WATCH_EVENT) continue;
          // The daemon answers a connection's requests in their order.
          const request = waiting.shift();
          if (request === undefined) throw new Error("a reply to no request");
          request.answer = { name: type === ERROR ? payload.slice(0, -1) : SUCCESS, payload };
        }
      },
    };
  }
}

function messagesOf(parser: MessageParser, chunk: ByteString): readonly Message[] {
  parser.push(chunk);
  const messages: Message[] = [];
  for (let message = parser.next(); message !== undefined; message = parser.next()) messages.push(message);
  return messages;
}

/** The domain that a request is about. */
function domainOf(recorded: Recorded): string | undefined {
  if (recorded.kind === "close") return undefined;
  return /^\/(?:local\/domain|libxl)\/([1-9][0-9]*)(?:\/|\0|$)/.exec(recorded.payload)?.[1];
}

/**
 * Transactions one after the other, each where it ended, and what is outside of any in between: requests of several transactions
 * of one machine may have been under way at once. Those that ended in EAGAIN, or did not end, are not among them.
 */
function transactionsOf(recorded: readonly Recorded[]): readonly (readonly Recorded[])[] {
  const open = new Map<string, RecordedRequest[]>();
  const ordered: (readonly Recorded[])[] = [];
  for (const item of recorded) {
    if (item.kind === "close") {
      ordered.push([item]);
      continue;
    }
    const { connection, operation, txId, answer } = item;
    if (operation === START) {
      const id = (answer?.payload ?? "").slice(0, -1);
      open.set(`${String(connection)} ${id}`, [item]);
      continue;
    }
    const key = `${String(connection)} ${String(txId)}`;
    const transaction = txId === 0 ? undefined : open.get(key);
    if (transaction === undefined) {
      ordered.push([item]);
      continue;
    }
    transaction.push(item);
    if (operation !== END) continue;
    open.delete(key);
    if (answer?.name !== "EAGAIN") ordered.push(transaction);
  }
  return ordered;
}

/** The text of a machine. */
export function serializeMachine(recorded: readonly Recorded[]): string {
  return `machine\n${transactionsOf(recorded).flat().map(serializeStep).join("")}`;
}

function serializeStep(recorded: Recorded): string {
  const connection = String(recorded.connection);
  if (recorded.kind === "close") return `close ${connection}\n`;
  const { domid, txId } = recorded;
  const request = askable(recorded);
  if (request === undefined) return "";
  const { operation, payload } = request;
  // Dom0 is refused nothing that a guest is.
  const answer = domid !== 0 && request.answer === "EACCES" ? ANY : (request.answer ?? SUCCESS);
  if (operation === START) return `start ${connection}\n`;
  if (operation === END) return `end ${connection} ${answer} ${escapePayload(payload)}\n`;
  const word = txId === 0 ? "ask" : "inside";
  return `${word} ${connection} ${String(operation)} ${answer} ${escapePayload(absolute(operation, domid, payload))}\n`;
}

/** What stands for a request at an xenstored that has a hypervisor, and so no CONTROL `domain`; undefined for nothing. */
function askable({ operation, payload, answer }: RecordedRequest): Asked | undefined {
  const [command, event, domid = ""] = payload.split("\0");
  if (operation !== CONTROL || command !== "domain") return { operation, payload, answer: answer?.name };
  return event === "destroy" ? { operation: RELEASE, payload: `${domid}\0`, answer: answer?.name } : undefined;
}

interface Asked {
  readonly operation: number;
  readonly payload: ByteString;
  readonly answer: string | undefined;
}

/** The payload as dom0 must say it. */
function absolute(operation: number, domid: number, payload: ByteString): ByteString {
  const known = getOperation(operation);
  const namesPath = known?.transaction === "joins" || known?.name === "WATCH" || known?.name === "UNWATCH";
  if (domid === 0 || !namesPath || payload.startsWith("/") || payload.startsWith("@")) return payload;
  return `/local/domain/${String(domid)}/${payload}`;
}

/** Bytes that are no visible character of ASCII, and `%`, as `%` and two digits. */
function escapePayload(payload: ByteString): string {
  return payload.replace(/[^\x21-\x24\x26-\x7e]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
