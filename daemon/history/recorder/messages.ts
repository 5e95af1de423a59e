/**
 * What the main thread and the recorder's thread tell each other.
 *
 * Owns the shapes; all are cloneable. One thread records all branches of a repository, so that nothing but it places packs and
 * removes them; each fork has a channel of its own to it, on which the messages are those of main's. Between a `publish` and the `progress` that follows it the main thread sends no other
 * `publish`: a busy daemon appends to the journal ten thousand times a second, and a message each would cost the main
 * thread more than the append.
 */
import type { MessagePort } from "node:worker_threads";
import type { PassedOver } from "../../journal/bad-line.js";
import type { JournalPosition } from "../../journal/journal.js";
import type { MaintenanceProgress } from "./maintenance.js";
import type { RecorderProgress } from "./recorder.js";
import type { IndexedCommit } from "../repository/seq-index-writer.js";
import type { RetentionLimits } from "./retention-plan.js";

/** What the recorder's thread starts with. */
export interface RecorderWorkerData {
  readonly repositoryDirectory: string;
  readonly journalDirectory: string;
  readonly ref: string;
  readonly hostName: string;
  readonly sealMilliseconds: number;
  readonly retirementMillisecondsMin: number;
  readonly retirementMilliseconds: number;
  readonly retention: RetentionLimits;
}

/** A fork that the recorder's thread is to record as well. */
export interface ForkRecorderData {
  /** Absolute. */
  readonly journalDirectory: string;
  /** Full name; it exists. */
  readonly ref: string;
  /** The commit that the fork began with. */
  readonly forkedFrom: IndexedCommit;
}

/** What the recorder's thread has done, and what the repository is like. */
export interface WorkerProgress extends RecorderProgress, MaintenanceProgress {
  /** What the packs placed since the start took to be finished and placed. */
  readonly sealMilliseconds: number;
}

/** To the recorder's thread. */
export type RecorderRequest =
  | { readonly kind: "publish"; readonly position: JournalPosition }
  /** Seal everything up to `position` (nothing was published when it is undefined), then answer with this id. */
  | {
      readonly kind: "flush";
      readonly id: number;
      readonly position: JournalPosition | undefined;
      /** Whether whoever waits for it comes after those who wait for a reply, unless that takes long. */
      readonly isPatient?: boolean;
    }
  /** Drop the history before `revision`, then answer with this id. */
  | { readonly kind: "compact"; readonly id: number; readonly revision: string }
  | { readonly kind: "close" };

/** To the recorder's thread, on main's channel only. */
export type ThreadRequest =
  | RecorderRequest
  /** Record a fork too, and speak of it on this port: first `started` or `startFailure`. */
  | { readonly kind: "fork"; readonly fork: ForkRecorderData; readonly port: MessagePort };

/** From the recorder's thread. */
export type RecorderReport =
  | { readonly kind: "started"; readonly progress: WorkerProgress }
  /** Of a fork, which is not recorded then; what keeps main's recorder from starting ends the thread. */
  | { readonly kind: "startFailure"; readonly reason: string }
  | { readonly kind: "progress"; readonly progress: WorkerProgress }
  | { readonly kind: "sealed"; readonly progress: WorkerProgress }
  | { readonly kind: "flushed"; readonly id: number; readonly progress: WorkerProgress }
  | { readonly kind: "flushFailed"; readonly id: number; readonly reason: string }
  | { readonly kind: "passedOver"; readonly bad: PassedOver }
  /** Of a request; `refusal` says why it makes no sense. */
  | {
      readonly kind: "compacted";
      readonly id: number;
      readonly refusal: string | undefined;
      readonly progress: WorkerProgress;
    }
  | { readonly kind: "compactFailed"; readonly id: number; readonly reason: string }
  /** History was dropped, asked for or not; `text` tells how much, for the log. */
  | { readonly kind: "dropped"; readonly text: string; readonly progress: WorkerProgress }
  /** `isFinal`: nothing is recorded any more; else it is tried again. */
  | { readonly kind: "failure"; readonly reason: string; readonly isFinal: boolean }
  /** Merging or removing packs failed; it is tried again, and recording goes on. */
  | { readonly kind: "maintenanceFailure"; readonly reason: string };
