/**
 * `xs log`: the commits of the history, newest first.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Option, type Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import {
  FAILURE_ROUTES,
  type FailureJson,
  type FailuresAnswer,
  type FailuresQuery,
} from "../../../protocol/http-api/failures.js";
import { LOG_PAGE_MAX, type HistoryQueries, type LogQuery } from "../../../protocol/http-api/history-queries.js";
import type { Domid } from "../../../protocol/identifiers.js";
import { NoAnswerError } from "../admin-client.js";
import { summaryLine } from "../commit-text.js";
import { escapeValue } from "../../../protocol/escape.js";
import { ExitError, usageError } from "../exit.js";
import { examples, exitCodes, HISTORY_EXITS } from "../help-text.js";
import type { CliContext } from "../context.js";
import { jsonLine } from "../format.js";
import { withAdmin, withHistory } from "../history-source.js";
import { parseDomain, parseNumber } from "./parse-number.js";
import { repositoryOption } from "./repository-option.js";

interface LogOptions {
  readonly repo?: string;
  readonly from?: string;
  readonly to: string;
  readonly domain?: Domid;
  readonly tx?: number;
  readonly grep?: string;
  readonly count?: number;
  readonly follow?: boolean;
  readonly failures?: boolean;
  readonly error?: string;
}

/** With `--follow`: so many commits are shown first, and so often new ones are looked for. */
const FOLLOWED_FIRST = 10;
const FOLLOW_MILLISECONDS = 250;

/** Adds `xs log`. */
export function addLog(program: Command, context: CliContext): void {
  program
    .command("log")
    .summary("show the commits of the history, newest first")
    .description(
      "Shows a commit on each line: its number, its time (UTC), the beginning of its object id, and what was done. With PATH " +
        "only those that changed the node or one below it. With --json a commit is an object on a line of its own.\n\n" +
        "A revision is a branch, a tag, an object id, @{1234} (a commit's number), @{5 minutes ago} or " +
        "@{2026-11-23T07:10:04.5} (the last commit at that time, UTC), each with ~N for N commits before it.\n\n" +
        "The daemon remembers the last 1,000 requests of each domain that failed; equal ones in a row are counted. What stands " +
        "before them is the number of the last commit at that moment.",
    )
    .argument("[path]", "a node")
    .addOption(repositoryOption())
    .addOption(new Option("--from <revision>", "the oldest commit to show (default: the first)"))
    .addOption(new Option("--to <revision>", "the newest commit to show").default("HEAD"))
    .addOption(new Option("--domain <domid>", "only what this domain did").argParser(parseDomain))
    .addOption(new Option("--tx <id>", "only what transactions with this id did").argParser(parseNumber))
    .addOption(new Option("--grep <expression>", "only messages with a match"))
    .addOption(new Option("-n, --count <count>", "end after this many commits").argParser(parseNumber))
    .addOption(
      new Option("-f, --follow", "show the last commits, and each new one when it comes, until Ctrl-C").conflicts([
        "from",
        "to",
      ]),
    )
    .addOption(
      new Option("--failures", "show requests that failed instead: no commit tells of them").conflicts([
        "from",
        "to",
        "tx",
        "grep",
        "repo",
        "follow",
      ]),
    )
    .addOption(new Option("--error <name>", "with --failures: only with this error, such as EACCES"))
    .addHelpText("after", exitCodes({ ...HISTORY_EXITS, 130: "ended by Ctrl-C" }))
    .addHelpText(
      "after",
      examples([
        "xs log -n 20",
        "xs log /local/domain/5/device --from '@{5 minutes ago}'",
        "xs log /local/domain --follow",
        "xs log --failures --domain 7",
        "xs log --repo store.git --domain 7 --json | jq -r .subject",
      ]),
    )
    .action(async (path: string | undefined, options: LogOptions) => {
      if (options.failures === true) await showFailures(path, options, context);
      else if (options.follow === true) await followLog(path, options, context);
      else await showLog(path, options, context);
    });
}

