/**
 * All or nothing, for commands that take several paths.
 *
 * Owns the choice: one request needs no transaction, several do, as in the xenstore-* tools.
 */
import type { XenstoreClient } from "../../xenstore/client.js";
import type { Transaction } from "../../xenstore/transaction.js";

/** The requests on the tree, inside a transaction or not. */
export type Tree = Omit<Transaction, "id">;

/** Runs `requests`: in a transaction, again after a conflict, when there is more than one. */
export async function together<T>(
  client: XenstoreClient,
  requestCount: number,
  requests: (tree: Tree) => Promise<T>,
): Promise<T> {
  return requestCount > 1 ? client.transaction(requests) : requests(client);
}
