/**
 * What a question is asked of, and which errors are the fault of who asks.
 */
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../../protocol/identifiers.js";
import type { Clock } from "../../platform/clock.js";
import { hexFromOid, type Oid } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { ifPresent } from "../repository/peel.js";
import { isForeignHistory, type HistoryView } from "./history.js";
import { resolveRevision } from "./resolve-revision.js";
import { BeforeHistoryError, RevisionError } from "./revision.js";

/** Longest that one page of an answer is worked on; what was found by then is told, and where to go on. */
export const PAGE_MILLISECONDS_MAX = 100;

/** A history as of one moment, and when it was asked. */
export interface Question {
  readonly view: HistoryView;
  /** What `ago` is counted from. */
  readonly now: Microseconds;
  readonly clock: Pick<Clock, "monotonicMilliseconds">;
  /** The branch at hand: whose newest commit HEAD is, and whose commits `@{1234}` are; main unless given. */
  readonly branch?: string | undefined;
  /**
   * Where more time makes an answer better it may take so long, `PATIENCE_MILLISECONDS` unless given. Who gives it waits alone, so
   * nothing is broken off either because others wait.
   */
  readonly patienceMilliseconds?: number | undefined;
}

/** How long an answer may take where others wait for it to end. */
export const PATIENCE_MILLISECONDS = 80;

/** Makes a QueryError of what is wrong with a revision or with the repository, which is for the one who asks. */
export function refusing<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof RevisionError) && !isForeignHistory(error)) throw error;
    throw new QueryError(error.message, { cause: error });
  }
}

/** The commit that a revision names, for where to begin: undefined for a time before the history, which leaves nothing out. */
export function beginningOf({ view, now, branch }: Question, revision: string): FoundCommit | undefined {
  try {
    return resolveRevision(view, revision, now, branch);
  } catch (error) {
    if (error instanceof BeforeHistoryError) return undefined;
    throw error;
  }
}

/** The commit that a cursor names. @throws QueryError when it has gone, or never was */
export function commitOfCursor({ view }: Question, oid: Oid): FoundCommit {
  const found = ifPresent(() => view.commit(oid));
  if (found !== undefined) return found;
  throw new QueryError(`the cursor's commit ${hexFromOid(oid)} is not in this history any more: begin anew`);
}
