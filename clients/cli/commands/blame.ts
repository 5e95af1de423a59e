/**
 * `xs blame`: which commit made each node what it is.
 */
import { Option, type Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import { escapeValue } from "../../../protocol/escape.js";
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import type { BlameAnswer } from "../../../protocol/http-api/history-queries.js";
import { shortOid } from "../../../protocol/short-oid.js";
import { numberOf } from "../bisect-text.js";
import type { CliContext } from "../context.js";
import { jsonArray } from "../format.js";
import { examples, exitCodes, HISTORY_EXITS } from "../help-text.js";
import { withHistory } from "../history-source.js";
import { recordedPath } from "../recorded-path.js";
import { repositoryOption, type RecordedOptions } from "./repository-option.js";

/** Adds `xs blame`. */
export function addBlame(program: Command, context: CliContext): void {
  program
    .command("blame")
    .summary("show which commit made each node what it is")
    .description(
      "Shows, for a node and each one below it, the last commit that changed its value or its permissions, or made it: the " +
        "commit's number, its time (UTC) and its domain. `xs help log` tells how commits are named.",
    )
    .argument("<path>", "where to start")
    .addOption(new Option("--at <revision>", "as of this commit").default("HEAD"))
    .addOption(repositoryOption())
    .addHelpText("after", exitCodes(HISTORY_EXITS))
    .addHelpText("after", examples(["xs blame /local/domain/5", "xs blame /local/domain/5/device --at main~3"]))
    .action(async (word: string, { at, repo }: RecordedOptions) => {
      const path = recordedPath(word);
      await withHistory(context, repo, async (history) => {
        const answer = await history.ask("blame", { path, at });
        await context.io.out(context.isJson() ? jsonArray(blamedNodes(answer)) : blameText(answer));
      });
    });
}

function blamedNodes({ commits, nodes }: BlameAnswer): object[] {
  return nodes.map(({ path, commit }) => ({ path, commit: commit === undefined ? undefined : commits[commit] }));
}

function blameText({ commits, nodes }: BlameAnswer): string {
  const heads = commits.map(headOf);
  const width = Math.max(...heads.map(({ length }) => length), BEFORE.length);
  const lines = nodes.map(({ path, commit }) => {
    const head = commit === undefined ? BEFORE : (heads[commit] ?? BEFORE);
    return `${head.padEnd(width)}  ${escapeValue(bytesFromText(path))}\n`;
  });
  return lines.join("");
}

const BEFORE = "before the history";

function headOf({ seq, oid, time = "", domain }: CommitSummaryJson): string {
  const name = numberOf({ seq, oid: shortOid(oid) });
  return `${name}  ${time}  ${domain === undefined ? "" : `dom${String(domain)}`}`;
}
