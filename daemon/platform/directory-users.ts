/**
 * Whether other processes have files of a directory open.
 *
 * Owns the look into `/proc`: files that are mapped (as Git maps pack indexes) or open. It sees the processes of the same
 * user, all of them as root; where there is no `/proc` it sees none. It is a hint: a process may open a file the moment after.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * Whether a process other than this one has a file in `directory` mapped or open.
 *
 * @param directory - absolute, without symbolic links
 */
export function isDirectoryInUse(directory: string): boolean {
  const prefix = `${directory}/`;
  for (const name of namesIn("/proc")) {
    if (!/^[0-9]+$/.test(name) || name === String(process.pid)) continue;
    if (readQuietly(`/proc/${name}/maps`).includes(prefix)) return true;
    for (const descriptor of namesIn(`/proc/${name}/fd`)) {
      if (linkOf(`/proc/${name}/fd/${descriptor}`).startsWith(prefix)) return true;
    }
  }
  return false;
}

/** Processes end, and others' are closed to us. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path, "latin1");
  } catch {
    return "";
  }
}
