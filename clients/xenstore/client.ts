/**
 * The client: every operation of XenStore as a promise.
 *
 * Owns what users of the library call. A request is sent at once and pipelined: await its promise before the next request
 * only where the order of *results* matters to you; the daemon carries requests of one connection out in order.
 *
 * Paths, values, names and tokens are byte strings (`protocol/bytes.ts`): one character for each byte. Paths are ASCII and
 * look like any string. For values that are text use `readText` and `writeText`.
 *
 * After a lost connection the client reconnects and registers its watches again. Requests and transactions that were under
 * way fail with `ConnectionLostError`; requests made meanwhile wait for the new connection.
 *
 *     const client = await connectXenstore(socketTransport("/run/xenstored/socket"));
 *     await client.writeText("/local/domain/5/name", "vm5");
 *     await client.transaction(async (transaction) => {
 *       const count = Number(await transaction.read("/count"));
 *       await transaction.write("/count", String(count + 1));
 *     });
 *     for await (const event of await client.watch("/local/domain")) console.log(event.path);
 */
import type { ByteString } from "../../protocol/bytes.js";
import { parseDecimal, type Domid, type TxId } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";
import type { RequestPayloads } from "../../protocol/payload.js";
import { machinePacing, type Pacing } from "./backoff.js";
import { ProtocolError } from "./errors.js";
import { openLink, type Link } from "./link.js";
import { encodeRequest } from "./request.js";
import { withoutNul } from "./session.js";
import { OpenTransaction, runTransaction, type Transaction, type TransactionOptions } from "./transaction.js";
import type { Transport } from "./transport.js";
import { TreeClient } from "./tree-client.js";
import type { Watch, WatchOptions } from "./watch.js";

/** How a client behaves. */
export interface ClientOptions {
  /** Whether to reconnect when the connection is lost; yes when left out. */
  readonly reconnect?: boolean;
  /** Most attempts to reconnect, with up to 2 seconds between them; 60 when left out. */
  readonly reconnectAttemptsMax?: number;
  /** Clock and randomness; the machine's when left out. */
  readonly pacing?: Pacing;
}

/** A domain as INTRODUCE names it. */
export interface Introduction {
  readonly domid: number;
  /** Frame of the domain's shared page. */
  readonly gfn: number;
  /** Event channel, above 0. */
  readonly port: number;
}

const RECONNECT_ATTEMPTS_MAX = 60;

/** Connects to a daemon. Rejects when that is not possible. */
export async function connectXenstore(transport: Transport, options: ClientOptions = {}): Promise<XenstoreClient> {
  const { reconnect = true, reconnectAttemptsMax = RECONNECT_ATTEMPTS_MAX, pacing = machinePacing } = options;
  const link = await openLink(transport, { reconnectAttemptsMax: reconnect ? reconnectAttemptsMax : 0, pacing });
  return new XenstoreClient(link, pacing);
}

function checkDomid(domid: number): Domid {
  if (Number.isInteger(domid) && domid >= 0 && domid <= 0xffff) return domid as Domid;
  throw new RangeError(`${String(domid)} is no domain id; it is an integer from 0 to 65535`);
}

/** A client of a xenstored. Made by `connectXenstore`. */
export class XenstoreClient extends TreeClient {
  readonly #link: Link;
  readonly #pacing: Pacing;

  constructor(link: Link, pacing: Pacing) {
    super((operation, request) => link.request(encodeRequest(operation, request, 0)));
    this.#link = link;
    this.#pacing = pacing;
  }

