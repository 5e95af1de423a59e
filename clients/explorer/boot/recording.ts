/**
 * What was loaded of a stretch of time, before anything is made of it.
 */
import type { ActivityCommit } from "../../../protocol/http-api/activity.js";
import type { FailureJson } from "../../../protocol/http-api/failures.js";
import type { TraceLineJson } from "../../../protocol/http-api/trace.js";

/** The sources that a scene is made from. */
export interface Recording {
  /** Oldest first, without a gap. */
  readonly commits: readonly ActivityCommit[];
  /** In the order of the trace; undefined where the daemon keeps none. */
  readonly lines: readonly TraceLineJson[] | undefined;
  /** Newest first. */
  readonly failures: readonly FailureJson[];
}
