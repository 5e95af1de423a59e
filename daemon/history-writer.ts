/**
 * A history that is written from commits at hand, without a daemon that serves and without a journal.
 *
 * Owns the wiring of repository and recorder for who makes up the past, such as an import of another daemon's log. What it
 * leaves is a state directory like any other: a daemon that opens it goes on behind the last commit.
 */
import { join } from "node:path";
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
  /** The Git repository. */
  readonly repository: string;
  /** Takes the next commits, from seq 1 on. Throws what the disk throws. */
  record(commits: readonly Commit[]): void;
  /** Makes all of it durable and lets go of the directory; nothing may follow. Throws what the disk throws. */
  finish(): void;
}

/**
 * Begins a history in a new state directory.
 *
 * @throws an error for people when there is a state already, or a daemon
 */
export function createHistory({ stateDirectory, hostName }: HistoryWriterOptions): HistoryWriter {
  const fileSystem = nodeFileSystem;
  if (fileSystem.exists(stateDirectory) && fileSystem.list(stateDirectory).length > 0) {
    throw new Error(`${stateDirectory} holds something already: name a directory for the new history`);
  }
  makePrivateDirectory(stateDirectory);
  const lock = lockDirectory(stateDirectory);
  try {
    const repository = join(stateDirectory, "store.git");
    createRepository(fileSystem, repository);
    const recorder = new HistoryRecorder({ fileSystem, repositoryDirectory: repository, ref: MAIN_REF, hostName });
    return {
      repository,
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
          lock.release();
        }
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
