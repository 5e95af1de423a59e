/**
 * The observer port: who is told what clients are answered and sent.
 *
 * Owns the interface. The core calls it where output enters an outbox, which is the one place that knows the order in which
 * a client sees replies and events, and which events were dropped or collapsed instead. What it is told within a tick
 * counts when the tick has ended; `tickUndone` says that none of it was let out, and that the same requests follow again.
 *
 *   tickBegan ─► answered, delivered, opened … ─► tickEnded
 *            └──► tickUndone ─► answered, delivered … ─► tickEnded
 *
 * `opened` may come at any time, and is not undone; `closed` comes between ticks. Calls are quick and cannot fail.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import type { Microseconds, Seq } from "../../protocol/identifiers.js";
import type { Connection } from "../connection/connection.js";

/** A request, as it was asked. */
export interface ObservedRequest {
  readonly type: number;
  readonly txId: number;
  readonly payload: ByteString;
}

/** What became of a request besides its reply. */
export interface ObservedCircumstances {
  /** The commit that it made. */
  readonly seq: Seq | undefined;
  /** The time of the tick in which it was asked, when it is answered in a later one. */
  readonly asked: Microseconds | undefined;
}

/** Is told what clients are answered and sent. */
export interface RequestObserver {
  opened(connection: Connection): void;
  closed(connection: Connection): void;
  tickBegan(now: Microseconds): void;
  answered(
    connection: Connection,
    request: ObservedRequest,
    reply: ByteString | { readonly error: ErrorName },
    circumstances: ObservedCircumstances,
  ): void;
  /** A watch event entered the connection's outbox. */
  delivered(connection: Connection, path: ByteString, token: ByteString): void;
  tickUndone(): void;
  tickEnded(): void;
}
