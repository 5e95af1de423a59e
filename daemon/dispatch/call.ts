/**
 * Calls: one request on its way through a handler.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Message } from "../../protocol/message.js";
import type { Connection } from "../connection/connection.js";
import type { Transaction } from "../store/transaction.js";
import type { Outcome } from "./outcome.js";
import type { CoreState } from "./state.js";

/** One request, its type, privilege and transaction already checked. */
export interface Call {
  readonly state: CoreState;
  readonly connection: Connection;
  readonly message: Message;
  readonly payload: ByteString;
  /** The transaction that the header names, if any. */
  readonly transaction: Transaction | undefined;
}

/** Carries out one operation. May throw only for a mistake in the program; the request then answers EIO. */
export type Handler = (call: Call) => Outcome;
