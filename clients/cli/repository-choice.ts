/**
 * Which history a command reads.
 *
 * Owns the order of preference, which is that of sockets: what is named, else that of a daemon that was started in the
 * working directory.
 */
import { join } from "node:path";
import { usageError } from "./exit.js";
import type { CliIo } from "./io.js";

/** The history of a daemon that was started in the working directory. */
const LOCAL_REPOSITORY = join(".xenstore", "state", "store.git");

/** Whether a daemon that was started in the working directory has left a history there. */
export function hasLocalRepository({ fileExists }: Pick<CliIo, "fileExists">): boolean {
  return fileExists(LOCAL_REPOSITORY);
}

/** Where in a directory that is named there may be a repository: a clone with files, a daemon's directories. */
const INSIDE = [".git", "store.git", join("state", "store.git")] as const;

/** The directory of the repository to read: a bare one, that of a clone with files, or that in a daemon's directory. */
export function chooseRepository(given: string | undefined, { fileExists }: Pick<CliIo, "fileExists">): string {
  if (given === undefined) return LOCAL_REPOSITORY;
  if (!fileExists(given))
    throw usageError(`there is no directory ${given}: name a repository, such as STATE/store.git`);
  return INSIDE.map((name) => join(given, name)).find((inside) => fileExists(inside)) ?? given;
}
