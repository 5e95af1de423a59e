/**
 * What the demo tells at its end.
 *
 * Owns the words; the figures come from the player and from Git. Pure: it returns text.
 */
import { textFromBytes } from "../../protocol/bytes.js";
import type { Tally } from "../trace/player.js";

/** Most differences of one kind that are told one by one. */
const TOLD_MAX = 10;

/** Whether every reply and every event was as the trace says. */
export function isAsExpected({ differences, missing, additional }: Tally): boolean {
  return differences.length === 0 && missing.length === 0 && additional.length === 0;
}

/** What was played, and what was other than expected. */
export function describeTally(tally: Tally, milliseconds: number): string {
  const traffic = `${count(tally.requests, "request")}, ${count(tally.transactions, "transaction")} and ${count(tally.events, "watch event")}`;
  const duration = `${(milliseconds / 1000).toFixed(2)} seconds`;
  const lines = [`Played ${traffic} over ${count(tally.connections, "connection")} in ${duration}.`];
  if (tally.repeats > 0) lines.push(`Repeated ${count(tally.repeats, "transaction")} after a conflict (EAGAIN).`);
  if (isAsExpected(tally)) {
    lines.push("All replies and events were as expected.");
    if (tally.errors > 0) {
      lines.push(
        `${count(tally.errors, "reply is an error", "replies are errors")} that belong there: programs look for what may be missing.`,
      );
    }
    return `${lines.join("\n")}\n`;
  }
  const additional = tally.additional.reduce((sum, event) => sum + event.count, 0);
  lines.push(
    `NOT as expected: ${String(tally.differences.length)} replies, ${String(tally.missing.length)} events missing, ` +
      `${String(additional)} events additional.`,
  );
  lines.push(...told(tally.differences.map(describeDifference)));
  lines.push(
    ...told(
      tally.missing.map(
        ({ line, actor, path, token }) =>
          `line ${String(line)}: ${actor.name} was not told ${show(path)} ${show(token)}`,
      ),
    ),
  );
  lines.push(
    ...told(
      tally.additional.map((event) => {
        const { actor, path, token } = event;
        return `${actor.name} was told ${show(path)} ${show(token)} ${count(event.count, "time")} more than expected`;
      }),
    ),
  );
  return `${lines.join("\n")}\n`;
}

function describeDifference({ step, got }: Tally["differences"][number]): string {
  const { line, actor, operation, payload, error } = step;
  const [subject = ""] = payload.split("\0");
  return `line ${String(line)}: ${actor.name} ${operation} ${show(subject)} was answered ${got ?? "OK"}, not ${error ?? "OK"}`;
}

function told(lines: readonly string[]): string[] {
  const left = lines.length - TOLD_MAX;
  const shown = lines.slice(0, TOLD_MAX).map((line) => `  ${line}`);
  return left > 0 ? [...shown, `  … ${String(left)} more`] : shown;
}

function show(bytes: string): string {
  return textFromBytes(bytes);
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${String(number)} ${number === 1 ? one : many}`;
}

/** What is known of the repository and the daemon when hints are given. */
export interface Whereabouts {
  readonly directory: string;
  readonly repository: string;
  readonly runDirectory: string;
  /** The commit at which the domain had booted, abbreviated. */
  readonly booted: string;
  /** Whether the domain was destroyed afterwards. */
  readonly destroyed: boolean;
  /** Whether the daemon will run on for a while. */
  readonly serving: boolean;
  /** Whether the directory is kept when the demo ends. */
  readonly kept: boolean;
}

/** How to look further, by commands that work when they are copied. */
export function describeLooking(where: Whereabouts): string {
  const { directory, repository, runDirectory, booted, destroyed, serving, kept } = where;
  const git = `git -C ${quote(repository)}`;
  const socket = `XENSTORED_PATH=${quote(`${runDirectory}/socket`)}`;
  const state = "local/domain/0/backend/vbd/1/51712/state";
  // A destroyed domain is in the past of the history.
  const [then, when] = destroyed ? [booted, "as it was when the domain had booted"] : ["main", "as it is now"];
  const lines = [
    "How to look further, as if this domain had not booted:",
    "",
    "  # the life of the domain: who changed what, when, in which transaction",
    `  ${git} log -p -- local/domain/1`,
    "  # how far its disk came: 1 initialising, 2 waiting, 3 initialised, 4 connected, 5 closing, 6 closed",
    `  ${git} log -p --oneline -- ${state}`,
    `  # a value ${when}, and who wrote it`,
    `  ${git} show ${then}:${state}`,
    `  ${git} blame ${then} -- ${state}`,
  ];
  if (serving || kept) {
    lines.push(
      serving
        ? "  # the store as it is now"
        : `  # the store again: first npm start -- --dir ${quote(directory)}, then`,
      `  ${socket} xenstore-ls -p`,
      `  ${socket} npm run -s xs -- ls -p`,
    );
  }
  if (!kept && !serving) {
    lines.push("", "The repository is removed now; npm run demo -- --keep keeps it for these commands.");
  }
  return `${lines.join("\n")}\n`;
}

/** An argument for a shell. */
function quote(text: string): string {
  return /^[A-Za-z0-9_/.,:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
