/**
 * What a question is asked of.
 */
import type { Microseconds } from "../../../protocol/identifiers.js";
import type { Clock } from "../../platform/clock.js";
import type { FoundCommit } from "../repository/find-commit.js";
import type { HistoryView } from "./history.js";
import { resolveRevision } from "./resolve-revision.js";
import { BeforeHistoryError } from "./revision.js";

/** A history as of one moment, and when it was asked. */
export interface Question {
  readonly view: HistoryView;
  /** What `ago` is counted from. */
  readonly now: Microseconds;
  readonly clock: Pick<Clock, "monotonicMilliseconds">;
}

/** The commit that a revision names, for where to begin: undefined for a time before the history, which leaves nothing out. */
export function beginningOf({ view, now }: Question, revision: string): FoundCommit | undefined {
  try {
    return resolveRevision(view, revision, now);
  } catch (error) {
    if (error instanceof BeforeHistoryError) return undefined;
    throw error;
  }
}
