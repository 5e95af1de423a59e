/**
 * A client in a world that waits for each reply before it sends again, as libxenstore's callers do.
 *
 * Owns one connection, and how long each TRANSACTION_START was under way: in virtual time that is as long as the daemon held
 * it, since nothing else takes time.
 */
import type { TransportConnection } from "../../clients/xenstore/transport.js";
import { serializeMessage, type Message } from "../../protocol/message.js";
import { ERROR, operationNamed, type OperationName } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import type { RequestPayloads } from "../../protocol/payload.js";
import type { World } from "../../simulator/world/world.js";
import { payloadOf } from "./core-harness.js";

/** The client's connection was closed, by itself or by the daemon. */
export class GoneError extends Error {}

/** A reply: its payload, or an error's name. */
export type Reply = { readonly payload: string } | { readonly error: string };

/** One connection; made by `connectSynchronously`. */
export class SynchronousClient {
  readonly #world: World;
  readonly #parser = new MessageParser();
  #connection: TransportConnection | undefined;
  #waiting: { readonly resolve: (reply: Reply) => void; readonly reject: (error: Error) => void } | undefined;
  #requestId = 0;
  #isGone = false;
  /** The longest that a TRANSACTION_START was under way, in milliseconds of the world. */
  longestStartMilliseconds = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async open(domid: number): Promise<void> {
    this.#connection = await this.#world.transport(domid, "client").open({
      received: (chunk) => {
        this.#parser.push(chunk);
        for (let message = this.#parser.next(); message !== undefined; message = this.#parser.next()) {
          this.#replied(message);
        }
      },
      closed: () => {
        this.#gone();
      },
    });
  }

  /** Sends a request and resolves to its reply. @throws GoneError when the connection is or gets closed */
  async ask<Name extends OperationName>(name: Name, body: RequestPayloads[Name], txId = 0): Promise<Reply> {
    if (this.#isGone) throw new GoneError("closed");
    const sent = this.#world.scheduler.monotonicMilliseconds();
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      const header = { type: operationNamed(name).number, requestId: ++this.#requestId, txId };
      this.#connection?.send(serializeMessage({ ...header, payload: payloadOf(name, body) }));
    });
    if (name === "TRANSACTION_START") {
      const took = this.#world.scheduler.monotonicMilliseconds() - sent;
      this.longestStartMilliseconds = Math.max(this.longestStartMilliseconds, took);
    }
    return reply;
  }

  /** Starts a transaction. */
  async start(): Promise<number> {
    const reply = await this.ask("TRANSACTION_START", {});
    if ("error" in reply) throw new Error(`TRANSACTION_START was answered ${reply.error}`);
    return parseInt(reply.payload, 10);
  }

  /** Closes the connection, whatever is under way. */
  close(): void {
    this.#connection?.close();
    this.#gone();
  }

  #gone(): void {
    this.#isGone = true;
    this.#waiting?.reject(new GoneError("closed"));
    this.#waiting = undefined;
  }

  #replied({ type, payload }: Message): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(type === ERROR ? { error: payload.slice(0, -1) } : { payload });
  }
}

/** Connects a client to the world's daemon as a domain. */
export async function connectSynchronously(world: World, domid = 0): Promise<SynchronousClient> {
  const client = new SynchronousClient(world);
  await client.open(domid);
  return client;
}
