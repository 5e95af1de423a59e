/**
 * The core beside the model.
 *
 * Owns a run: it gives both the same commands and compares, at the end of each tick, every message of every client, the
 * whole tree and everything else that commits change. A difference throws, with a transcript of the run.
 */
import { expect } from "vitest";
import type { Message } from "../../../protocol/message.js";
import { getOperation, operationNamed, type OperationName } from "../../../protocol/operation.js";
import type { RequestPayloads } from "../../../protocol/payload.js";
import { parsePerms } from "../../../protocol/perms.js";
import type { Connection } from "../../../daemon/connection/connection.js";
import { applyChanges, sameRoot } from "../../../daemon/store/diff.js";
import type { Core } from "../../../daemon/dispatch/core.js";
import { CoreHarness, domainId, payloadOf, type Received } from "../core-harness.js";
import { compareCommit, compareStates } from "../../../simulator/checker/commit-comparison.js";
import { actOf, CLIENT_DOMIDS, type Act, type Command } from "./command.js";
import {
  Model,
  type Expected,
  type ExpectedEvent,
  type ModelConnection,
} from "../../../simulator/checker/model/model.js";
import { isWithin, type Mutation } from "../../../simulator/checker/model/state.js";
import type { ModelReply } from "../../../simulator/checker/model/tree-request.js";

interface Client {
  readonly name: string;
  readonly connection: Connection;
  readonly twin: ModelConnection;
}

/** A core, a model, and their clients. */
export class Comparison {
  readonly harness = new CoreHarness();
  readonly model: Model;
  /** Replies by operation and result, to see what the traffic met. */
  readonly replies = new Map<string, number>();
  readonly #clients: (Client | undefined)[] = CLIENT_DOMIDS.map(() => undefined);
  /** Clients of this tick, those that were closed in it among them. */
  readonly #toCompare = new Set<Client>();
  readonly #transcript: string[] = [];
  #clientCount = 0;
  #rootBefore = this.harness.core.root;
  /** The messages of this tick, and how both sides were before it. */
  #sent: { readonly client: Client; readonly message: Message }[] = [];
  #coreBefore = describeCore(this.harness.core);
  #restoreModel: () => void;
  #seqBefore = 0;

  constructor(mutation?: Mutation) {
    this.model = new Model(mutation);
    this.#restoreModel = this.model.save();
    this.#prepare();
  }

  /** Runs commands, ends the last tick and compares. */
  run(commands: readonly Command[]): void {
    for (const command of commands) {
      const act = actOf(command);
      if (act.kind === "end tick") this.endTick();
      else if (act.kind === "fail tick") this.#failTick();
      else if (act.kind === "disconnect") this.#disconnect(command[1]);
      else if (act.kind === "unwatch") this.#unwatch(command[1], act.watch);
      else this.#send(this.#slotFor(act, command), act);
    }
    this.endTick();
    this.#send(0, message("CONTROL", { command: "check", parameters: [] }));
    this.endTick();
  }

  /** What happened so far, a line for each step. */
  transcript(): string {
    return this.#transcript.join("\n");
  }

  /** Ends the tick and compares. */
  endTick(): void {
    this.#transcript.push("        -- end of tick");
    const { received, commits } = this.harness.endTick();
    for (const client of this.#toCompare) {
      const problem = compareOutput(client.twin.expected, received.get(client.connection) ?? []);
      if (problem !== undefined) this.#fail(`${client.name}: ${problem}`);
      client.twin.expected = [];
      if (client.twin.isClosed) this.#toCompare.delete(client);
      if (client.twin.isClosed !== client.connection.closing) this.#fail(`${client.name}: open or closed?`);
      if (this.model.watchesOf(client.twin) !== client.connection.watches.size) this.#fail(`${client.name}: watches`);
      const open = [...client.connection.transactions.keys()].sort().join();
      const modelled = [...client.twin.transactions.keys()].sort().join();
      if (open !== modelled) this.#fail(`${client.name}: open transactions are ${open}, must be ${modelled}`);
    }
    this.#compareStates();
    const { core } = this.harness;
    let root = this.#rootBefore;
    const modelled = this.model.takeCommits();
    if (modelled.length !== commits.length) {
      this.#fail(`${String(commits.length)} commits are made, must be ${String(modelled.length)}`);
    }
    for (const [index, commit] of commits.entries()) {
      const must = modelled[index];
      const problem = must === undefined ? undefined : compareCommit(must, commit);
      if (problem !== undefined) this.#fail(`commit ${String(commit.seq)}: ${problem}`);
      if (commit.seq !== ++this.#seqBefore) this.#fail(`commit ${String(commit.seq)} is out of order`);
      root = applyChanges(root, commit.changes, commit.seq);
    }
    if (!sameRoot(root, core.root)) this.#fail("the tick's commits do not lead from its first to its last state");
    this.#rootBefore = core.root;
    if (this.harness.log.length > 0) this.#fail(`the core logged ${this.harness.log.join("\n")}`);
    this.#remember();
  }

  /** Remembers this moment as the start of a tick. */
  #remember(): void {
    this.#sent = [];
    this.#coreBefore = describeCore(this.harness.core);
    this.#restoreModel = this.model.save();
  }

