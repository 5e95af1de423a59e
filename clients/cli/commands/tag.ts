/**
 * `xs tag`, `xs tags` and `xs branches`: the names that commits have.
 */
import type { Command } from "commander";
import { CHANGE_ROUTES, type TagRequest } from "../../../protocol/http-api/changes.js";
import { FORKS_ROUTE, type ForkJson, type ForksAnswer } from "../../../protocol/http-api/forks.js";
import type { RefJson, RefsJson } from "../../../protocol/http-api/history-queries.js";
import { bytesFromText } from "../../../protocol/bytes.js";
import { refText, summaryLine } from "../commit-text.js";
import { shortOid } from "../../../protocol/short-oid.js";
import type { CliContext } from "../context.js";
import { ADMIN_EXITS, examples, exitCodes, HISTORY_EXITS } from "../help-text.js";
import { jsonArray, jsonLine } from "../format.js";
import { withAdmin, withHistory } from "../history-source.js";
import { beginningText } from "./fork.js";
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
      const request: TagRequest = { revision, branch: context.fork() };
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
    more: "Of those that the daemon serves (xs fork) it is told where, and since which commit of main they are on their own.",
    listed: async ({ branches }, options) => {
      const forks = new Map((await forksOf(context, options)).map((fork) => [fork.name, fork]));
      const listed: ListedRef[] = branches.map((branch) => ({ ...branch, fork: forks.get(branch.name) }));
      for (const { name } of branches) forks.delete(name);
      for (const fork of forks.values()) listed.push({ name: fork.name, fork });
      return listed.sort((left, right) => (left.name < right.name ? -1 : 1));
    },
  });
}

/** The forks of the daemon that the options name; none of a repository. */
async function forksOf(context: CliContext, { repo }: ListOptions): Promise<readonly ForkJson[]> {
  if (repo !== undefined || !context.io.fileExists(context.adminSocket())) return [];
  return (await withAdmin(context, (admin) => admin.get<ForksAnswer>(FORKS_ROUTE, {}))).forks;
}

interface ListOptions {
  readonly repo?: string;
}

type ListedRef =
  | (RefJson & { readonly fork?: ForkJson | undefined })
  /** A fork whose branch somebody has removed with Git. */
  | { readonly name: string; readonly fork: ForkJson };

/** As main does where its history has failed for good, such a fork goes on, and its journal keeps what the history lacks. */
const NOT_RECORDED =
  "not recorded: its branch is gone; what is committed there is in its journal alone; " +
  "put the branch back with Git and start the daemon again, or delete the fork";

interface ListCommand {
  readonly name: string;
  readonly summary: string;
  /** What the description says besides. */
  readonly more?: string;
  readonly listed: (refs: RefsJson, options: ListOptions) => readonly ListedRef[] | Promise<readonly ListedRef[]>;
}

function addList(program: Command, context: CliContext, { name, summary, more, listed }: ListCommand): void {
  program
    .command(name)
    .summary(summary)
    .description(
      `${summary.charAt(0).toUpperCase()}${summary.slice(1)}, in the order of their names.${more === undefined ? "" : ` ${more}`}`,
    )
    .addOption(repositoryOption())
    .addHelpText("after", exitCodes(HISTORY_EXITS))
    .addHelpText("after", examples([`xs ${name}`, `xs ${name} --json | jq -r .[].name`]))
    .action(async (options: ListOptions) => {
      await withHistory(context, options.repo, async (history) => {
        const refs = await listed(await history.ask("refs", {}), options);
        await context.io.out(context.isJson() ? jsonArray(refs) : refs.map(refLine).join(""));
      });
    });
}

function refLine({ fork, ...ref }: ListedRef): string {
  const summary = "oid" in ref ? summaryLine(ref) : `${NOT_RECORDED}\n`;
  return `${refText(ref.name)}  ${summary}${fork === undefined ? "" : bytesFromText(forkLine(fork))}`;
}

function forkLine(fork: ForkJson): string {
  const { socket, state, reason, base, leftMain, merge } = fork;
  const life = state === "failed" ? `not served: ${reason ?? "the log says why"}` : `${state} on ${socket}`;
  const merged = merge === undefined ? "" : `, merged last in @{${String(merge.seq)}}`;
  const oid = leftMain === undefined ? `${shortOid(base)} ` : "";
  return `    fork of ${oid}${beginningText(fork)}${merged}, ${life}\n`;
}
