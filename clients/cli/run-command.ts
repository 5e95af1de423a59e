/**
 * Running somebody's command.
 *
 * Owns that it ends when it is to end, with all that it started: it is the leader of a process group of its own, which is told
 * to end, and killed when it does not. What is left of the group is killed when the command has ended, and when this process
 * ends before it. What it prints goes to standard error: standard output is for the answer.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { exitCodeOfSignal } from "./exit.js";

/** How long it may take to end when it is told to. */
const PATIENCE_MILLISECONDS = 2000;

/** What to run. */
export interface CommandRun {
  /** A line for `sh -c`. */
  readonly command: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command to its end.
 *
 * @returns its exit code; as shells have it, 128 and the signal's number where a signal ended it
 */
export async function runCommand({ command, environment, signal }: CommandRun): Promise<number> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", command], {
      env: environment,
      stdio: ["ignore", process.stderr, process.stderr],
      detached: true,
    });
    const killIt = (): void => {
      endGroup(child.pid, "SIGKILL");
    };
    process.once("exit", killIt);
    let killing: NodeJS.Timeout | undefined;
    const endIt = (): void => {
      endGroup(child.pid, "SIGTERM");
      killing = setTimeout(killIt, PATIENCE_MILLISECONDS);
    };
    const settled = (): void => {
      clearTimeout(killing);
      process.off("exit", killIt);
      signal.removeEventListener("abort", endIt);
    };
    signal.addEventListener("abort", endIt, { once: true });
    child.once("error", (error) => {
      settled();
      reject(new Error(`/bin/sh cannot be started: ${error.message}`, { cause: error }));
    });
    child.once("exit", (code, endedBy) => {
      settled();
      // For what it left in the background nobody waits.
      killIt();
      resolve(code ?? exitCodeOfSignal(endedBy === null ? 0 : constants.signals[endedBy]));
    });
  });
}

function endGroup(pid: number | undefined, name: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // All of it is gone.
  }
}