async function showLog(path: string | undefined, options: LogOptions, context: CliContext): Promise<void> {
  const { repo, count = Infinity, from, to, domain, tx, grep } = options;
  const query: LogQuery = { path, from, to, domain, tx, grep };
  await withHistory(context, repo, async (history) => {
    let shown = 0;
    for await (const commit of commitsOf(history, query, count)) {
      shown++;
      await show(commit, context);
    }
    const isPathAlone = [from, domain, tx, grep].every((each) => each === undefined);
    if (shown === 0 && count > 0 && path !== undefined && isPathAlone) {
      throw usageError(`there never was a node ${path}: no commit changed it or anything below it; is the path right?`);
    }
  });
}

async function* commitsOf(history: HistoryQueries, query: LogQuery, count: number): AsyncGenerator<CommitSummaryJson> {
  let told = 0;
  let cursor: string | undefined;
  do {
    const limit = Math.min(LOG_PAGE_MAX, count - told);
    const page = await history.ask("log", { ...query, limit, cursor });
    yield* page.commits;
    told += page.commits.length;
    cursor = page.next;
  } while (cursor !== undefined && told < count);
}

async function show(commit: CommitSummaryJson, context: CliContext): Promise<void> {
  await context.io.out(context.isJson() ? jsonLine(commit) : summaryLine(commit));
}

/** Shows the last commits and then each new one, oldest first, until Ctrl-C. */
async function followLog(path: string | undefined, options: LogOptions, context: CliContext): Promise<void> {
  const { repo, count = FOLLOWED_FIRST, domain, tx, grep } = options;
  const query: LogQuery = { path, domain, tx, grep };
  const interrupted = new AbortController();
  const stopListening = context.io.onInterrupt((exitCode) => {
    interrupted.abort(new ExitError(exitCode));
  });
  try {
    await withHistory(context, repo, async (history) => {
      let last: string | undefined;
      // A daemon that is started again goes on with the same history.
      let isAway = false;
      while (!interrupted.signal.aborted) {
        try {
          const { commits } = await history.ask("log", { limit: 1 });
          const to = commits[0]?.oid;
          if (to !== undefined && to !== last) {
            const news: CommitSummaryJson[] = [];
            const most = last === undefined ? count : Infinity;
            for await (const commit of commitsOf(history, { ...query, to, from: last }, most)) {
              if (commit.oid !== last) news.push(commit);
            }
            for (const commit of news.reverse()) await show(commit, context);
            last = to;
          }
          isAway = false;
        } catch (error) {
          if (!(error instanceof NoAnswerError) || last === undefined) throw error;
          if (!isAway) context.io.err(`xs: ${error.message}: waiting for it\n`);
          isAway = true;
        }
        await delay(FOLLOW_MILLISECONDS, undefined, { signal: interrupted.signal }).catch(() => undefined);
      }
    });
  } finally {
    stopListening();
  }
  interrupted.signal.throwIfAborted();
}

/** Shows requests that failed, newest first. */
async function showFailures(path: string | undefined, options: LogOptions, context: CliContext): Promise<void> {
  const { domain, error, count } = options;
  const query: FailuresQuery = { path, domain, error, limit: count, branch: context.fork() };
  const { failures } = await withAdmin(context, (admin) => admin.get<FailuresAnswer>(FAILURE_ROUTES.failures, query));
  for (const failure of failures) {
    await context.io.out(context.isJson() ? jsonLine(failure) : failureLine(failure));
  }
}

function failureLine(failure: FailureJson): string {
  const { time, connection, domain, operation, transaction, subject, error, count, seq, conflict } = failure;
  const within = transaction === undefined ? "" : ` (transaction ${String(transaction)})`;
  const times = count === 1 ? "" : `, ${String(count)} times`;
  const because = conflict === undefined ? "" : `: ${conflict.path} was changed since @{${String(conflict.base)}}`;
  const request = escapeValue(bytesFromText(`${operation}${subject === "" ? "" : ` ${subject}`}`));
  const who = `dom${String(domain)} ${connection}`;
  return `@{${String(seq)}}  ${time}  ${error.padEnd(6)}  ${who}: ${request}${within}${because}${times}\n`;
}
