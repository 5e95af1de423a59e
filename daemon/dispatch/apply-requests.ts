/**
 * Requests on the tree that do not come over the wire: a list of them, made one commit or none.
 *
 * Owns all or nothing. The requests mean what they mean on the wire (`store/tree-request.ts`), with the rights, quotas, watches
 * and history of the connection that they are made for; since nobody comes between, they need no transaction of the store.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import type { Connection } from "../connection/connection.js";
import { REQUEST_RECORDS_MAX } from "../store/commit.js";
import { Draft } from "../store/draft.js";
import { executeTreeRequest, type TreeRequest } from "../store/tree-request.js";
import { treeRequestRecord } from "./request-record.js";
import type { CoreState } from "./state.js";

/** A node as somebody believes that it is. */
export interface Expectation {
  readonly path: Path;
  /** Its value; undefined where there is to be no such node. */
  readonly value: ByteString | undefined;
}

/** What is to be made. */
export interface RequestsOrder {
  /** How the history names who asked. */
  readonly client: string;
  /** What must hold before. */
  readonly expected: readonly Expectation[];
  /** In this order. Paths and values are flat. */
  readonly requests: readonly TreeRequest[];
}

/** What became of it. */
export type RequestsOutcome =
  | { readonly outcome: "committed"; readonly seq: Seq }
  /** Nothing changed and nothing fired. */
  | { readonly outcome: "unchanged" }
  /** The expectations that do not hold, by their place in the list. Nothing was done. */
  | { readonly outcome: "unexpected"; readonly places: readonly number[] }
  /** The first request that failed, by its place in the list. Nothing was done. */
  | { readonly outcome: "failed"; readonly place: number; readonly error: ErrorName }
  | { readonly outcome: "refused"; readonly error: ErrorName };

/** Makes the requests, on behalf of a connection. */
export function applyRequests(
  state: CoreState,
  connection: Connection,
  { client, expected, requests }: RequestsOrder,
): RequestsOutcome {
  const { store } = state;
  const context = state.contextFor(connection);
  const draft = new Draft(store.root, (store.seq + 1) as Seq);
  const places = expected.flatMap(({ path, value }, place) => {
    const reply = executeTreeRequest(draft, { operation: "READ", path }, context);
    const isSo = reply.kind === "value" ? reply.value === value : value === undefined && isMissing(reply);
    return isSo ? [] : [place];
  });
  if (places.length > 0) return { outcome: "unexpected", places };
  for (const [place, request] of requests.entries()) {
    const reply = executeTreeRequest(draft, request, context);
    if (reply.kind === "error") return { outcome: "failed", place, error: reply.error };
  }
  if (draft.isEmpty) return { outcome: "unchanged" };
  const refused = state.commit(draft, {
    connection,
    transaction: requests.length > 1 || expected.length > 0 ? state.nextTxId(connection) : undefined,
    base: store.seq,
    client,
    requests: requests.slice(0, REQUEST_RECORDS_MAX).map(treeRequestRecord),
    requestsOmitted: Math.max(0, requests.length - REQUEST_RECORDS_MAX),
  });
  return refused === undefined ? { outcome: "committed", seq: store.seq } : { outcome: "refused", error: refused };
}

function isMissing(reply: ReturnType<typeof executeTreeRequest>): boolean {
  return reply.kind === "error" && reply.error === "ENOENT";
}
