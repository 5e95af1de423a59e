/**
 * The options of every command that reads a history.
 */
import { Option } from "commander";

/** `--repo`; `chooseRepository` says what holds without it. */
export function repositoryOption(): Option {
  return new Option(
    "--repo <dir>",
    "the history's Git repository, or a clone of it (default: the daemon's, else ./.xenstore/state/store.git)",
  );
}

/** `--at`, for commands that read the daemon without it. */
export function revisionOption(): Option {
  return new Option("--at <revision>", "read the state after this commit (HEAD where only --repo is given)");
}

/** What these options say. */
export interface RecordedOptions {
  readonly at?: string;
  readonly repo?: string;
}

/** Whether a recorded state is wanted instead of the daemon's. */
export function isRecorded({ at, repo }: RecordedOptions): boolean {
  return at !== undefined || repo !== undefined;
}