  /**
   * Runs `body` in a transaction and applies its changes, all or none; resolves to what `body` returned.
   *
   * When others have changed what it read, `body` runs again in a new transaction, after a delay that grows: it must have
   * no other effects than through the transaction. When it throws, nothing is applied and its error is passed on.
   */
  async transaction<T>(
    body: (transaction: Transaction) => Promise<T> | T,
    options: TransactionOptions = {},
  ): Promise<T> {
    return runTransaction((signal) => this.#start(signal), body, options, this.#pacing);
  }

  /** Starts a transaction that the caller ends, and tries again, by itself. */
  async startTransaction(): Promise<OpenTransaction> {
    return this.#start(undefined);
  }

  /**
   * Watches a node and all below it, or `@introduceDomain` or `@releaseDomain`. Resolves when the daemon has accepted the
   * watch, whose first event comes at once, whether or not there was a change.
   */
  async watch(path: ByteString, options: WatchOptions = {}): Promise<Watch> {
    return this.#link.watch(path, options);
  }

  /** Removes all watches of this client and ends its transactions; its `Watch` objects end. */
  async resetWatches(): Promise<void> {
    await this.#link.resetWatches();
  }

  /** The path below which a domain's relative paths are. The domain need not exist. */
  async getDomainPath(domid: number): Promise<ByteString> {
    return withoutNul(await this.#call("GET_DOMAIN_PATH", { domid: checkDomid(domid) }));
  }

  /** Whether a domain is known to the daemon. */
  async isDomainIntroduced(domid: number): Promise<boolean> {
    const reply = withoutNul(await this.#call("IS_DOMAIN_INTRODUCED", { domid: checkDomid(domid) }));
    if (reply === "T" || reply === "F") return reply === "T";
    throw new ProtocolError("the daemon's reply to IS_DOMAIN_INTRODUCED is neither T nor F");
  }

  /** Makes a domain known to the daemon. */
  async introduce({ domid, gfn, port }: Introduction): Promise<void> {
    await this.#call("INTRODUCE", { domid: checkDomid(domid), gfn, port });
  }

  /** Makes the daemon forget a domain. */
  async release(domid: number): Promise<void> {
    await this.#call("RELEASE", { domid: checkDomid(domid) });
  }

  /** Tells the daemon that a domain goes on after it was shut down. */
  async resume(domid: number): Promise<void> {
    await this.#call("RESUME", { domid: checkDomid(domid) });
  }

  /** Gives a domain the rights of another one, its target. */
  async setTarget(domid: number, target: number): Promise<void> {
    await this.#call("SET_TARGET", { domid: checkDomid(domid), target: checkDomid(target) });
  }

  /** The features that a domain is offered, a bit set; without a domain, those that the daemon has. */
  async getFeature(domid?: number): Promise<number> {
    const request = domid === undefined ? {} : { domid: checkDomid(domid) };
    return readDecimal("GET_FEATURE", await this.#call("GET_FEATURE", request));
  }

  /** Sets the features that a domain is offered, a bit set; before it is introduced. */
  async setFeature(domid: number, features: number): Promise<void> {
    await this.#call("SET_FEATURE", { domid: checkDomid(domid), features });
  }

  /** The names of the quotas that the daemon has. */
  async listQuotas(): Promise<ByteString[]> {
    const names = withoutNul(await this.#call("GET_QUOTA", {}));
    return names.split(" ").filter((name) => name !== "");
  }

  /** A domain's quota, 0 for unlimited; without a domain, the default for new ones. */
  async getQuota(quota: ByteString, domid?: number): Promise<number> {
    const request = domid === undefined ? { quota } : { quota, domid: checkDomid(domid) };
    return readDecimal("GET_QUOTA", await this.#call("GET_QUOTA", request));
  }

  /** Sets a domain's quota, 0 for unlimited; without a domain, the default for new ones. */
  async setQuota(quota: ByteString, value: number, domid?: number): Promise<void> {
    const request = domid === undefined ? { quota, value } : { quota, value, domid: checkDomid(domid) };
    await this.#call("SET_QUOTA", request);
  }

  /** Sends a command to the daemon; resolves to its reply, text for people as a byte string. `help` lists what there is. */
  async control(command: ByteString, ...parameters: readonly ByteString[]): Promise<ByteString> {
    return withoutNul(await this.#call("CONTROL", { command, parameters }));
  }

  /** Ends the connection. Requests under way fail with `ConnectionLostError`; watches end. */
  close(): void {
    this.#link.close();
  }

  async #call<Name extends OperationName>(operation: Name, request: RequestPayloads[Name]): Promise<ByteString> {
    return this.#link.request(encodeRequest(operation, request, 0));
  }

  async #start(signal: AbortSignal | undefined): Promise<OpenTransaction> {
    const session = await this.#link.session();
    const reply = await session.request(encodeRequest("TRANSACTION_START", {}, 0));
    const id = readDecimal("TRANSACTION_START", reply);
    if (id === 0 || id > 0xffff_ffff) throw new ProtocolError(`the daemon named a transaction ${String(id)}`);
    return new OpenTransaction(session, id as TxId, signal);
  }
}

function readDecimal(operation: OperationName, payload: ByteString): number {
  const value = parseDecimal(withoutNul(payload));
  if (value === undefined) throw new ProtocolError(`the daemon's reply to ${operation} is no number`);
  return value;
}