  /**
   * Does what the server does when the journal refuses the tick's commits. The core must be as it was before the tick, and
   * then answer the same messages as a model that refuses commits.
   */
  #failTick(): void {
    const { core } = this.harness;
    this.#transcript.push("        -- the tick fails and is repeated without commits");
    core.abortTick("ENOSPC");
    this.#restoreModel();
    const opened = [...this.#toCompare].filter(({ connection }) => !this.#coreBefore.connections.has(connection.id));
    const now = describeCore(core);
    for (const client of opened) now.connections.delete(client.connection.id);
    expect(now, `after abortTick\n${this.transcript()}`).toEqual(this.#coreBefore);
    if (core.root !== this.#rootBefore) this.#fail("abortTick leaves another root");
    this.model.refusal = "ENOSPC";
    for (const { client, message } of this.#sent) {
      core.dispatch(client.connection, message);
      this.#log(client, message, this.model.receive(client.twin, message));
    }
    core.acceptCommits();
    this.model.refusal = undefined;
    if (core.commits.length > 0 || core.root !== this.#rootBefore) this.#fail("a refused tick changes the state");
    this.endTick();
  }

  /** Domains, places where guests may write, and quotas so low that traffic meets them. */
  #prepare(): void {
    const write = (path: string): void => this.#send(0, message("WRITE", { path, value: "" }));
    const setPerms = (path: string, ...texts: string[]): void => {
      const perms = parsePerms(texts);
      if (perms === undefined) throw new Error("bad perms");
      this.#send(0, message("SET_PERMS", { path, perms }));
    };
    for (const domid of [1, 2, 3]) {
      write(`/local/domain/${String(domid)}`);
      setPerms(`/local/domain/${String(domid)}`, `n${String(domid)}`);
    }
    write("/a/b/c");
    setPerms("/a", "b0");
    setPerms("/a/b", "n1", "r2");
    const quotas = { nodes: 5, watches: 3, transactions: 2, "transaction-nodes": 4, "node-size": 40, permissions: 3 };
    for (const [quota, value] of Object.entries(quotas)) this.#send(0, message("SET_QUOTA", { quota, value }));
    for (const domid of [1, 2].map(domainId)) this.#send(0, message("INTRODUCE", { domid, gfn: 1, port: 1 }));
    this.endTick();
    this.#transcript.length = 0;
  }

  /** The client of a slot; a guest whose domain is not introduced cannot connect. */
  #client(slot: number): Client | undefined {
    const known = this.#clients[slot];
    if (known !== undefined && !known.twin.isClosed) return known;
    const domid = CLIENT_DOMIDS[slot] ?? 0;
    // The socket of a domain is opened when the tick that introduced it is over.
    const wasIntroduced = domid === 0 || this.#rootBefore.domains.get(domainId(domid))?.introduction !== undefined;
    if (!wasIntroduced || !this.model.isIntroduced(domid)) return undefined;
    const name = `client ${String(++this.#clientCount)} of dom${String(domid)}`;
    const client = { name, connection: this.harness.connect(domid), twin: this.model.connect(domid) };
    this.#clients[slot] = client;
    this.#toCompare.add(client);
    return client;
  }

  #disconnect(slot: number): void {
    const client = this.#clients[slot];
    if (client === undefined || client.twin.isClosed) return;
    this.endTick();
    this.#transcript.push(`${client.name} disconnects`);
    this.harness.disconnect(client.connection);
    this.model.disconnect(client.twin);
    this.#toCompare.delete(client);
    this.#remember();
  }

  /**
   * Which client sends: mostly the one that the command names; one with an open transaction where one is wanted; dom0 for
   * most of what is dom0's alone.
   */
  #slotFor(act: Act & { readonly kind: "send" }, command: Command): number {
    const [, slot, , detail] = command;
    const operation = getOperation(act.type);
    if (operation?.privilege === "dom0" && detail % 8 !== 0) return slot % 2 === 0 ? 0 : 4;
    if (typeof act.tx === "string" || operation?.name === "TRANSACTION_START") return slot;
    if ((this.#clients[slot]?.twin.transactions.size ?? 0) > 0) return slot;
    const other = this.#clients.findIndex((client) => client !== undefined && client.twin.transactions.size > 0);
    return other === -1 ? slot : other;
  }

  #unwatch(slot: number, number: number): void {
    const client = this.#client(slot);
    if (client === undefined) return;
    const watches = [...client.connection.watches.values()];
    const { path, token } = watches[number % watches.length] ?? { path: "/a", token: "t" };
    this.#send(slot, {
      kind: "send",
      type: operationNamed("UNWATCH").number,
      payload: `${path}\0${token}\0`,
      tx: "none",
    });
  }

  #send(slot: number, act: Act & { readonly kind: "send" }): void {
    const client = this.#client(slot);
    if (client === undefined) return;
    const { type, payload, tx } = act;
    const open = [...client.twin.transactions.keys()];
    const chosen =
      typeof tx === "object" ? (open[tx.open % Math.max(1, open.length)] ?? 0) : tx === "none" ? 0 : 99_999;
    const requestId = this.harness.sendPayload(client.connection, type, payload, chosen);
    const message = { type, requestId, txId: chosen, payload };
    this.#sent.push({ client, message });
    this.#log(client, message, this.model.receive(client.twin, message));
  }

  #log(client: Client, message: Message, reply: ModelReply | undefined): void {
    const { type, requestId, txId, payload } = message;
    const name = getOperation(type)?.name ?? `type ${String(type)}`;
    const within = txId === 0 ? "" : ` in ${String(txId)}`;
    const result = reply === undefined ? "nothing, for it is closed" : describeReply(reply);
    const number = String(requestId).padStart(6);
    this.#transcript.push(`${number}  ${client.name}${within}: ${name} ${show(payload)} must get ${result}`);
    const key = `${name} ${reply === undefined || typeof reply === "string" ? "OK" : reply.error}`;
    this.replies.set(key, (this.replies.get(key) ?? 0) + 1);
  }

  #compareStates(): void {
    const { root, seq } = this.harness.core;
    const problem = compareStates(this.model.state, { root, seq });
    if (problem !== undefined) this.#fail(problem);
  }

  #fail(problem: string): never {
    throw new Error(`${problem}\n\nThe run:\n${this.transcript()}\n`);
  }
}

