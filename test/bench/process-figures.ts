/**
 * What Linux tells of a process: memory and processor time.
 *
 * Owns how that is read from `/proc`. Daemons and peers are processes of their own, so it is the same for all.
 */
import { readFileSync } from "node:fs";

/** `VmRSS` in bytes: all of a process's threads, none of its children. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"));
  if (match?.[1] === undefined) throw new Error(`process ${String(pid)} tells no VmRSS`);
  return Number(match[1]) * 1024;
}

/** Processor time of all threads of a process, those that have ended too, in seconds. */
export function processSeconds(pid: number): number {
  return secondsOf(`/proc/${String(pid)}/stat`);
}

/** Processor time of a process's first thread, in seconds. */
export function mainThreadSeconds(pid: number): number {
  return secondsOf(`/proc/${String(pid)}/task/${String(pid)}/stat`);
}

/** Linux counts in hundredths of a second there, whatever its own tick is. */
const TICKS_PER_SECOND = 100;

/** `utime` and `stime`. */
function secondsOf(file: string): number {
  const text = readFileSync(file, "utf8");
  // The program's name is in parentheses, and may hold some itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
