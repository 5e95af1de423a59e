/**
 * What the main thread and a fork's thread tell each other.
 *
 * Owns the messages. A fork answers the questions of the console about its store, as main does (`http/messages.ts`).
 */
import type { MessagePort } from "node:worker_threads";
import type { BranchConfig } from "./branch.js";
import type { CoreQuestions } from "./http/messages.js";
import type { LogFields, LogLevel } from "./platform/log.js";
import type { ListenerKind } from "./server/choose-listener.js";

/** What a fork's thread starts with. */
export interface ForkWorkerData {
  readonly config: Omit<BranchConfig, "redact">;
  /** The commit that it began with, 40 hexadecimal digits. */
  readonly base: string;
  readonly baseSeq: number;
  /** Whether its ref was made a moment ago: then nobody has moved it, and the recorder may load it meanwhile. */
  readonly isNew: boolean;
  /** The globs as they were given. */
  readonly redact: readonly string[];
  /** What carries its sockets. */
  readonly listenerKind: ListenerKind;
}

/** To a fork's thread. */
export type ForkOrder =
  | { readonly kind: "ask"; readonly id: number; readonly name: keyof CoreQuestions; readonly asked: unknown }
  /** The answer to `checked`, and the first order to a new fork: the way to the recorder's thread, which records the fork from now on. */
  | { readonly kind: "record"; readonly recorderPort: MessagePort }
  | { readonly kind: "stop" };

/** From a fork's thread. */
export type ForkReport =
  /** The fork's ref is the fork's: it may be recorded. Before that nobody writes anything. */
  | { readonly kind: "checked" }
  | { readonly kind: "started" }
  | { readonly kind: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly reason: string }
  | { readonly kind: "log"; readonly level: LogLevel; readonly message: string; readonly fields: LogFields | undefined }
  /** All is closed; `isComplete` says whether the recorder has ended in time. */
  | { readonly kind: "stopped"; readonly isComplete: boolean };
