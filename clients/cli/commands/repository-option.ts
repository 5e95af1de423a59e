/**
 * The option of every command that reads a history.
 */
import { Option } from "commander";

/** `--repo`; `chooseRepository` says what holds without it. */
export function repositoryOption(): Option {
  return new Option(
    "--repo <dir>",
    "the history's Git repository, or a clone of it (default: ./.xenstore/state/store.git)",
  );
}
