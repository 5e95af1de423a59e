/**
 * Traces: XenStore traffic of several clients, in order.
 *
 * Owns what a trace is. Its text form is parsed by `parser.ts` and described in the README beside this file; it is played
 * by `player.ts`.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import type { Domid } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";

/** A client whose traffic the trace holds. */
export interface Actor {
  readonly name: string;
  /** The domain that it runs in, and so the socket that it connects to. */
  readonly domid: Domid;
  /** `kept`: one connection for all requests; `each`: a new one for every request, as a script calls a tool. */
  readonly connection: "kept" | "each";
}

/** A request with the reply that is due. */
export interface RequestStep {
  readonly kind: "request";
  /** Line of the file, from 1. */
  readonly line: number;
  readonly actor: Actor;
  /** Whether it runs in the transaction that its actor has open. */
  readonly inTransaction: boolean;
  readonly operation: OperationName;
  readonly payload: ByteString;
  /** The error that is due, undefined where the request is to succeed. */
  readonly error: ErrorName | undefined;
}

/** A watch event that is due: some earlier request caused it. */
export interface EventStep {
  readonly kind: "event";
  /** Line of the file, from 1. */
  readonly line: number;
  /** Who is told. */
  readonly actor: Actor;
  /** As the actor is told it: relative where the watch was set so. */
  readonly path: ByteString;
  readonly token: ByteString;
}

/** One line of traffic. */
export type Step = RequestStep | EventStep;

/** A part of the traffic that has a purpose of its own. */
export interface Phase {
  readonly name: string;
  /** A short sentence for people. */
  readonly purpose: string;
  readonly steps: readonly Step[];
}

/** A whole trace. */
export interface Trace {
  readonly phases: readonly Phase[];
}
