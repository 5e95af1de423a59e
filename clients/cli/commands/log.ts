/**
 * `xs log`: the commits of the history, newest first.
 */
import { setTimeout as delay } from "node:timers/promises";
import { InvalidArgumentError, Option, type Command } from "commander";
import { ERROR_NAMES, isErrorName, type ErrorName } from "../../../protocol/errno.js";
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import {
  FAILURE_ROUTES,
  FAILURES_PAGE_MAX,
  type FailureJson,
  type FailuresAnswer,
  type FailuresQuery,
} from "../../../protocol/http-api/failures.js";
import type { HistoryQueries, LogQuery } from "../../../protocol/http-api/history-queries.js";
import type { Domid } from "../../../protocol/identifiers.js";
import { NoAnswerError } from "../admin-client.js";
import { summaryLine } from "../commit-text.js";
import { ExitError, usageError } from "../exit.js";
import { examples, exitCodes, HISTORY_EXITS } from "../help-text.js";
import type { CliContext } from "../context.js";
import { FollowedLog, type NewCommits } from "../followed-log.js";
import { jsonLine, shown } from "../format.js";
import { withAdmin, withHistory } from "../history-source.js";
import { loggedCommits } from "../logged-commits.js";
import { recordedPath } from "../recorded-path.js";
import { parseDomain, parseNumber, parseTransactionId } from "./parse-number.js";
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
  readonly error?: ErrorName;
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
        "The daemon remembers the last 1,000 requests of each domain that failed; equal ones in a row are counted. Where a domain " +
        "has more, the oldest with its most frequent error goes first, so that many ENOENTs leave an EAGAIN where it is. What " +
        "stands before them is the number of the last commit at that moment.",
    )
    .argument("[path]", "a node")
    .addOption(repositoryOption())
    .addOption(new Option("--from <revision>", "the oldest commit to show (default: the first)"))
    .addOption(new Option("--to <revision>", "the newest commit to show").default("HEAD"))
    .addOption(new Option("--domain <domid>", "only what this domain did").argParser(parseDomain))
    .addOption(new Option("--tx <id>", "only what transactions with this id did").argParser(parseTransactionId))
    .addOption(
      new Option(
        "--grep <expression>",
        "only messages with a line that matches (RE2); a message has the first 200 requests of a commit",
      ),
    )
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
    .addOption(errorOption())
    .addHelpText("after", exitCodes({ ...HISTORY_EXITS, 130: "ended by Ctrl-C" }))
    .addHelpText(
      "after",
      examples([
        "xs log -n 20",
        "xs log /local/domain/5/device --from '@{5 minutes ago}'",
        "xs log /local/domain --follow",
        "xs log --failures --domain 7",
        "xs log --error EAGAIN",
        "xs log --repo store.git --domain 7 --json | jq -r .subject",
      ]),
    )
    .action(async (word: string | undefined, options: LogOptions) => {
      const path = word === undefined ? undefined : recordedPath(word);
      if (options.failures === true) await showFailures(path, options, context);
      else if (options.follow === true) await followLog(path, options, context);
      else await showLog(path, options, context);
    });
}

/** Commits have no errors: who asks for one asks for failures. */
function errorOption(): Option {
  const option = new Option("--error <name>", "failures with this error alone, such as EACCES; says --failures too");
  return option
    .choices(ERROR_NAMES)
    .argParser((text: string) => {
      const name = text.toUpperCase();
      if (isErrorName(name)) return name;
      throw new InvalidArgumentError(`Allowed choices are ${ERROR_NAMES.join(", ")}.`);
    })
    .implies({ failures: true });
}

async function showLog(path: string | undefined, options: LogOptions, context: CliContext): Promise<void> {
  const { repo, count = Infinity, from, to, domain, tx, grep } = options;
  const query: LogQuery = { path, from, to, domain, tx, grep };
  await withHistory(context, repo, async (history) => {
    let shown = 0;
    for await (const commit of loggedCommits(history, query, count)) {
      shown++;
      await show(commit, context);
    }
    if (shown === 0 && count > 0 && path !== undefined) await refuseUnknown(history, { path, to });
  });
}

