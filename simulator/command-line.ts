/**
 * What the simulator's commands have in common on the command line.
 *
 * Owns how numbers are parsed, so that a bad one is told in the same words everywhere, and how an interruption reaches what
 * runs.
 */
import { setMaxListeners } from "node:events";
import { InvalidArgumentError } from "commander";
import type { ViewOutput } from "./storm/live-view.js";

/** Parses an integer within bounds. */
export function count(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`it is an integer from ${String(least)} to ${String(most)}.`);
  };
}

/** Parses a number of at least 0. */
export function notNegative(text: string): number {
  const value = Number(text);
  if (text !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("it is a number of at least 0.");
}

/** Parses a number above 0. */
export function positive(text: string): number {
  const value = notNegative(text);
  if (value > 0) return value;
  throw new InvalidArgumentError("it is a number above 0.");
}

/** Aborted by the signals that end a process, and when whoever read the output has gone. Any number may listen. */
export function interruptionSignal(): AbortSignal {
  const interruption = new AbortController();
  setMaxListeners(0, interruption.signal);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => {
      interruption.abort(new Error(`interrupted by ${name}`));
    });
  }
  process.stdout.on("error", (error) => {
    interruption.abort(error);
  });
  return interruption.signal;
}

/** Where a view of what goes on is shown: beside the output, which may be a file. */
export function viewOutput(): ViewOutput {
  const { stderr } = process;
  return {
    write: (text) => {
      stderr.write(text);
    },
    isTerminal: stderr.isTTY,
    get columns() {
      return stderr.columns;
    },
  };
}
