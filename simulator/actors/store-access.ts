/**
 * A connection as actors use it: the client library, with the answers that drivers and toolstacks give to its errors.
 *
 * Owns going on after a lost connection. A real host does not survive the end of its xenstored; ours does, since a daemon
 * that is restarted must find everybody again. What actors read they read anew, so a request that was under way is asked once
 * more on the next connection, and a transaction begins anew.
 *
 * What was under way may have been carried out: all that is known is that its reply is lost. So what is written may be
 * written twice, the second time after others have acted on the first. Where one actor alone writes a node and nobody answers
 * to it, that makes no difference. Where others answer, it does: new devices are made with `transactionOnce`, and
 * `runXlShutdown` does not count on an answer to its second request.
 */
import type { XenstoreClient } from "../../clients/xenstore/client.js";
import { ConnectionLostError, isXenstoreError } from "../../clients/xenstore/errors.js";
import type { Transaction } from "../../clients/xenstore/transaction.js";
import type { Watch, WatchEvent } from "../../clients/xenstore/watch.js";
import type { Domid } from "../../protocol/identifiers.js";
import type { Perms } from "../../protocol/perms.js";

/** How often one request is asked again. The client library waits for the daemon each time. */
const LOSSES_MAX = 10;

/** Requests of an actor on one connection. Each fails with an `XenstoreError` when the daemon refuses it. */
export class StoreAccess {
  readonly #client: XenstoreClient;
  #isClosed = false;

  constructor(client: XenstoreClient) {
    this.#client = client;
  }

  /** The value of a node; undefined when there is none, or none that may be seen. */
  async read(path: string): Promise<string | undefined> {
    return this.#again(() => ifVisible(this.#client.read(path)));
  }

  /** The names of a node's children; undefined when there is no node, or none that may be seen. */
  async directory(path: string): Promise<readonly string[] | undefined> {
    return this.#again(() => ifVisible(this.#client.directory(path)));
  }

  /** The perms of a node; undefined when there is no node, or none that may be seen. */
  async getPerms(path: string): Promise<Perms | undefined> {
    return this.#again(() => ifVisible(this.#client.getPerms(path)));
  }

  /** Makes a node; nothing when it is there. */
  async mkdir(path: string): Promise<void> {
    await this.#again(() => this.#client.mkdir(path));
  }

  async write(path: string, value: string): Promise<void> {
    await this.#again(() => this.#client.write(path, value));
  }

  /** Removes a node; nothing when there is none, nor a parent of it. */
  async remove(path: string): Promise<void> {
    await this.#again(() => ifVisible(this.#client.rm(path)));
  }

  async getDomainPath(domid: Domid): Promise<string> {
    return this.#again(() => this.#client.getDomainPath(domid));
  }

  async introduce(domid: Domid, gfn: number, port: number): Promise<void> {
    await this.#again(() => this.#client.introduce({ domid, gfn, port }));
  }

  async release(domid: Domid): Promise<void> {
    await this.#again(() => this.#client.release(domid));
  }

  async resetWatches(): Promise<void> {
    await this.#again(() => this.#client.resetWatches());
  }

  async control(command: string, ...parameters: readonly string[]): Promise<string> {
    return this.#again(() => this.#client.control(command, ...parameters));
  }

  /** Runs `body` in transactions until one is applied. */
  async transaction(body: (transaction: Transaction) => Promise<void>): Promise<void> {
    await this.#again(() => this.#client.transaction(body));
  }

  /**
   * Runs `body` in transactions until one is applied, and in none once one was: what others have made of it since must not be
   * undone. When the connection is lost before the last reply came, whether it was is not known, and is looked up.
   *
   * @param wasApplied - whether what the transaction makes is there
   */
  async transactionOnce(
    body: (transaction: Transaction) => Promise<void>,
    wasApplied: () => Promise<boolean>,
  ): Promise<void> {
    let attempts = 0;
    await this.#again(async () => {
      if (attempts++ > 0 && (await wasApplied())) return;
      await this.#client.transaction(body);
    });
  }

  /** Runs `body` in transactions until it has one given up or one is applied. */
  async transactionIf<T>(
    body: (transaction: Transaction) => Promise<{ readonly apply: boolean; readonly result: T }>,
  ): Promise<T> {
    return this.#again(async () => {
      try {
        return await this.#client.transaction(async (transaction) => {
          const { apply, result } = await body(transaction);
          if (!apply) throw new GivenUp(result);
          return result;
        });
      } catch (error) {
        if (error instanceof GivenUp) return error.result as T;
        throw error;
      }
    });
  }

  /** Runs `body` in a transaction that is given up. */
  async inspect<T>(body: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.transactionIf(async (transaction) => ({ apply: false, result: await body(transaction) }));
  }

  /** Watches a path; `onEvent` is called for each event, in the order of all events of the connection. */
  async watch(path: string, token: string, onEvent: (event: WatchEvent) => void): Promise<Watch> {
    return this.#again(() => this.#client.watch(path, { token, onEvent }));
  }

  close(): void {
    this.#isClosed = true;
    this.#client.close();
  }

  async #again<T>(request: () => Promise<T>): Promise<T> {
    for (let losses = 0; ; losses++) {
      try {
        return await request();
      } catch (error) {
        if (!(error instanceof ConnectionLostError) || this.#isClosed || losses === LOSSES_MAX) throw error;
      }
    }
  }
}

/** Carries a result out of a transaction that is not to be applied: an error is what has the library end it with `F`. */
class GivenUp extends Error {
  readonly result: unknown;

  constructor(result: unknown) {
    super("the transaction is not to be applied");
    this.result = result;
  }
}

/** Removes a node inside a transaction; nothing when there is none, nor a parent of it. Toolstacks do not look at the reply. */
export async function removeIfPresent(transaction: Transaction, path: string): Promise<void> {
  await ifVisible(transaction.rm(path));
}

/** The value of a node within a transaction; undefined when there is none, or none that may be seen. */
export async function readIfVisible(transaction: Transaction, path: string): Promise<string | undefined> {
  return ifVisible(transaction.read(path));
}

/** What a request answers; undefined when there is no node, or none that may be seen. */
async function ifVisible<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    // A driver that may not see a node makes no difference between this and a node that is not there.
    if (isXenstoreError(error, "ENOENT", "EACCES")) return undefined;
    throw error;
  }
}
