/**
 * What the main thread and the request trace's thread tell each other.
 *
 * Owns the shapes; all are cloneable. A segment's memory is seen by both threads: it belongs to the trace's thread from
 * `take` to the `taken` that answers it, and to the main thread else.
 */
import type { Seq } from "../../protocol/identifiers.js";
import type { LogLevel } from "../platform/log.js";

/** What the trace's thread starts with. */
export interface TraceWorkerData {
  /** Absolute path of the trace's file. */
  readonly path: string;
  readonly bytesMax: number;
  readonly filesMax: number;
  /** The daemon's version. */
  readonly daemon: string;
}

/** To the trace's thread; `start` comes first, and `close` last. */
export type TraceRequest =
  /** The state is loaded; `seq` is that of the last commit. */
  | { readonly kind: "start"; readonly seq: Seq }
  | { readonly kind: "take"; readonly memory: SharedArrayBuffer; readonly length: number }
  | { readonly kind: "reopen" }
  /** `dropped`: how many records are missing at the end. */
  | { readonly kind: "close"; readonly dropped: number };

/** From the trace's thread. */
export type TraceReport =
  /** The file is open. */
  | { readonly kind: "opened" }
  /** The file cannot be opened, in words for people; the thread ends. */
  | { readonly kind: "refused"; readonly reason: string }
  /** The lines of the oldest segment are written, or dropped. */
  | { readonly kind: "taken" }
  | { readonly kind: "log"; readonly level: LogLevel; readonly key: string; readonly message: string };
