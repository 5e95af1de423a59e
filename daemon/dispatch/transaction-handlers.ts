/**
 * Handlers of TRANSACTION_START and TRANSACTION_END. What a transaction is, is `store/transaction.ts`.
 */
import { REQUEST_CODECS } from "../../protocol/payload.js";
import type { Domid } from "../../protocol/identifiers.js";
import type { Connection } from "../connection/connection.js";
import { exceedsQuota } from "../store/quota-limit.js";
import { Transaction } from "../store/transaction.js";
import type { Handler } from "./call.js";
import { fail, OK } from "./outcome.js";
import { transactionRecords } from "./request-record.js";
import type { CoreState } from "./state.js";

/** TRANSACTION_START. */
export const handleTransactionStart: Handler = ({ state, connection, transaction }) => {
  if (transaction !== undefined) return fail("EBUSY");
  const { store } = state;
  const held = transactionsHeld(state, connection.domid) + 1;
  if (exceedsQuota(store.root, connection.domid, "transactions", held)) return fail("ENOSPC");
  const nodesOwned = store.accounts.nodesOwned(connection.domid);
  const started = new Transaction(state.nextTxId(connection), store.root, store.seq, nodesOwned);
  state.addTransaction(connection, started);
  return `${String(started.id)}\0`;
};

/**
 * TRANSACTION_END. A payload that is neither `T|` nor `F|` leaves the transaction open; whatever else is answered, the
 * transaction is gone.
 */
export const handleTransactionEnd: Handler = ({ state, connection, transaction, payload }) => {
  if (transaction === undefined) return fail("ENOENT");
  const request = REQUEST_CODECS.TRANSACTION_END.parse(payload);
  if (request === undefined) return fail("EINVAL");
  state.removeTransaction(connection, transaction);
  if (!request.commit) return OK;
  const { store } = state;
  const end = transaction.end(store.root, store.seq, state.contextFor(connection));
  if (end.outcome !== "conflict") endStreak(state, connection);
  switch (end.outcome) {
    case "unchanged":
      return OK;
    case "refused":
      return fail(end.error);
    case "conflict":
      state.recordConflict(connection, transaction, end);
      return fail("EAGAIN");
    case "applied": {
      const records = transactionRecords(transaction);
      const details = { connection, transaction: transaction.id, base: transaction.baseSeq, ...records };
      const refused = state.commit(end.draft, details);
      return refused === undefined ? OK : fail(refused);
    }
  }
};

function endStreak({ undo }: CoreState, connection: Connection): void {
  const { eagainStreak } = connection;
  if (eagainStreak === 0) return;
  connection.eagainStreak = 0;
  undo.push(() => {
    connection.eagainStreak = eagainStreak;
  });
}

/** How many transactions a domain has open, on all of its connections. */
export function transactionsHeld(state: CoreState, domid: Domid): number {
  if (domid === 0) return 0;
  let count = 0;
  for (const connection of state.connectionsOf(domid)) count += connection.transactions.size;
  return count;
}