/** Nothing was shown: where that is because the path leads nowhere, it is a bad command line. */
async function refuseUnknown(
  history: HistoryQueries,
  { path, to }: { readonly path: string; readonly to: string },
): Promise<void> {
  const commits = loggedCommits(history, { path, to }, 1);
  if ((await commits.next()).done !== true) return;
  const { absence } = await history.ask("node", { path, at: to });
  if (absence !== undefined) throw usageError(`there is no node ${path} at ${to}: ${absence}`);
}

async function show(commit: CommitSummaryJson, context: CliContext): Promise<void> {
  await context.io.out(context.isJson() ? jsonLine(commit) : summaryLine(commit));
}

/** Shows the last commits and then each new one, oldest first, until Ctrl-C. */
async function followLog(path: string | undefined, options: LogOptions, context: CliContext): Promise<void> {
  const { repo, count = FOLLOWED_FIRST, domain, tx, grep } = options;
  const interrupted = new AbortController();
  const stopListening = context.io.onInterrupt((exitCode) => {
    interrupted.abort(new ExitError(exitCode));
  });
  try {
    await withHistory(context, repo, async (history) => {
      const followed = new FollowedLog(history, { path, domain, tx, grep }, count);
      // A daemon that is started again goes on with the same history.
      let isAway = false;
      while (!interrupted.signal.aborted) {
        try {
          const news = await followed.news();
          await showNews(news, context);
          if (news.isFirst && news.commits.length === 0) await tellAbsence(history, path, context);
          isAway = false;
        } catch (error) {
          if (!(error instanceof NoAnswerError) || !followed.hasBegun) throw error;
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

async function showNews({ commits, lostAfter }: NewCommits, context: CliContext): Promise<void> {
  if (lostAfter !== undefined) {
    context.io.err(
      `xs: commits after @{${String(lostAfter.seq)}} were given up before they were shown: this goes on with the oldest that is left\n`,
    );
  }
  for (const commit of commits) await show(commit, context);
}

/** Who waits for a node is told that it is not there: its path may be misspelt. */
async function tellAbsence(history: HistoryQueries, path: string | undefined, { io }: CliContext): Promise<void> {
  if (path === undefined) return;
  const { absence } = await history.ask("node", { path });
  if (absence !== undefined) io.err(`xs: there is no node ${path} yet (${absence}): waiting for it\n`);
}

/** Shows requests that failed, newest first. */
async function showFailures(path: string | undefined, options: LogOptions, context: CliContext): Promise<void> {
  const { domain, error, count = Infinity } = options;
  const query: FailuresQuery = { path, domain, error, branch: context.fork() };
  await withAdmin(context, async (admin) => {
    let shown = 0;
    let cursor: number | undefined;
    do {
      const limit = Math.min(FAILURES_PAGE_MAX, count - shown);
      const page = await admin.get<FailuresAnswer>(FAILURE_ROUTES.failures, { ...query, limit, cursor });
      for (const failure of page.failures) {
        await context.io.out(context.isJson() ? jsonLine(failure) : failureLine(failure));
      }
      shown += page.failures.length;
      cursor = page.next;
    } while (cursor !== undefined && shown < count);
  });
}

function failureLine(failure: FailureJson): string {
  const { time, connection, domain, operation, transaction, subject, error, count, seq, conflict } = failure;
  const within = transaction === undefined ? "" : ` (transaction ${String(transaction)})`;
  const times = count === 1 ? "" : `, ${String(count)} times`;
  const because =
    conflict === undefined ? "" : `: ${shown(conflict.path)} was changed since @{${String(conflict.base)}}`;
  const request = shown(`${operation}${subject === "" ? "" : ` ${subject}`}`);
  const who = `dom${String(domain)} ${connection}`;
  return `@{${String(seq)}}  ${time}  ${error.padEnd(6)}  ${who}: ${request}${within}${because}${times}\n`;
}
