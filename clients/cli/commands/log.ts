/**
 * `xs log`: the commits of the history, newest first.
 */
import { InvalidArgumentError, Option, type Command } from "commander";
import { summarizeCommit } from "../../../daemon/history/query/commit-summary.js";
import { walkLog, type LogFilter } from "../../../daemon/history/query/log.js";
import { bytesFromText } from "../../../protocol/bytes.js";
import { parseDomid, type Domid, type Path, type TxId } from "../../../protocol/identifiers.js";
import { parsePath } from "../../../protocol/path.js";
import { summaryJson, summaryLine } from "../commit-text.js";
import { examples, type CliContext } from "../context.js";
import { usageError } from "../exit.js";
import { jsonLine } from "../format.js";
import { chooseRepository } from "../repository-choice.js";
import { withHistory } from "../with-history.js";
import { parseNumber } from "./parse-number.js";
import { repositoryOption } from "./repository-option.js";

interface LogOptions {
  readonly repo?: string;
  readonly from?: string;
  readonly to: string;
  readonly domain?: Domid;
  readonly tx?: TxId;
  readonly grep?: RegExp;
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
    .addOption(new Option("--grep <expression>", "only messages with a match").argParser(parseExpression))
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
      await showLog(path === undefined ? undefined : absolutePath(path), options, context);
    });
}

async function showLog(path: Path | undefined, options: LogOptions, context: CliContext): Promise<void> {
  const { from, to, domain, tx, grep, count = Infinity } = options;
  const filter: LogFilter = { path, domain, transaction: tx, grep };
  await withHistory(chooseRepository(options.repo, context.io), async ({ view, commit, beginning }) => {
    const range = { to: commit(to), from: from === undefined ? undefined : beginning(from) };
    let shown = 0;
    if (count === 0) return;
    for (const found of walkLog(view, range, filter)) {
      const summary = summarizeCommit(found);
      await context.io.out(context.isJson() ? jsonLine(summaryJson(summary)) : summaryLine(summary));
      if (++shown === count) break;
    }
    const isPathAlone = [from, domain, tx, grep].every((each) => each === undefined);
    if (shown === 0 && path !== undefined && isPathAlone) {
      throw usageError(`there never was a node ${path}: no commit changed it or anything below it; is the path right?`);
    }
  });
}

function absolutePath(text: string): Path {
  const path = text.startsWith("/") ? parsePath(bytesFromText(text), 0 as Domid) : undefined;
  if (path !== undefined) return path;
  throw usageError(`${JSON.stringify(text)} is no path of a node: write one such as /local/domain/5/name`);
}

function parseDomain(text: string): Domid {
  const domid = parseDomid(text);
  if (domid === undefined) throw new InvalidArgumentError("It is a domain's number, such as 7.");
  return domid;
}

function parseExpression(text: string): RegExp {
  try {
    return new RegExp(bytesFromText(text), "m");
  } catch {
    throw new InvalidArgumentError("It is a regular expression, such as 'WRITE .*/state'.");
  }
}
