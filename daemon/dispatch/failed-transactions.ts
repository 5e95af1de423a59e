/**
 * Why a transaction ended in EAGAIN, out of what is remembered of failed requests.
 *
 * Owns which of several with one id is meant, what is told where there is none, and the counts by path.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, TxId } from "../../protocol/identifiers.js";
import type { FailedRequest } from "./failure-log.js";

/** Which transaction is asked about; every connection counts its own. */
export interface FailedTransactionQuestion {
  readonly tx: number;
  readonly domid?: Domid | undefined;
  readonly connection?: string | undefined;
}

/** A transaction that ended in EAGAIN, in short. */
export interface TransactionName {
  readonly transaction: TxId | undefined;
  readonly connection: string;
  readonly domid: Domid;
}

/** What is remembered of it. */
export interface FailedTransactionFacts {
  /** The last one that is meant; undefined where there is none. */
  readonly failure: FailedRequest | undefined;
  /** How many more are meant. */
  readonly others: number;
  /** What the transactions of the domain and connection that are meant had asked for, the most frequent first. */
  readonly paths: readonly { readonly path: ByteString; readonly count: number }[];
  /** Where there is none: the last ones with this id, else the last ones that are remembered, newest first; and of how many. */
  readonly instead: readonly TransactionName[];
  readonly insteadCount: number;
}

const PATHS_LISTED = 20;
const INSTEAD_LISTED = 5;

/** Looks a transaction up. @param failures - newest first */
export function factsOfTransaction(
  failures: readonly FailedRequest[],
  { tx, domid, connection }: FailedTransactionQuestion,
): FailedTransactionFacts {
  const conflicts = failures.filter(({ conflict }) => conflict !== undefined);
  const asked = conflicts.filter(
    (each) =>
      (domid === undefined || each.domid === domid) && (connection === undefined || each.connection === connection),
  );
  const matching = asked.filter(({ transaction }) => transaction === tx);
  const failure = matching[0];
  const sameId = conflicts.filter(({ transaction }) => transaction === tx);
  const instead = failure !== undefined ? [] : sameId.length > 0 ? sameId : conflicts;
  return {
    failure,
    others: Math.max(0, matching.length - 1),
    paths: countByPath(asked),
    instead: instead
      .slice(0, INSTEAD_LISTED)
      .map(({ transaction, ...each }) => ({ transaction, connection: each.connection, domid: each.domid })),
    insteadCount: instead.length,
  };
}

function countByPath(conflicts: readonly FailedRequest[]): FailedTransactionFacts["paths"] {
  const counts = new Map<ByteString, number>();
  for (const { conflict, count } of conflicts) {
    if (conflict !== undefined) counts.set(conflict.path, (counts.get(conflict.path) ?? 0) + count);
  }
  return [...counts]
    .sort(([, left], [, right]) => right - left)
    .slice(0, PATHS_LISTED)
    .map(([path, count]) => ({ path, count }));
}
