/**
 * `xs diff`: what leads from one state to another.
 */
import type { Command } from "commander";
import type { ChangeJson } from "../../../protocol/http-api/commit.js";
import type { DiffPage, DiffQuery, HistoryQueries } from "../../../protocol/http-api/history-queries.js";
import { diffText } from "../commit-text.js";
import type { CliContext } from "../context.js";
import { examples, exitCodes, HISTORY_EXITS } from "../help-text.js";
import { jsonLine } from "../format.js";
import { withHistory } from "../history-source.js";
import { recordedPath } from "../recorded-path.js";
import { repositoryOption } from "./repository-option.js";

/** Adds `xs diff`. */
export function addDiff(program: Command, context: CliContext): void {
  program
    .command("diff")
    .summary("show what leads from one state to another")
    .description(
      "Shows what is not the same after the commit TO as it was after the commit FROM: + came, - went, ~ is another. With\n" +
        "PATH only that node and those below it; else also the permissions of @introduceDomain and @releaseDomain, quotas and\n" +
        "domains. The commits may be any two, the newer one first too. `xs help log` tells how commits are named.",
    )
    .argument("<from>", "the commit to start from")
    .argument("<to>", "the commit to arrive at")
    .argument("[path]", "a node")
    .addOption(repositoryOption())
    .addHelpText("after", exitCodes({ ...HISTORY_EXITS, 0: "done, whether or not there is a difference" }))
    .addHelpText(
      "after",
      examples([
        "xs diff HEAD~ HEAD",
        "xs diff '@{5 minutes ago}' HEAD /local/domain/5",
        "xs diff --json @{1} @{8} | jq '.changes[].path'",
      ]),
    )
    .action(async (from: string, to: string, word: string | undefined, { repo }: { readonly repo?: string }) => {
      const path = word === undefined ? undefined : recordedPath(word);
      await withHistory(context, repo, async (history) => {
        const whole = await askAll(history, { from, to, path });
        await context.io.out(context.isJson() ? jsonLine(whole) : diffText(whole));
      });
    });
}

async function askAll(history: HistoryQueries, query: DiffQuery): Promise<DiffPage> {
  const changes: ChangeJson[] = [];
  for (let cursor: string | undefined; ;) {
    const { next, ...page } = await history.ask("diff", { ...query, cursor });
    for (const change of page.changes) changes.push(change);
    if (next === undefined) return { ...page, changes };
    cursor = next;
  }
}
