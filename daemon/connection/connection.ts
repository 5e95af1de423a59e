/**
 * Connections: what the core keeps for one client.
 *
 * Owns a connection's identity, watches, open transactions and output. No I/O: `daemon/server` moves the bytes.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, TxId } from "../../protocol/identifiers.js";
import type { Transaction } from "../store/transaction.js";
import type { Watch } from "../watch/watch-table.js";
import { Outbox } from "./outbox.js";

/** What tells the watches of one connection apart: path and token, joined by a NUL, which neither can contain. */
export function watchKey(watch: { readonly path: ByteString; readonly token: ByteString }): string {
  return `${watch.path}\0${watch.token}`;
}

/** One client's connection. */
export class Connection {
  /** Unique in this run of the daemon. */
  readonly id: number;
  /** How history and log name it, such as `socket-17` or `domain-5-3`. */
  readonly name: string;
  /** The domain that it speaks for; clients of the privileged socket are domain 0. */
  readonly domid: Domid;
  /** By `watchKey`. */
  readonly watches = new Map<string, Watch<Connection>>();
  readonly transactions = new Map<TxId, Transaction>();
  readonly outbox = new Outbox();
  /** What whoever moves its bytes keeps for it; nothing here looks at it. */
  owner: unknown;
  /** The last transaction id that was given out. */
  lastTxId = 0;
  /** How many transactions in a row ended in EAGAIN. */
  eagainStreak = 0;
  /** Whether it is on its way out: nothing more is dispatched for it. */
  closing = false;
  /** Whether a request waits for something slow (CONTROL `flush`): nothing more is dispatched until it is answered. */
  waiting = false;

  constructor(id: number, name: string, domid: Domid) {
    this.id = id;
    this.name = name;
    this.domid = domid;
  }

  /** An unused transaction id: the next one, 1..4294967295 around. */
  nextTxId(): TxId {
    let id = this.lastTxId;
    do id = id >= 0xffff_ffff ? 1 : id + 1;
    while (this.transactions.has(id as TxId));
    this.lastTxId = id;
    return id as TxId;
  }
}
