/**
 * `xs log`: the commits of the history, newest first.
 */
import { InvalidArgumentError, Option, type Command } from "commander";
import { LOG_PAGE_MAX, type LogQuery } from "../../../protocol/http-api/history-queries.js";
import { parseDomid, type Domid } from "../../../protocol/identifiers.js";
import { summaryLine } from "../commit-text.js";
import { examples, type CliContext } from "../context.js";
import { usageError } from "../exit.js";
import { jsonLine } from "../format.js";
import { withHistory } from "../history-source.js";
import { parseNumber } from "./parse-number.js";
import { repositoryOption } from "./repository-option.js";

interface LogOptions {
  readonly repo?: string;
  readonly from?: string;
  readonly to: string;
  readonly domain?: Domid;
  readonly tx?: number;
  readonly grep?: string;
  readonly count?: number;
}

/** Adds `xs log`. */
export function addLog(program: Command, context: CliContext): void {
  program
    .command("log")
    .summary("show the commits of the history, newest first")
    .description(
      "Shows a commit on each line: its number, its time (UTC), the beginning of its object id, and what was done. With PATH\n" +
        "only those that changed the node or one below it. With --json a commit is an object on a line of its own.\n\n" +
        "A revision is a branch, a tag, an object id, @{1234} (a commit's number), @{5 minutes ago} or\n" +
        "@{2026-11-23T07:10:04.5} (the last commit at that time, UTC), each with ~N for N commits before it.",
    )
    .argument("[path]", "a node")
    .addOption(repositoryOption())
    .addOption(new Option("--from <revision>", "the oldest commit to show (default: the first)"))
    .addOption(new Option("--to <revision>", "the newest commit to show").default("HEAD"))
    .addOption(new Option("--domain <domid>", "only what this domain did").argParser(parseDomain))
    .addOption(new Option("--tx <id>", "only what transactions with this id did").argParser(parseNumber))
    .addOption(new Option("--grep <expression>", "only messages with a match"))
    .addOption(new Option("-n, --count <count>", "end after this many commits").argParser(parseNumber))
    .addHelpText(
      "after",
      examples([
        "xs log -n 20",
        "xs log /local/domain/5/device --from '@{5 minutes ago}'",
        "xs log --repo store.git --domain 7 --json | jq -r .subject",
      ]),
    )
    .action(async (path: string | undefined, options: LogOptions) => {
      await showLog(path, options, context);
    });
}

async function showLog(path: string | undefined, options: LogOptions, context: CliContext): Promise<void> {
  const { repo, count = Infinity, ...rest } = options;
  const query: LogQuery = { path, ...rest };
  await withHistory(context, repo, async (history) => {
    let shown = 0;
    let cursor: string | undefined;
    do {
      const limit = Math.min(LOG_PAGE_MAX, count - shown);
      const page = await history.ask("log", { ...query, limit, cursor });
      for (const commit of page.commits)
        await context.io.out(context.isJson() ? jsonLine(commit) : summaryLine(commit));
      shown += page.commits.length;
      cursor = page.next;
    } while (cursor !== undefined && shown < count);
    const { from, domain, tx, grep } = query;
    const isPathAlone = [from, domain, tx, grep].every((each) => each === undefined);
    if (shown === 0 && count > 0 && path !== undefined && isPathAlone) {
      throw usageError(`there never was a node ${path}: no commit changed it or anything below it; is the path right?`);
    }
  });
}

function parseDomain(text: string): Domid {
  const domid = parseDomid(text);
  if (domid === undefined) throw new InvalidArgumentError("It is a domain's number, such as 7.");
  return domid;
}
