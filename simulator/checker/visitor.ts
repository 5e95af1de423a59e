/**
 * Visitors: clients that do what no machine's boot does, at any moment of it.
 *
 * Owns their connections and the course of a visit; what they ask is `visitor-requests.ts`. Boots alone never meet a
 * conflict, seldom an error, use little of the protocol, and close nothing in the midst of a transaction. A visitor sends
 * without waiting for replies, and of what it gets it looks only for starts of transactions that were refused: whether
 * replies are right is for whoever looks on.
 */
import type { TransportConnection } from "../../clients/xenstore/transport.js";
import { serializeMessage } from "../../protocol/message.js";
import { ERROR, operationNamed } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import type { Random } from "../world/random.js";
import type { World } from "../world/world.js";
import { FIRST_REQUESTS, OPENING_REQUESTS, VisitorRequests, type VisitorRequest } from "./visitor-requests.js";

const REQUESTS_MAX = 10;
/** A visit in so many ends with the visitor's connection, whatever is under way. */
const VISITS_PER_CLOSE = 12;
/** No connection has a transaction of this number. */
const UNKNOWN_TRANSACTION = 77_777;
/** The protocol once had an operation of this number. */
const UNKNOWN_OPERATION = 20;

/** One visitor. */
export class Visitor {
  readonly #world: World;
  readonly #random: Random;
  readonly #domid: number;
  readonly #requests: VisitorRequests;
  #connection: TransportConnection | undefined;
  #requestId = 0;
  /** Transactions started on this connection: the daemon numbers them so. */
  #transactions = 0;
  /** The requests that are to start them, and are not answered. */
  readonly #starts = new Set<number>();

  constructor(world: World, random: Random, domid: number) {
    this.#world = world;
    this.#random = random;
    this.#domid = domid;
    this.#requests = new VisitorRequests(random, domid);
  }

  /** Comes, unless nobody listens for its domain, and sends a few requests. */
  async visit(): Promise<void> {
    const known = this.#connection;
    const connection = known ?? (await this.#open());
    if (connection === undefined) return;
    const ask = ({ name, payload }: VisitorRequest, txId = 0): void => {
      this.#send(connection, operationNamed(name).number, payload, txId);
    };
    if (this.#domid === 0 && known === undefined) for (const request of FIRST_REQUESTS) ask(request);
    if (this.#domid === 0 && this.#isOneIn(4)) for (const request of OPENING_REQUESTS) ask(request);
    const counter = `${this.#requests.counter()}\0`;
    const isTransaction = this.#isOneIn(2);
    const txId = isTransaction ? this.#start(connection) : 0;
    if (isTransaction) ask({ name: "READ", payload: counter }, txId);
    for (let count = this.#random.below(REQUESTS_MAX); count > 0; count--) ask(this.#requests.next(), txId);
    if (!this.#isOneIn(4)) ask({ name: "WRITE", payload: counter + String(this.#requestId) }, txId);
    if (this.#isOneIn(3)) this.#askWrongly(connection, txId);
    const isLeftOpen = this.#isOneIn(8);
    // What comes between is not the transaction's, but may be in its way.
    if (isTransaction && this.#isOneIn(3)) ask(this.#requests.next());
    if (isTransaction && !isLeftOpen) ask({ name: "TRANSACTION_END", payload: this.#isOneIn(6) ? "F\0" : "T\0" }, txId);
    if (this.#isOneIn(VISITS_PER_CLOSE)) this.leave();
  }

  /** Closes the connection at once. */
  leave(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #open(): Promise<TransportConnection | undefined> {
    const transport = this.#world.transport(this.#domid, "visitor");
    const replies = new MessageParser();
    const opening = transport.open({
      received: (chunk) => {
        replies.push(chunk);
        for (let reply = replies.next(); reply !== undefined; reply = replies.next()) {
          // A start that is refused takes no number.
          if (this.#starts.delete(reply.requestId) && reply.type === ERROR) this.#transactions--;
        }
      },
      closed: () => {
        if (this.#connection === connection) this.#connection = undefined;
      },
    });
    const connection = await opening.catch(() => undefined);
    this.#connection = connection;
    this.#transactions = 0;
    this.#starts.clear();
    return connection;
  }

  /** Each request is sent for itself, so that those of other clients come between. */
  #send(connection: TransportConnection, type: number, payload: string, txId: number): void {
    connection.send(serializeMessage({ type, requestId: ++this.#requestId, txId, payload }));
  }

  /** @returns the number that the transaction will have */
  #start(connection: TransportConnection): number {
    this.#send(connection, operationNamed("TRANSACTION_START").number, "\0", 0);
    this.#starts.add(this.#requestId);
    return ++this.#transactions;
  }

  #askWrongly(connection: TransportConnection, txId: number): void {
    const { name, payload } = this.#requests.nextWrong();
    const type = operationNamed(name).number;
    switch (this.#random.below(4)) {
      case 0:
        this.#send(
          connection,
          operationNamed("TRANSACTION_START").number,
          "\0",
          txId === 0 ? UNKNOWN_TRANSACTION : txId,
        );
        break;
      case 1:
        this.#send(connection, type, payload, UNKNOWN_TRANSACTION);
        break;
      case 2:
        this.#send(connection, UNKNOWN_OPERATION, payload, txId);
        break;
      default:
        this.#send(connection, type, payload, txId);
        break;
    }
  }

  #isOneIn(count: number): boolean {
    return this.#random.below(count) === 0;
  }
}
