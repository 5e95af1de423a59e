/**
 * What goes on in a running daemon, which no commit tells: connections, open transactions, domains, quotas.
 *
 * Owns the routes with their answers. All take `branch`, main unless given; lists have pages.
 */
import type { DomainRecordJson } from "./commit.js";

/** Which part of a list. */
export interface ListQuery {
  /** At most so many, `LIVE_PAGE_MAX` unless given. */
  readonly limit?: number | undefined;
  /** Where the page before this one ended: its `next`. */
  readonly cursor?: number | undefined;
  readonly branch?: string | undefined;
}

/** Most of what a page has. */
export const LIVE_PAGE_MAX = 1000;

/** A client's connection. */
export interface ConnectionJson {
  readonly id: number;
  /** As the history names it. */
  readonly name: string;
  readonly domain: number;
  readonly watches: number;
  readonly transactions: number;
  /** Output that it has not read. */
  readonly unreadBytes: number;
  /** How many transactions in a row ended in EAGAIN. */
  readonly eagainStreak: number;
}

/** `GET /v1/connections`: by age. */
export interface ConnectionsPage {
  readonly connections: readonly ConnectionJson[];
  readonly next?: number | undefined;
}

/** A transaction that has not ended. */
export interface TransactionJson {
  readonly connection: string;
  readonly domain: number;
  readonly id: number;
  /** The last commit that it sees. */
  readonly base: number;
  /** Commits since. */
  readonly behind: number;
  readonly requests: number;
  /** Memory that it holds. */
  readonly logBytes: number;
  readonly hasChanges: boolean;
}

/** `GET /v1/transactions`: by the age of their connections; a page may have a few more than its limit, and of a connection it tells the 100 oldest. */
export interface TransactionsPage {
  readonly transactions: readonly TransactionJson[];
  readonly next?: number | undefined;
}

/** A guest, or a domain that is yet to be introduced. */
export interface DomainJson extends DomainRecordJson {
  readonly domain: number;
  readonly connections: number;
  readonly nodesOwned: number;
  readonly watches: number;
  readonly transactions: number;
  readonly unreadBytes: number;
  /** How long nothing of it is served now, for being in others' way. */
  readonly heldSeconds: number;
}

/** `GET /v1/domains`: by number. */
export interface DomainsPage {
  readonly domains: readonly DomainJson[];
  readonly next?: number | undefined;
}

/** `GET /v1/quotas` */
export interface QuotasQuery {
  /** The defaults unless given. */
  readonly domain?: number | undefined;
  readonly branch?: string | undefined;
}

/** Limits in force. */
export interface QuotasAnswer {
  readonly quotas: readonly QuotaJson[];
}

/** A limit. */
export interface QuotaJson {
  readonly name: string;
  /** 0 is unlimited. */
  readonly limit: number;
  /** Whether it was set for this domain; for the defaults, whether it was set at all. */
  readonly isOwn: boolean;
}

/** Where each is asked. */
export const LIVE_ROUTES = {
  connections: "/v1/connections",
  transactions: "/v1/transactions",
  domains: "/v1/domains",
  quotas: "/v1/quotas",
} as const;
