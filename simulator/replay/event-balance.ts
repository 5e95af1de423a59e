/**
 * The watch events of one connection in a replay, compared with those that it had in the trace.
 *
 * Owns how many of each path and token are still to come, or came too many. Their order is not compared: it is that of the
 * changes of all clients, which no replay repeats.
 *
 *   worked example: the trace has /a twice and /b once, and /a and /c come: one /a and one /b are missing, /c is extra.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid } from "../../protocol/identifiers.js";

/** A watch event, as its client is told of it. */
export interface TracedWatchEvent {
  readonly path: ByteString;
  readonly token: ByteString;
}

/** Events of one path and token that are missing, or that came and are not in the trace. */
export interface EventDifference extends TracedWatchEvent {
  readonly kind: "missing" | "extra";
  readonly count: number;
}

/** What a connection's events are compared with. */
export interface EventsInTrace {
  /** Whose connection it is: a path that is relative is below its domain's. */
  readonly domid: Domid;
  readonly events: readonly TracedWatchEvent[];
  /** Absolute paths whose events are not due. */
  readonly shared: ReadonlySet<ByteString>;
}

/** What came and what is due. */
export class EventBalance {
  /** Resolves when all events of the trace have come; those that come too many do not matter. */
  readonly complete: Promise<void>;
  readonly #domid: Domid;
  /** By path and token: above 0 for what is due, below for what came too many. */
  readonly #due = new Map<string, number>();
  #missing = 0;
  #complete: () => void = () => undefined;

  constructor({ domid, events, shared }: EventsInTrace) {
    this.#domid = domid;
    this.complete = new Promise((resolve) => {
      this.#complete = resolve;
    });
    for (const event of events) {
      if (shared.has(this.#absolute(event.path))) continue;
      this.#add(event, 1);
      this.#missing++;
    }
    if (this.#missing === 0) this.#complete();
  }

  /** Takes an event, with the names of the trace. */
  came(event: TracedWatchEvent): void {
    if (this.#add(event, -1) < 0) return;
    if (--this.#missing === 0) this.#complete();
  }

  differences(): readonly EventDifference[] {
    return [...this.#due].flatMap(([key, due]) => {
      const [path = "", token = ""] = key.split("\0");
      return due === 0 ? [] : [{ kind: due > 0 ? "missing" : "extra", count: Math.abs(due), path, token }];
    });
  }

  /** @returns how many are due then */
  #add({ path, token }: TracedWatchEvent, count: number): number {
    const key = `${this.#absolute(path)}\0${token}`;
    const due = (this.#due.get(key) ?? 0) + count;
    this.#due.set(key, due);
    return due;
  }

  /** A guest's event has a relative path, and an absolute one where dom0 watches in its place. */
  #absolute(path: ByteString): ByteString {
    return /^[/@]/.test(path) ? path : `/local/domain/${String(this.#domid)}/${path}`;
  }
}