/** All that an aborted tick must bring back, but for the root, which is compared by identity. */
function describeCore(core: Core): { seq: number; holds: number[]; connections: Map<number, unknown> } {
  const connections = new Map<number, unknown>();
  for (const connection of core.connections) {
    const { id, lastTxId, closing, waiting, watches, transactions, outbox } = connection;
    connections.set(id, {
      ...{ lastTxId, closing, waiting, unreadBytes: outbox.unreadBytes, unsentReplies: outbox.unsentReplies },
      // How the maps happen to be ordered is not part of the state; the order in which watches fire is compared elsewhere.
      watches: [...watches.values()]
        .sort((left, right) => left.order - right.order)
        .map(({ path, token, depth, order }) => [path, token, depth, order]),
      transactions: [...transactions.values()]
        .sort((left, right) => left.id - right.id)
        .map((each) => [each.id, each.baseSeq, each.logBytes, [...each.log]]),
    });
  }
  const holds = CLIENT_DOMIDS.map((domid) => core.holdMicroseconds(domainId(domid)));
  return { seq: core.seq, holds, connections };
}

/** A request of the preparation. */
function message<Name extends OperationName>(
  operation: Name,
  request: RequestPayloads[Name],
): Act & { readonly kind: "send" } {
  return { kind: "send", type: operationNamed(operation).number, payload: payloadOf(operation, request), tx: "none" };
}

function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function describeReply(reply: ModelReply): string {
  return typeof reply === "string" ? show(reply) : reply.error;
}

/** Compares what a client got with what it must get; returns the first difference in words. */
function compareOutput(expected: readonly Expected[], received: readonly Received[]): string | undefined {
  let at = 0;
  for (const each of expected) {
    const count = each.kind === "reply" ? 1 : each.events.length;
    const got = received.slice(at, at + count);
    const right =
      each.kind === "reply"
        ? isReply(each, got[0])
        : each.kind === "events"
          ? areEvents(each.events, got)
          : areRemovals(each.events, got);
    if (!right) {
      const must = each.kind === "reply" ? { ...each, reply: describeReply(each.reply) } : each;
      return `message ${String(at + 1)} must be ${JSON.stringify(must)}\nbut is ${JSON.stringify(received.slice(at))}`;
    }
    at += count;
  }
  return at === received.length ? undefined : `gets ${JSON.stringify(received.slice(at))} in excess`;
}

function isReply(expected: Expected & { readonly kind: "reply" }, got: Received | undefined): boolean {
  if (got === undefined || got.kind === "event") return false;
  const { requestId, txId, operation, reply } = expected;
  if (got.requestId !== requestId || got.txId !== txId) return false;
  if (typeof reply !== "string") return got.kind === "error" && got.error === reply.error;
  return got.kind === "reply" && got.operation === operation && got.payload === reply;
}

function areEvents(expected: readonly ExpectedEvent[], got: readonly Received[]): boolean {
  return (
    expected.length === got.length &&
    expected.every((event, index) => {
      const each = got[index];
      return each?.kind === "event" && each.path === event.told && each.token === event.token;
    })
  );
}

/** Whether these are the events, children before parents, and those of one path in order. */
function areRemovals(expected: readonly ExpectedEvent[], got: readonly Received[]): boolean {
  const left = [...expected];
  for (const each of got) {
    const index = left.findIndex(
      (event) => each.kind === "event" && each.path === event.told && each.token === event.token,
    );
    const event = left[index];
    if (event === undefined) return false;
    const tooEarly = left.some(
      (other, place) =>
        (other.path !== event.path && isWithin(other.path, event.path)) || (other.path === event.path && place < index),
    );
    if (tooEarly) return false;
    left.splice(index, 1);
  }
  return left.length === 0;
}
