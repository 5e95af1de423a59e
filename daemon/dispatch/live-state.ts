/**
 * What is going on in the core at this moment: connections, open transactions, domains, quotas.
 *
 * Owns the counting and the pages: each answer is bounded, since whoever asks shares the main thread with every client. A page
 * goes on behind the last connection or domain that it told of; both have numbers that grow with those that come later.
 */
import type { ConnectionJson, QuotaJson, TransactionJson } from "../../protocol/http-api/live.js";
import type { Domid, Seq } from "../../protocol/identifiers.js";
import type { Connection } from "../connection/connection.js";
import { QUOTA_NAMES } from "../store/quota.js";
import type { Transaction } from "../store/transaction.js";
import { defaultQuota, quotaOf } from "../store/quota-limit.js";
import type { DomainRecord } from "../store/root.js";
import type { CoreState } from "./state.js";
import { transactionsHeld } from "./transaction-handlers.js";
import { watchesHeld } from "./watch-handlers.js";

/** Which part of a list. */
export interface Page {
  /** Where the page before ended: 0 or its `next`. */
  readonly after: number;
  readonly limit: number;
}

/** A part of a list. */
export interface Paged<Item> {
  readonly items: readonly Item[];
  /** Where to go on; undefined at the end. */
  readonly next: number | undefined;
}

/** A domain. dom0 is not among them: it has no record. */
export interface DomainState {
  readonly domid: Domid;
  readonly record: DomainRecord;
  readonly connections: number;
  readonly nodesOwned: number;
  readonly watches: number;
  readonly transactions: number;
  readonly unreadBytes: number;
  /** How long nothing of it is dispatched now, for being in others' way. */
  readonly heldMicroseconds: number;
}

/** Tells of one core. */
export class LiveState {
  readonly #state: CoreState;

  constructor(state: CoreState) {
    this.#state = state;
  }

  /** The connections, by their age. */
  connections(page: Page): Paged<ConnectionJson> {
    return pageOf(this.#state.connections, page, idOf, (connection) => [connectionState(connection)]);
  }

  /** The open transactions, by the age of their connections; of one connection all on one page, and not more than `TOLD_OF_ONE_MAX`. */
  transactions(page: Page): Paged<TransactionJson> {
    const { seq } = this.#state.store;
    return pageOf(this.#state.connections, page, idOf, (connection) =>
      firstOf(connection.transactions.values(), TOLD_OF_ONE_MAX).map((transaction) =>
        transactionState(connection, transaction, seq),
      ),
    );
  }

  /** The domains, by number. */
  domains(page: Page): Paged<DomainState> {
    const { domains } = this.#state.store.root;
    const entries = [...domains].sort(([left], [right]) => left - right);
    const domidOf = ([domid]: (typeof entries)[number]): number => domid;
    return pageOf(entries, page, domidOf, ([domid, record]) => [domainState(this.#state, domid, record)]);
  }

  /** The quotas of a domain, or the defaults. */
  quotas(domid: Domid | undefined): readonly QuotaJson[] {
    const { root } = this.#state.store;
    const own = domid === undefined ? root.quotas : root.domains.get(domid)?.quotas;
    return QUOTA_NAMES.map((name) => ({
      name,
      limit: domid === undefined ? defaultQuota(root, name) : quotaOf(root, domid, name),
      isOwn: own?.has(name) === true,
    }));
  }
}

/** dom0's connections may have any number of transactions. */
const TOLD_OF_ONE_MAX = 100;

function firstOf<Item>(all: Iterable<Item>, count: number): Item[] {
  const items: Item[] = [];
  for (const item of all) {
    if (items.length === count) break;
    items.push(item);
  }
  return items;
}

const idOf = ({ id }: Connection): number => id;

function connectionState(connection: Connection): ConnectionJson {
  const { id, name, domid, watches, transactions, outbox, eagainStreak } = connection;
  return {
    id,
    name,
    domain: domid,
    watches: watches.size,
    transactions: transactions.size,
    unreadBytes: outbox.unreadBytes,
    eagainStreak,
  };
}

function transactionState({ name, domid }: Connection, transaction: Transaction, seq: Seq): TransactionJson {
  const { id, baseSeq, log, logBytes, isEmpty } = transaction;
  return {
    connection: name,
    domain: domid,
    id,
    base: baseSeq,
    behind: seq - baseSeq,
    requests: log.length,
    logBytes,
    hasChanges: !isEmpty,
  };
}

function domainState(state: CoreState, domid: Domid, record: DomainRecord): DomainState {
  const { store, fairness, now } = state;
  return {
    domid,
    record,
    connections: state.connectionCount(domid),
    nodesOwned: store.accounts.nodesOwned(domid),
    watches: watchesHeld(state, domid),
    transactions: transactionsHeld(state, domid),
    unreadBytes: state.unreadOf(domid).bytes,
    heldMicroseconds: fairness.holdMicroseconds(domid, now),
  };
}

/** @param tell - what a page has of one; a page is full when it has `limit` of that or more */
function pageOf<Each, Item>(
  all: Iterable<Each>,
  { after, limit }: Page,
  numberOf: (each: Each) => number,
  tell: (each: Each) => readonly Item[],
): Paged<Item> {
  const items: Item[] = [];
  let last = after;
  for (const each of all) {
    if (numberOf(each) <= after) continue;
    if (items.length >= limit) return { items, next: last };
    items.push(...tell(each));
    last = numberOf(each);
  }
  return { items, next: undefined };
}
