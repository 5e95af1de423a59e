/**
 * Changes of the tree by HTTP, as clients of the wire protocol make them: with dom0's rights, watches and history.
 *
 * Owns the routes with their bodies and answers. What makes no sense is refused with status 400, what cannot be done as things
 * are with 409; nothing is done then.
 */
import { XENSTORE_PAYLOAD_MAX } from "../limits.js";
import type { ValueJson } from "./value.js";

/**
 * `PUT /v1/tree/PATH`: write a node, make it where it is missing, with all that is missing above; `DELETE` removes it and what is
 * below. PATH is without its first slash. Both take `branch`, main unless given, as a parameter.
 */
export const TREE_CHANGE_ROUTE = "/v1/tree/";

/** What a node is to be; at least one of the two. */
export type NodePut = (ValueJson | Readonly<Record<"value" | "valueBase64", undefined>>) & {
  /** As on the wire, the owner's first: `n0`, `r5`. As they are, or inherited, unless given. */
  readonly perms?: readonly string[] | undefined;
};

/** `POST /v1/transactions`: all of the writes, or none. */
export interface TransactionRequest {
  /** What must hold when they are made. */
  readonly reads?: readonly NodeRead[] | undefined;
  /** In this order. */
  readonly writes: readonly TreeWrite[];
  /** On which branch; main unless given. */
  readonly branch?: string | undefined;
}

/** Where it is asked for. */
export const TRANSACTIONS_ROUTE = "/v1/transactions";

/** A node as it is to be: with this value, or missing. */
export type NodeRead = { readonly path: string } & (ValueJson | { readonly absent: true });

/** A request of the wire protocol. */
export type TreeWrite =
  | ({ readonly op: "write"; readonly path: string } & ValueJson)
  | { readonly op: "mkdir" | "rm"; readonly path: string }
  | { readonly op: "setPerms"; readonly path: string; readonly perms: readonly string[] };

/** Most reads, and most writes, of a transaction. */
export const TRANSACTION_ITEMS_MAX = 1000;

/** Most bytes of path and value together: what a client of the wire protocol can write. */
export const WRITE_BYTES_MAX: number = XENSTORE_PAYLOAD_MAX - 1;

/** What became of it. It is safe when it is told; the history has it within a second, or when somebody asks for it. */
export interface WriteAnswer {
  /** `unchanged`: nothing changed, and no watch fired. */
  readonly outcome: "committed" | "unchanged";
  readonly branch: string;
  /** Of the commit: `@{SEQ}` is the revision. */
  readonly seq?: number | undefined;
}
