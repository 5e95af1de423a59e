/**
 * Where the journal of a branch is.
 */
import { join } from "node:path";

/** @param branch - without `refs/heads/` */
export function journalDirectory(stateDirectory: string, branch: string): string {
  return join(stateDirectory, "journal", branch);
}
