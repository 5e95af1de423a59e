/**
 * Quotas: what one unprivileged domain may make the daemon hold.
 *
 * Owns the names and the built-in defaults. dom0 is exempt from all. `N` means N are allowed; 0 means unlimited.
 * Source: xenstore.txt, GET_QUOTA/SET_QUOTA; the defaults are those of C xenstored, in its order.
 */

/** The built-in default of each quota, by its name on the wire. */
export const QUOTA_DEFAULTS = {
  /** Nodes owned. */
  nodes: 1000,
  /** Watches. */
  watches: 128,
  /** Transactions open at once. */
  transactions: 10,
  /** Requests received and not yet answered: past it the connection is not read. */
  outstanding: 20,
  /** Distinct nodes that one transaction touches. */
  "transaction-nodes": 1024,
  /** Bytes of a node: value, 8 for each perms entry, each child's name and a NUL. */
  "node-size": 2048,
  /** Entries of a permission list. */
  permissions: 5,
  /** Bytes of output that the client has not read: past it the connection is not read and events are dropped. */
  memory: 2.5 * 1024 * 1024,
} as const;

/** The name of a quota on the wire. */
export type QuotaName = keyof typeof QUOTA_DEFAULTS;

/** The names of all quotas, in the order in which they are listed. */
export const QUOTA_NAMES = Object.keys(QUOTA_DEFAULTS) as readonly QuotaName[];

/** Whether `text` names a quota. */
export function isQuotaName(text: string): text is QuotaName {
  return Object.hasOwn(QUOTA_DEFAULTS, text);
}
