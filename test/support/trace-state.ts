/**
 * What the requests of a trace leave in the store, without any daemon.
 *
 * Owns the playing of a trace on the naive model. A reply that the trace does not expect is an error: the state would not be
 * the one that the trace means.
 */
import { OPERATIONS } from "../../protocol/operation.js";
import type { Actor, RequestStep, Trace } from "../../simulator/trace/trace.js";
import { Model, type ModelConnection } from "../../simulator/checker/model/model.js";
import type { ModelState } from "../../simulator/checker/model/state.js";

const OPERATION_TYPES = new Map<string, number>(OPERATIONS.map(({ name, number }) => [name, number]));

/** The state after the last request of a phase. */
export function stateAfter(trace: Trace, lastPhase: string): ModelState {
  const model = new Model();
  const connections = new Map<Actor, ModelConnection>();
  const transactions = new Map<Actor, number>();
  const play = ({ actor, operation, payload, inTransaction, error, line }: RequestStep): void => {
    const connection = connections.get(actor) ?? model.connect(actor.domid);
    connections.set(actor, connection);
    const isWithin = inTransaction || operation === "TRANSACTION_END";
    const txId = isWithin ? (transactions.get(actor) ?? 0) : 0;
    const type = OPERATION_TYPES.get(operation) ?? -1;
    const reply = model.receive(connection, { type, requestId: 0, txId, payload });
    const met = typeof reply === "object" ? reply.error : undefined;
    if (met !== error)
      throw new Error(`line ${String(line)} of the trace: ${met ?? "success"}, not ${error ?? "success"}`);
    if (operation === "TRANSACTION_START" && typeof reply === "string") {
      transactions.set(actor, Number.parseInt(reply, 10));
    }
  };
  for (const { name, steps } of trace.phases) {
    for (const step of steps) if (step.kind === "request") play(step);
    if (name === lastPhase) return model.state;
  }
  throw new Error(`the trace has no phase ${lastPhase}`);
}
