/**
 * Visitors: clients that do what no machine's boot does, at any moment of it.
 *
 * Owns their requests. Boots alone never meet a conflict, seldom an error, and close nothing in the midst of a transaction.
 * A visitor sends without waiting for replies, and looks at none: whether they are right is for whoever looks on. It
 * changes nothing that others need, only what lies below `/visitor` and below `data/visitor` of a guest.
 */
import type { TransportConnection } from "../../clients/xenstore/transport.js";
import { serializeMessage } from "../../protocol/message.js";
import { operationNamed, type OperationName } from "../../protocol/operation.js";
import type { Random } from "../world/random.js";
import type { World } from "../world/world.js";

/** Where dom0's visitors write; a guest writes elsewhere, for want of a right to. */
export const VISITOR_PATH = "/visitor";

/** Paths that change while machines boot, relative ones among them. */
const OTHERS_PATHS = [
  "/",
  "/local/domain",
  "/local/domain/1",
  "/local/domain/2/device",
  "/local/domain/3/device/vbd/51712/state",
  "/local/domain/1/device/vif/0/state",
  "/local/domain/0/backend/vbd",
  "/libxl",
  "/vm",
  "device",
  "name",
  "@releaseDomain",
  "@introduceDomain",
  "//",
] as const;

const OWN_NAMES = ["", "/a", "/a/b", "/a/b/c", "/d", "/d/e"] as const;
const PERMS = ["n0", "b0", "n0\0r1", "r1\0b2", "n1\0r1\0r2\0r3\0r4\0r5", "n2\0w3\0r1", "x"] as const;
const KEPT_PERMS = "n0\0r1\0r2\0b3";
const REQUESTS_MAX = 8;
/** More than the quota of a guest's node; dom0 may write it. */
const LONG_VALUE = "long ".repeat(500);
/** A write in so many is of a long value. */
const WRITES_PER_LONG = 6;
/** A visit in so many ends with the visitor's connection, whatever is under way. */
const VISITS_PER_CLOSE = 12;

/** One visitor. */
export class Visitor {
  readonly #world: World;
  readonly #random: Random;
  readonly #domid: number;
  #connection: TransportConnection | undefined;
  #requests = 0;
  /** Transactions started on this connection: the daemon numbers them so. */
  #transactions = 0;

  constructor(world: World, random: Random, domid: number) {
    this.#world = world;
    this.#random = random;
    this.#domid = domid;
  }

  /** Comes, unless nobody listens for its domain, and sends a few requests. */
  async visit(): Promise<void> {
    const known = this.#connection;
    const connection = known ?? (await this.#open());
    if (connection === undefined) return;
    const own = this.#domid === 0 ? VISITOR_PATH : "data/visitor";
    // Each request is sent for itself, so that those of other clients come between.
    const add = (name: OperationName, payload: string, txId = 0): void => {
      connection.send(
        serializeMessage({ type: operationNamed(name).number, requestId: ++this.#requests, txId, payload }),
      );
    };
    if (known === undefined) {
      // Has entries for guests that will be gone before it is.
      add("WRITE", `${own}/kept\0`);
      add("SET_PERMS", `${own}/kept\0${KEPT_PERMS}\0`);
    }
    const isTransaction = this.#random.below(2) === 0;
    const txId = isTransaction ? ++this.#transactions : 0;
    if (isTransaction) {
      add("TRANSACTION_START", "\0");
      add("READ", `${own}/counter\0`, txId);
    }
    for (let count = this.#random.below(REQUESTS_MAX); count > 0; count--) this.#addRequest(add, own, txId);
    if (this.#random.below(2) === 0) add("WRITE", `${own}/counter\0${String(this.#requests)}`, txId);
    const isLeftOpen = this.#random.below(8) === 0;
    // What comes between is not the transaction's, but may be in its way.
    if (isTransaction && this.#random.below(3) === 0) this.#addRequest(add, own, 0);
    if (isTransaction && !isLeftOpen) add("TRANSACTION_END", this.#random.below(6) === 0 ? "F\0" : "T\0", txId);
    if (this.#random.below(VISITS_PER_CLOSE) === 0) this.leave();
  }

  /** Closes the connection at once. */
  leave(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #open(): Promise<TransportConnection | undefined> {
    const transport = this.#world.transport(this.#domid, "visitor");
    const opening = transport.open({
      received: () => undefined,
      closed: () => {
        if (this.#connection === connection) this.#connection = undefined;
      },
    });
    const connection = await opening.catch(() => undefined);
    this.#connection = connection;
    this.#transactions = 0;
    return connection;
  }

  #addRequest(add: (name: OperationName, payload: string, txId?: number) => void, own: string, txId: number): void {
    const choose = <T>(among: readonly T[]): T => among[this.#random.below(among.length)] as T;
    const owned = own + choose(OWN_NAMES);
    const any = this.#random.below(2) === 0 ? owned : choose(OTHERS_PATHS);
    switch (this.#random.below(13)) {
      case 0:
      case 1:
        add("READ", `${any}\0`, txId);
        break;
      case 2:
        add("DIRECTORY", `${any}\0`, txId);
        break;
      case 3:
        add("GET_PERMS", `${any}\0`, txId);
        break;
      case 4:
      case 5:
      case 6: {
        const isLong = this.#random.below(WRITES_PER_LONG) === 0;
        add("WRITE", `${owned}\0${isLong ? LONG_VALUE : String(this.#random.below(3))}`, txId);
        break;
      }
      case 7:
        add("MKDIR", `${owned}\0`, txId);
        break;
      case 8:
        add("RM", `${owned}\0`, txId);
        break;
      case 9:
        add("SET_PERMS", `${owned}\0${choose(PERMS)}\0`, txId);
        break;
      case 10:
        add("WATCH", `${any}\0token ${String(this.#random.below(3))}\0`);
        break;
      case 11:
        add("UNWATCH", `${any}\0token ${String(this.#random.below(3))}\0`);
        break;
      default:
        add("DIRECTORY_PART", `${any}\0${String(this.#random.below(10))}\0`, txId);
        break;
    }
  }
}
