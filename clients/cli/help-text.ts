/**
 * What the help of every command ends with: its exit codes, and examples.
 */

/** What the exit codes of a command mean, by code. */
export type ExitCodes = Readonly<Record<number, string>>;

const REFUSED = "the daemon refused, or could not be reached";
const BAD_LINE = "a bad command line; nothing was done";
const BAD_QUESTION = "a bad command line, no history, or no such commit or node in it";

/** Those of a command that asks a daemon. */
export const DAEMON_EXITS: ExitCodes = { 0: "done", 1: REFUSED, 2: BAD_LINE };

/** Those of a command that reads a history. */
export const HISTORY_EXITS: ExitCodes = {
  0: "done",
  1: "the history is damaged, or the daemon could not be reached",
  2: BAD_QUESTION,
};

/** Those of a command that has a running daemon do or tell something. */
export const ADMIN_EXITS: ExitCodes = {
  0: "done",
  1: "the daemon failed, or could not be reached",
  2: "a bad command line, a revision that names no commit, or no daemon",
};

/** Those of a command that reads a daemon, or a history where that is asked for. */
export const STATE_EXITS: ExitCodes = {
  0: "done",
  1: "a node does not exist or may not be read, or the daemon is not reached",
  2: "a bad command line; of a history: no such commit or node in it, or none",
};

/** The help text of exit codes; what puts it there ends it with a line feed. */
export function exitCodes(codes: ExitCodes): string {
  const lines = Object.entries(codes).map(([code, meaning]) => `  ${code.padEnd(3)}  ${meaning}`);
  return `\nExit codes:\n${lines.join("\n")}`;
}

/** The help text of a command's examples. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
