/**
 * `xs tag`, `xs tags` and `xs branches`: the names that commits have.
 */
import type { Command } from "commander";
import { CHANGE_ROUTES, type TagRequest } from "../../../protocol/http-api/changes.js";
import type { RefJson, RefsJson } from "../../../protocol/http-api/history-queries.js";
import { bytesFromText } from "../../../protocol/bytes.js";
import { summaryLine } from "../commit-text.js";
import type { CliContext } from "../context.js";
import { ADMIN_EXITS, examples, exitCodes, HISTORY_EXITS } from "../help-text.js";
import { jsonArray, jsonLine } from "../format.js";
import { withAdmin, withHistory } from "../history-source.js";
import { repositoryOption } from "./repository-option.js";

/** Adds `xs tag`. */
export function addTag(program: Command, context: CliContext): void {
  program
    .command("tag")
    .summary("give a commit a name")
    .description(
      "Gives a commit a name, which then is a revision. A tag keeps the state of its commit when older history is dropped. " +
        "It is an ordinary Git tag: `git -C STATE/store.git tag -d NAME` removes it.",
    )
    .argument("<name>", "the tag, such as before-the-upgrade")
    .argument("[revision]", "the commit", "HEAD")
    .addHelpText("after", exitCodes(ADMIN_EXITS))
    .addHelpText(
      "after",
      examples(["xs tag before-the-upgrade", "xs tag good @{1234}", "xs rollback before-the-upgrade"]),
    )
    .action(async (name: string, revision: string) => {
      const route = CHANGE_ROUTES.tags + encodeURIComponent(name).replaceAll("%2F", "/");
      const request: TagRequest = { revision };
      const tag = await withAdmin(context, (admin) => admin.send<RefJson>("PUT", route, request));
      await context.io.out(context.isJson() ? jsonLine(tag) : refLine(tag));
    });
}

/** Adds `xs tags`. */
export function addTags(program: Command, context: CliContext): void {
  addList(program, context, {
    name: "tags",
    summary: "list the tags and their commits",
    listed: ({ tags }) => tags,
  });
}

/** Adds `xs branches`. */
export function addBranches(program: Command, context: CliContext): void {
  addList(program, context, {
    name: "branches",
    summary: "list the branches and their newest commits",
    listed: ({ branches }) => branches,
  });
}

interface ListCommand {
  readonly name: string;
  readonly summary: string;
  readonly listed: (refs: RefsJson) => readonly RefJson[];
}

function addList(program: Command, context: CliContext, { name, summary, listed }: ListCommand): void {
  program
    .command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}, in the order of their names.`)
    .addOption(repositoryOption())
    .addHelpText("after", exitCodes(HISTORY_EXITS))
    .addHelpText("after", examples([`xs ${name}`, `xs ${name} --json | jq -r .[].name`]))
    .action(async ({ repo }: { readonly repo?: string }) => {
      await withHistory(context, repo, async (history) => {
        const refs = listed(await history.ask("refs", {}));
        await context.io.out(context.isJson() ? jsonArray(refs) : refs.map(refLine).join(""));
      });
    });
}

function refLine(ref: RefJson): string {
  return `${bytesFromText(ref.name)}  ${summaryLine(ref)}`;
}
