/**
 * The parts of a recorder that work on the disk, put together: what its thread has beside the loop that drives them.
 *
 * Owns their order at the start: the repository exists before the recorder cleans it up and loads the tip, and nothing is
 * merged or dropped before that. It has no thread, no timer and no clock of its own, so the crash tests run it on a disk in
 * memory, as it is.
 */
import { createRepository } from "../repository/layout.js";
import { Maintenance, type MaintenanceOptions } from "./maintenance.js";
import { HistoryRecorder, type RecorderOptions } from "./recorder.js";

/** What a recorder works with, and how it keeps the repository in order. */
export interface OpenRecorderOptions
  extends RecorderOptions, Omit<MaintenanceOptions, "fileSystem" | "repositoryDirectory" | "retention"> {
  readonly retention: Omit<NonNullable<MaintenanceOptions["retention"]>, "branch">;
}

/** A recorder and the maintenance of what it records. */
export interface OpenedRecorder {
  readonly recorder: HistoryRecorder;
  readonly maintenance: Maintenance;
}

/**
 * Makes the repository if it is missing, cleans up what a crash left in it, and loads the tip of the branch.
 *
 * @throws what `createRepository` and the constructor of `HistoryRecorder` throw
 */
export function openRecorder(options: OpenRecorderOptions): OpenedRecorder {
  createRepository(options.fileSystem, options.repositoryDirectory);
  const recorder = new HistoryRecorder(options);
  const { retention } = options;
  const maintenance = new Maintenance({
    ...options,
    retention: {
      ...retention,
      branch: options.ref,
      onDropped: (text, oldest) => {
        recorder.noteBeginning(oldest);
        retention.onDropped(text, oldest);
      },
    },
  });
  return { recorder, maintenance };
}
