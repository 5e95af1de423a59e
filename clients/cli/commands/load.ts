/**
 * `xs load`: make the nodes of the store what a listing says.
 */
import type { Command } from "commander";
import { forkNameProblem } from "../../../protocol/fork-name.js";
import { CHANGE_ROUTES, type LoadAnswer, type LoadRequest } from "../../../protocol/http-api/changes.js";
import { forkRoute, FORKS_ROUTE, type ForkRequest, type ForksAnswer } from "../../../protocol/http-api/forks.js";
import { valueJson } from "../../../protocol/http-api/value.js";
import { bytesFromText, type ByteString } from "../../../protocol/bytes.js";
import { messageOf } from "../../xenstore/errors.js";
import { counted } from "../bisect-text.js";
import { countText, plannedText } from "../commit-text.js";
import type { AdminClient } from "../admin-client.js";
import type { CliContext } from "../context.js";
import { ExitError, usageError } from "../exit.js";
import { jsonLine, shown } from "../format.js";
import { ADMIN_EXITS, examples, exitCodes } from "../help-text.js";
import { withAdmin } from "../history-source.js";
import type { CliIo } from "../io.js";
import { recordedPath } from "../recorded-path.js";

interface Options {
  readonly path?: string;
  readonly skipBadLines?: boolean;
  readonly dryRun?: boolean;
}

/** Adds `xs load`. */
export function addLoad(program: Command, context: CliContext): void {
  program
    .command("load")
    .summary("make the store what a listing says")
    .description(
      "Makes the nodes of the store, or of it --path and what is below, what a listing says, in one commit: what xs dump or xenstore-ls -fp " +
        "printed, here or on another host, also out of a mail or a bug report. Nodes that are not listed go. Watches fire for " +
        "what differs, and xs rollback brings back what was. A listing has no quotas and no domains: these stay. With --fork NAME " +
        "the fork becomes what the listing says, and is made if there is none: so another host's state can be replayed against.",
    )
    .argument("<file>", "the listing; - for standard input")
    .option("--path <node>", "only this node and what is below it; where an indented listing begins")
    .option("--skip-bad-lines", "leave out the lines that make no sense, rather than do nothing")
    .option("-n, --dry-run", "show what would change, and change nothing")
    .addHelpText("after", exitCodes({ ...ADMIN_EXITS, 130: "ended by Ctrl-C" }))
    .addHelpText(
      "after",
      examples([
        "xs load state.txt --dry-run",
        "xs load state.txt --path /local/domain/7",
        "xs load state.txt --fork their-host",
      ]),
    )
    .action(async (file: string, options: Options) => {
      const { skipBadLines, dryRun } = options;
      const path = options.path === undefined ? undefined : recordedPath(options.path);
      const listing = valueJson(await readListing(file, context));
      const branch = context.fork();
      const request: LoadRequest = { listing, path, skipBadLines, dryRun, branch };
      const answer = await withAdmin(context, (admin) => load(admin, request, context));
      if (context.isJson()) await context.io.out(jsonLine(answer));
      else {
        for (const remark of answer.remarks) context.io.err(`xs: ${remark}\n`);
        await context.io.out(answerText(answer, request));
      }
    });
}

/** Loads a listing; where the fork that is named is missing, it is made, or with a dry run only told of. */
async function load(admin: AdminClient, request: LoadRequest, { io }: CliContext): Promise<LoadAnswer> {
  const { branch, dryRun } = request;
  const send = (asked: LoadRequest): Promise<LoadAnswer> => admin.send<LoadAnswer>("POST", CHANGE_ROUTES.load, asked);
  if (branch === undefined || (await hasFork(admin, branch))) return await send(request);
  // What is wrong with the name or the listing is told before anything is made, or promised.
  const problem = forkNameProblem(branch);
  if (problem !== undefined) throw usageError(problem);
  const planned = await send({ ...request, branch: undefined, dryRun: true });
  if (dryRun === true) {
    io.err(`xs: there is no fork ${branch}: it would be made of main's newest commit, and changed so\n`);
    return planned;
  }
  return await loadIntoNew(admin, branch, () => send(request), io);
}

/**
 * Makes a fork and loads a listing into it. Where that fails, or somebody ends the program meanwhile, the fork is deleted again:
 * what was asked for by then the daemon does in any case, so its answer is waited for.
 */
async function loadIntoNew(
  admin: AdminClient,
  name: string,
  send: () => Promise<LoadAnswer>,
  io: CliIo,
): Promise<LoadAnswer> {
  const interruption = new AbortController();
  const { signal } = interruption;
  const forget = io.onInterrupt((exitCode) => {
    io.err(`xs: waiting for the daemon's answer, to delete the fork ${name} again\n`);
    interruption.abort(new ExitError(exitCode));
  });
  try {
    await admin.send("POST", FORKS_ROUTE, { name } satisfies ForkRequest);
    try {
      signal.throwIfAborted();
      const answer = await send();
      signal.throwIfAborted();
      return answer;
    } catch (error) {
      io.err(`xs: ${await takeBack(admin, name)}\n`);
      signal.throwIfAborted();
      throw error;
    }
  } finally {
    forget();
  }
}

/** Deletes a fork that holds main's state in place of the listing's; tells what became of it. */
async function takeBack(admin: AdminClient, name: string): Promise<string> {
  try {
    await admin.send("DELETE", forkRoute(name));
    return `the fork ${name}, which was made for the listing, was deleted again`;
  } catch (error) {
    return (
      `the fork ${name}, which was made for the listing, has main's state: delete it with xs fork ${name} --delete, ` +
      `for now it could not be (${messageOf(error)})`
    );
  }
}

async function hasFork(admin: AdminClient, name: string): Promise<boolean> {
  const { forks } = await admin.get<ForksAnswer>(FORKS_ROUTE, {});
  return forks.some((fork) => fork.name === name);
}

async function readListing(file: string, { io }: CliContext): Promise<ByteString> {
  if (file === "-") return await io.readInput();
  try {
    return io.readFile(file);
  } catch (error) {
    throw usageError(`${file} cannot be read: ${messageOf(error)}`);
  }
}

function answerText(answer: LoadAnswer, { path, branch }: LoadRequest): ByteString {
  const { outcome, commit, changes, changeCount, nodeCount } = answer;
  const nodes = counted(nodeCount, "node");
  switch (outcome) {
    case "unchanged":
      return bytesFromText(`${sameText(nodes, path, branch)}: nothing was done\n`);
    case "committed":
      return bytesFromText(`loaded ${nodes}: ${countText(changeCount)}, in @{${String(commit?.seq ?? "?")}}\n`);
    case "planned":
      return plannedText(changes, changeCount);
  }
}

function sameText(nodes: string, path = "/", branch?: string): string {
  const where = branch === undefined ? "the store" : `the fork ${branch}`;
  if (path === "/") return `${where} has the ${nodes} of the listing, and no others`;
  return `in ${where} ${shown(path)} and what is below it are as in the listing`;
}
