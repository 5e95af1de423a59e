/**
 * The scheduling priority of a thread.
 *
 * Owns one way to be modest: a thread whose work can wait leaves the processor to those that somebody waits for.
 */
import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/**
 * Sets the priority of the calling thread alone, where the system can do that (Linux); else does nothing.
 *
 * Linux keeps a nice value for each thread, and takes a thread's id where a process's is asked for (setpriority(2), "C
 * library/kernel differences"). Everybody may lower it; to raise it again takes a privilege, which root has.
 *
 * @param nice - 0, as usual, to 19, the modest
 * @returns whether it was set
 */
export function setThreadPriority(nice: number): boolean {
  try {
    const thread = /\/task\/([0-9]+)$/.exec(readlinkSync("/proc/thread-self"))?.[1];
    if (thread === undefined) return false;
    setPriority(Number(thread), nice);
    return true;
  } catch {
    return false;
  }
}
