/**
 * How much of everything the core has at this moment.
 *
 * Owns the counting, which goes over all connections: for CONTROL `memreport` and the metrics, not for every request.
 */
import type { TurnCounters } from "../connection/turn-counters.js";
import type { CoreState } from "./state.js";

/** Numbers of things, but where the name says bytes. */
export interface CoreFigures {
  readonly nodes: number;
  readonly domains: number;
  readonly dom0Connections: number;
  readonly guestConnections: number;
  readonly watches: number;
  readonly transactions: number;
  readonly transactionLogBytes: number;
  /** Output that clients have not read. */
  readonly outboxBytes: number;
  /** Of clients that are connected. */
  readonly droppedEvents: number;
  readonly collapsedEvents: number;
  readonly turns: TurnCounters;
}

/** Counts. */
export function coreFigures(state: CoreState): CoreFigures {
  const { store, connections, watches, turnCounters } = state;
  let dom0Connections = 0;
  let transactions = 0;
  let transactionLogBytes = 0;
  let outboxBytes = 0;
  let droppedEvents = 0;
  let collapsedEvents = 0;
  for (const connection of connections) {
    if (connection.domid === 0) dom0Connections++;
    transactions += connection.transactions.size;
    outboxBytes += connection.outbox.unreadBytes;
    droppedEvents += connection.outbox.counters.droppedEvents;
    collapsedEvents += connection.outbox.counters.collapsedEvents;
    for (const transaction of connection.transactions.values()) transactionLogBytes += transaction.logBytes;
  }
  return {
    nodes: store.accounts.nodeCount,
    domains: store.root.domains.size,
    dom0Connections,
    guestConnections: connections.size - dom0Connections,
    watches: watches.count,
    transactions,
    transactionLogBytes,
    outboxBytes,
    droppedEvents,
    collapsedEvents,
    turns: { ...turnCounters },
  };
}
