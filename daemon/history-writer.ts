/**
 * A history that is written from commits at hand, without a daemon that serves and without a journal.
 *
 * Owns the wiring of repository and recorder for who makes up the past, such as an import of another daemon's log. What it
 * leaves is a state directory like any other: a daemon that opens it goes on behind the last commit. Until it is complete
 * it has another name, so that nobody takes the beginning of a history for all of it; the next writer begins anew.
 *
 *     createHistory ──► DIR/state.incomplete ── finish ──► DIR/state
 *                              │  ▲
 *                      abandon │  │ killed: the next createHistory removes it
 *                              ▼  │
 *                            nothing
 */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { HistoryRecorder } from "./history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "./history/repository/layout.js";
import { lockDirectory } from "./platform/directory-lock.js";
import { nodeFileSystem } from "./platform/node-file-system.js";
import { makePrivateDirectory } from "./platform/private-directory.js";
import type { Commit } from "./store/commit.js";

export type { Commit } from "./store/commit.js";

/** Where a history is written, and what its authors' addresses say. */
export interface HistoryWriterOptions {
  /** Absolute; holds no history yet. */
  readonly stateDirectory: string;
  readonly hostName: string;
}

/** Writes a history. */
export interface HistoryWriter {
  /** The Git repository, when it is finished. */
  readonly repository: string;
  /** Takes the next commits, from seq 1 on. Throws what the disk throws. */
  record(commits: readonly Commit[]): void;
  /** Makes all of it durable under its name and lets go of the directory; nothing may follow. Throws what the disk throws. */
  finish(): void;
  /** Removes what was written; nothing may follow but the same again, and after `finish` nothing happens. */
  abandon(): void;
}

/** What the directory's name ends in until the history is complete. */
const INCOMPLETE = ".incomplete";

/**
 * Begins a history in a new state directory.
 *
 * @throws an error for people when there is a state already, or somebody else writes one there
 */
export function createHistory({ stateDirectory, hostName }: HistoryWriterOptions): HistoryWriter {
  const fileSystem = nodeFileSystem;
  if (fileSystem.exists(stateDirectory) && fileSystem.list(stateDirectory).length > 0) {
    throw new Error(`${stateDirectory} holds something already: name a directory for the new history`);
  }
  const directory = `${stateDirectory}${INCOMPLETE}`;
  makePrivateDirectory(directory);
  const lock = lockDirectory(directory);
  let isOver = false;
  const remove = (): void => {
    if (isOver) return;
    isOver = true;
    rmSync(directory, { recursive: true });
    lock.release();
  };
  try {
    // What a writer left that was killed: all but the lock, which is ours now.
    for (const name of fileSystem.list(directory)) {
      if (name !== "lock") rmSync(join(directory, name), { recursive: true });
    }
    const repositoryDirectory = join(directory, "store.git");
    createRepository(fileSystem, repositoryDirectory);
    const recorder = new HistoryRecorder({ fileSystem, repositoryDirectory, ref: MAIN_REF, hostName });
    return {
      repository: join(stateDirectory, "store.git"),
      record: (commits) => {
        for (const commit of commits) {
          recorder.record(commit);
          if (recorder.isFull) recorder.seal();
        }
      },
      finish: () => {
        try {
          recorder.seal();
        } finally {
          recorder.close();
        }
        fileSystem.rename(directory, stateDirectory);
        fileSystem.syncDirectory(dirname(stateDirectory));
        isOver = true;
        lock.release();
      },
      abandon: () => {
        recorder.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
