/**
 * Whether other processes have files of a directory open.
 *
 * Owns the look into `/proc`: files that are mapped (as Git maps pack indexes) or open. It sees the processes of the same
 * user, all of them as root; where there is no `/proc` it sees none. It is a hint: a process may open a file the moment after.
 *
 * A process takes half a millisecond to look at, and there may be thousands, so one call looks for `LOOK_MILLISECONDS_MAX`
 * and says "in use" as long as it has not seen all; the next call looks at those that are left and at those that have come.
 *
 * Invariants
 *  1. "Not in use" is said only when every process that there is has been looked at since the last answer, and nothing of
 *     what was seen is older than the calls that followed each other within `PAUSE_MILLISECONDS_MAX`.
 *  2. Each call looks at one process at least, so calls that follow each other come to an end.
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";

/** Longest that one call looks, but for the process at hand. */
export const LOOK_MILLISECONDS_MAX = 20;
/** What was seen so long before a call is looked at again. */
export const PAUSE_MILLISECONDS_MAX = 5000;

/** What the look is done with. */
export interface DirectoryUsersOptions {
  readonly monotonicMilliseconds: () => number;
  /** Where the kernel tells of processes; `/proc` unless told. */
  readonly processesDirectory?: string;
}

/** Looks for the users of one directory, call by call. */
export class DirectoryUsers {
  readonly #monotonicMilliseconds: () => number;
  readonly #processesDirectory: string;
  #directory = "";
  #calledAt = -Infinity;
  /** Processes in which nothing was found, since the last answer. */
  readonly #seen = new Set<string>();
  /** The process in which something was found: it is looked at first. */
  #user: string | undefined;

  constructor({ monotonicMilliseconds, processesDirectory = "/proc" }: DirectoryUsersOptions) {
    this.#monotonicMilliseconds = monotonicMilliseconds;
    this.#processesDirectory = processesDirectory;
  }

  /**
   * Whether a process other than this one has a file in `directory` mapped or open, or may have: see the top.
   *
   * @param directory - absolute; the kernel tells of files without the symbolic links that led to them, so they are resolved
   */
  isInUse(directory: string): boolean {
    const start = this.#monotonicMilliseconds();
    if (directory !== this.#directory || start - this.#calledAt > PAUSE_MILLISECONDS_MAX) this.#seen.clear();
    this.#directory = directory;
    this.#calledAt = start;
    const prefix = `${resolved(directory)}/`;
    if (this.#user !== undefined && this.#usesFilesBelow(this.#user, prefix)) return true;
    this.#user = undefined;
    for (const name of namesIn(this.#processesDirectory)) {
      if (!/^[0-9]+$/.test(name) || name === String(process.pid) || this.#seen.has(name)) continue;
      if (this.#usesFilesBelow(name, prefix)) {
        this.#user = name;
        this.#seen.clear();
        return true;
      }
      this.#seen.add(name);
      if (this.#monotonicMilliseconds() - start >= LOOK_MILLISECONDS_MAX) return true;
    }
    this.#seen.clear();
    return false;
  }

  #usesFilesBelow(processId: string, prefix: string): boolean {
    const entry = `${this.#processesDirectory}/${processId}`;
    const maps = readQuietly(`${entry}/maps`);
    // A thread of the kernel, or a process that is closed to us: so are its descriptors.
    if (maps === "") return false;
    if (maps.includes(prefix)) return true;
    return namesIn(`${entry}/fd`).some((name) => linkOf(`${entry}/fd/${name}`).startsWith(prefix));
  }
}

function resolved(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory;
  }
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
    return readlinkSync(path, "utf8");
  } catch {
    return "";
  }
}
