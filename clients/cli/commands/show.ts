/**
 * `xs show`: one commit in full.
 */
import type { Command } from "commander";
import { commitText } from "../commit-text.js";
import type { CliContext } from "../context.js";
import { examples, exitCodes, HISTORY_EXITS } from "../help-text.js";
import { jsonLine } from "../format.js";
import { withHistory } from "../history-source.js";
import { repositoryOption } from "./repository-option.js";

/** Adds `xs show`. */
export function addShow(program: Command, context: CliContext): void {
  program
    .command("show")
    .summary("show a commit: who, when, what was asked, and what changed")
    .description(
      "Shows who made a commit, when, with which requests, and every change with the old and the new value: + came, - went,\n" +
        "~ is another. Of a transaction that began earlier also what others committed before it ended. `xs help log` tells\n" +
        "how commits are named.",
    )
    .argument("[revision]", "the commit", "HEAD")
    .addOption(repositoryOption())
    .addHelpText("after", exitCodes(HISTORY_EXITS))
    .addHelpText("after", examples(["xs show", "xs show @{1234}", "xs show --json main~3 | jq .changes"]))
    .action(async (revision: string, { repo }: { readonly repo?: string }) => {
      await withHistory(context, repo, async (history) => {
        const commit = await history.ask("commit", { revision });
        await context.io.out(context.isJson() ? jsonLine(commit) : commitText(commit));
      });
    });
}
