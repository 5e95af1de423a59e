/**
 * The way to a history without a daemon.
 *
 * Owns its opening and closing, and that a revision or a repository that makes no sense is a bad command line.
 */
import { resolve } from "node:path";
import { isForeignHistory, openHistory, type HistoryView } from "../../daemon/history/query/history.js";
import { resolveRevision } from "../../daemon/history/query/resolve-revision.js";
import { BeforeHistoryError, RevisionError } from "../../daemon/history/query/revision.js";
import { createNodeClock } from "../../daemon/platform/node-clock.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { usageError } from "./exit.js";

/** A history as of one moment, and its commits by the names that people give them. */
export interface OpenedHistory {
  readonly view: HistoryView;
  /** The commit that a revision names. */
  readonly commit: (revision: string) => ReturnType<typeof resolveRevision>;
  /** The same, for where to begin: undefined for a time before the history, which leaves nothing out. */
  readonly beginning: (revision: string) => ReturnType<typeof resolveRevision> | undefined;
}

/** Opens the history in a directory, and closes it when `use` is done. */
export async function withHistory<T>(directory: string, use: (opened: OpenedHistory) => Promise<T>): Promise<T> {
  try {
    const history = openHistory(nodeFileSystem, resolve(directory));
    try {
      const view = history.view();
      const now = createNodeClock().nowMicroseconds() as Microseconds;
      const commit: OpenedHistory["commit"] = (revision) => resolveRevision(view, revision, now);
      return await use({ view, commit, beginning: (revision) => unlessBefore(() => commit(revision)) });
    } finally {
      history.close();
    }
  } catch (error) {
    if (error instanceof RevisionError || isForeignHistory(error)) throw usageError(error.message);
    throw error;
  }
}

function unlessBefore<T>(resolveIt: () => T): T | undefined {
  try {
    return resolveIt();
  } catch (error) {
    if (error instanceof BeforeHistoryError) return undefined;
    throw error;
  }
}
