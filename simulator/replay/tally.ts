/**
 * What came of a replay, counted as it happens.
 *
 * Owns the counts, the latencies and the examples of differences; of those a bounded number, whatever goes wrong.
 */
import type { Answer } from "./raw-session.js";
import { isDifference, type Comparison, type DifferenceKind, type HarmlessKind } from "./compare.js";
import type { TracedReply } from "../../protocol/request-trace.js";
import type { EventDifference } from "./event-balance.js";
import type { PlannedConnection, RequestStep } from "./replay-plan.js";

/** Most examples of each kind. */
const EXAMPLES_MAX = 20;

/** A difference, with the names of the trace. */
export interface DifferenceExample {
  readonly kind: DifferenceKind;
  readonly step: RequestStep;
  /** From 0. */
  readonly copy: number;
  readonly expected: TracedReply | undefined;
  readonly got: Answer;
}

/** Watch events that did not come, or came and are not in the trace, with the names of the trace. */
export interface EventExample extends EventDifference {
  readonly connection: PlannedConnection;
  /** From 0. */
  readonly copy: number;
}

/** Counts of a replay. */
export class ReplayTally {
  requests = 0;
  connections = 0;
  events = 0;
  /** Transactions that were run again after EAGAIN. */
  repeats = 0;
  /** Removals of nodes that copies share, which were not sent. */
  sharedRemovals = 0;
  readonly differences = new Map<DifferenceKind, number>();
  readonly harmless = new Map<HarmlessKind, number>();
  readonly examples: DifferenceExample[] = [];
  readonly differingEvents = { missing: 0, extra: 0 };
  readonly eventExamples: EventExample[] = [];
  /** Connections that could not be opened, as the transport says it. */
  readonly unopened: string[] = [];
  readonly #latencies: number[] = [];

  /** A request was answered. */
  answered(milliseconds: number): void {
    this.requests++;
    this.#latencies.push(milliseconds);
  }

  /** An answer was compared. */
  compared(comparison: Comparison, example: Omit<DifferenceExample, "kind">): void {
    if (comparison === "same") return;
    if (!isDifference(comparison)) {
      this.harmless.set(comparison, (this.harmless.get(comparison) ?? 0) + 1);
      return;
    }
    const count = (this.differences.get(comparison) ?? 0) + 1;
    this.differences.set(comparison, count);
    if (count <= EXAMPLES_MAX) this.examples.push({ ...example, kind: comparison });
  }

  /** Events of a connection were compared. */
  eventsDiffer(example: EventExample): void {
    const { kind, count } = example;
    this.differingEvents[kind] += count;
    if (this.eventExamples.filter((each) => each.kind === kind).length < EXAMPLES_MAX) this.eventExamples.push(example);
  }

  /** How many differences count. */
  get differenceCount(): number {
    return [...this.differences.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The latency within which this share of the requests was answered, in milliseconds; undefined without any. */
  latency(share: number): number | undefined {
    const sorted = Float64Array.from(this.#latencies).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  }
}
