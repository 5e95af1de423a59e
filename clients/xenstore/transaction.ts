/**
 * Transactions.
 *
 * Owns one open transaction, and the loop that tries again after EAGAIN. Invariants:
 *
 * 1. A transaction stays on the session that started it, and ends with it: a new connection knows nothing of it.
 * 2. TRANSACTION_END is sent once: `T` when the body has succeeded, `F` when it threw or the signal was aborted.
 * 3. The body runs once for each attempt, and nothing of a failed attempt has any effect on the store.
 */
import type { TxId } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";
import type { RequestPayloads } from "../../protocol/payload.js";
import { backoffMilliseconds, type BackoffRange, type Pacing } from "./backoff.js";
import { isXenstoreError, XenstoreError } from "./errors.js";
import { encodeRequest } from "./request.js";
import type { Session } from "./session.js";
import { TreeClient } from "./tree-client.js";

/** How a transaction is tried. */
export interface TransactionOptions {
  /** Ends it with `F`, and the waiting between attempts; the transaction then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Most attempts, at least 1; 100 when left out. */
  readonly attemptsMax?: number;
}

/** The requests on the tree, inside a transaction: they see its snapshot with its own changes. */
export type Transaction = Pick<OpenTransaction, keyof TreeClient | "id">;

const ATTEMPTS_MAX = 100;
const RETRY_RANGE: BackoffRange = { firstMilliseconds: 1, mostMilliseconds: 64 };

/** What a transaction and its requests share. */
interface State {
  readonly session: Session;
  readonly id: TxId;
  readonly signal: AbortSignal | undefined;
  isOver: boolean;
}

async function callInside<Name extends OperationName>(
  state: State,
  operation: Name,
  request: RequestPayloads[Name],
): Promise<string> {
  state.signal?.throwIfAborted();
  const encoded = encodeRequest(operation, request, state.id);
  if (state.isOver) {
    const { subject } = encoded;
    throw new XenstoreError({ operation, subject, code: "ENOENT", reason: "the transaction is over" });
  }
  return state.session.request(encoded);
}

/** An open transaction, which its owner must end with `commit` or `abort`. */
export class OpenTransaction extends TreeClient {
  readonly #state: State;

  constructor(session: Session, id: TxId, signal?: AbortSignal) {
    const state: State = { session, id, signal, isOver: false };
    super((operation, request) => callInside(state, operation, request));
    this.#state = state;
  }

  /** The transaction's id on its connection. */
  get id(): TxId {
    return this.#state.id;
  }

  /** Applies the changes. Rejects with EAGAIN when others changed what it read: nothing was applied, and it is over. */
  async commit(): Promise<void> {
    await this.#end(true);
  }

  /** Gives the changes up. */
  async abort(): Promise<void> {
    await this.#end(false);
  }

  async #end(commit: boolean): Promise<void> {
    const { session, id, isOver } = this.#state;
    const operation = "TRANSACTION_END";
    if (isOver) throw new XenstoreError({ operation, subject: "", code: "ENOENT", reason: "the transaction is over" });
    this.#state.isOver = true;
    await session.request(encodeRequest(operation, { commit }, id));
  }
}

/** Starts transactions and runs `body` in each, until one is applied. */
export async function runTransaction<T>(
  start: (signal: AbortSignal | undefined) => Promise<OpenTransaction>,
  body: (transaction: Transaction) => Promise<T> | T,
  { signal, attemptsMax = ATTEMPTS_MAX }: TransactionOptions,
  pacing: Pacing,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const transaction = await start(signal);
    const result = await runBody(transaction, body, signal);
    try {
      await transaction.commit();
      return result;
    } catch (error) {
      if (!isXenstoreError(error, "EAGAIN")) throw error;
    }
    if (attempt >= attemptsMax) {
      const reason = `given up after ${String(attempt)} attempts: others kept changing what the transaction read`;
      throw new XenstoreError({ operation: "TRANSACTION_END", subject: "", code: "EAGAIN", reason });
    }
    await pacing.delay(
      backoffMilliseconds(attempt, RETRY_RANGE, () => pacing.random()),
      signal,
    );
  }
}

async function runBody<T>(
  transaction: OpenTransaction,
  body: (transaction: Transaction) => Promise<T> | T,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    const result = await body(transaction);
    signal?.throwIfAborted();
    return result;
  } catch (error) {
    // The caller is to see why it failed; that the end failed too, on a connection that is gone, tells nothing more.
    await transaction.abort().catch(() => undefined);
    throw error;
  }
}
