/**
 * `xs fork` and `xs merge`: another branch beside main, live and writable, and its way back.
 */
import { Option, type Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import {
  forkRoute,
  FORKS_ROUTE,
  mergeRoute,
  type ForkJson,
  type ForkRequest,
  type MergeAnswer,
  type MergeRequest,
} from "../../../protocol/http-api/forks.js";
import { shortOid } from "../../../protocol/short-oid.js";
import type { CliContext } from "../context.js";
import { usageError } from "../exit.js";
import { jsonLine } from "../format.js";
import { ADMIN_EXITS, examples, exitCodes } from "../help-text.js";
import { withAdmin } from "../history-source.js";
import { changeText } from "./rollback.js";

interface ForkOptions {
  readonly from?: string;
  readonly delete?: boolean;
}

/** Adds `xs fork`. */
export function addFork(program: Command, context: CliContext): void {
  program
    .command("fork")
    .summary("serve another branch, from any past state")
    .description(
      "Has the daemon serve another branch of its history beside main, live and writable, on a socket of its own: " +
        "RUN/branches/NAME, and for guests RUN/branches/NAME.domains/DOMID. It begins with the state after a commit, so a boot can " +
        "be replayed on the state before it failed. What is done to a fork is done to no other branch, and its commits are in the " +
        "same repository: NAME is a revision. The daemon serves it again after each start, until it is deleted; main's old " +
        "history stays from the commit on that it began with.\n\n" +
        "Any command is about the fork with --fork NAME, or on its socket. Values that --redact kept out of the history are " +
        "empty there. --delete ends it, with its commits but for those that were merged (xs merge); the object id that is told " +
        "makes it again with --from, as long as no git gc came between.",
    )
    .argument("<fork>", "its name: letters, digits, - _ and .")
    .addOption(new Option("--from <revision>", "the commit to begin with (default: the newest)"))
    .addOption(new Option("--delete", "delete the fork").conflicts("from"))
    .addHelpText(
      "after",
      exitCodes({ ...ADMIN_EXITS, 1: "it cannot be done now, as is told; or no answer from the daemon" }),
    )
    .addHelpText(
      "after",
      examples([
        "xs fork before --from @{1234}~1",
        "xs fork what-if && xs --fork what-if write /a 1",
        "XENSTORED_PATH=.xenstore/run/branches/before xenstore-ls -f",
        "xs fork before --delete",
      ]),
    )
    .action(async (name: string, { from, delete: isDeletion = false }: ForkOptions) => {
      refuseEmptyName(name);
      const fork = await withAdmin(context, (admin) =>
        isDeletion
          ? admin.send<ForkJson>("DELETE", forkRoute(name))
          : admin.send<ForkJson>("POST", FORKS_ROUTE, forkRequest(name, from, context)),
      );
      if (context.isJson()) await context.io.out(jsonLine(fork));
      else await context.io.out(bytesFromText(isDeletion ? deletedText(fork) : madeText(fork)));
    });
}

/** The routes have no place for one. */
function refuseEmptyName(name: string): void {
  if (name === "") throw usageError("a fork's name is not empty: xs branches lists the forks that there are");
}

function forkRequest(name: string, from: string | undefined, context: CliContext): ForkRequest {
  // A fork of the fork that the options name begins with that one's newest commit.
  return { name, revision: from, branch: context.fork() };
}

function madeText(fork: ForkJson): string {
  return `fork ${fork.name} of ${beginningText(fork)}, served on ${fork.socket}\n`;
}

/** What a fork began with: a seq alone would be main's. */
export function beginningText({ base, baseSeq, leftMain }: ForkJson): string {
  return leftMain === undefined
    ? `@{${String(baseSeq)}}`
    : `${shortOid(base)}, which left main at @{${String(leftMain)}}`;
}

function deletedText({ name, tip }: ForkJson): string {
  return `deleted fork ${name}${tip === undefined ? "" : ` (was ${tip})`}\n`;
}

interface MergeOptions {
  readonly ours?: boolean;
  readonly theirs?: boolean;
  readonly dryRun?: boolean;
}

/** Adds `xs merge`. */
export function addMerge(program: Command, context: CliContext): void {
  program
    .command("merge")
    .summary("merge a fork into main")
    .description(
      "Brings what was done on a fork into main, in one commit with two parents: value, perms, existence and children of each node " +
        "are merged with what main has changed since the fork began, or was merged last. Watches fire for what differs in main. " +
        "Where both have changed the same otherwise, nothing is done and the conflicts are listed (exit code 1); --ours and --theirs " +
        "say whose change is taken there. The fork goes on, and can be merged again. Where --redact kept a value out of the history " +
        "main keeps its own, and a node that is new in main is empty.",
    )
    .argument("<fork>", "the fork's name")
    .addOption(new Option("--ours", "in a conflict take what main has"))
    .addOption(new Option("--theirs", "in a conflict take what the fork has").conflicts("ours"))
    .option("-n, --dry-run", "show what would change, and change nothing")
    .addHelpText("after", exitCodes({ ...ADMIN_EXITS, 1: "a conflict, which is told; or no answer from the daemon" }))
    .addHelpText("after", examples(["xs merge what-if --dry-run", "xs merge what-if --theirs"]))
    .action(async (name: string, { ours, theirs, dryRun }: MergeOptions) => {
      refuseEmptyName(name);
      if (context.fork() !== undefined) {
        throw usageError("a fork is merged into main and into no other: leave out --fork, or name main's socket");
      }
      const prefer = ours === true ? "ours" : theirs === true ? "theirs" : undefined;
      const request: MergeRequest = { prefer, dryRun };
      const answer = await withAdmin(context, (admin) => admin.send<MergeAnswer>("POST", mergeRoute(name), request));
      if (context.isJson()) {
        await context.io.out(jsonLine(answer));
        return;
      }
      for (const conflict of answer.settled) context.io.err(`xs: settled: ${conflict}\n`);
      const seq = answer.target.seq === undefined ? answer.target.oid : `${name}@{${String(answer.target.seq)}}`;
      await context.io.out(containedText(name, answer) ?? changeText(answer, `merged ${seq}`));
    });
}

/** Of a merge for which there was nothing to do, though main's nodes are others than the fork's. */
function containedText(name: string, { contained }: MergeAnswer): string | undefined {
  if (contained === undefined) return undefined;
  const { seq, isMerge } = contained;
  if (!isMerge)
    return `${name} has nothing of its own since @{${String(seq)}}, with which it began: nothing was done\n`;
  return (
    `${name} has nothing new since it was merged in @{${String(seq)}}: nothing was done ` +
    "(what main undid since, xs revert of the commit that undid it brings back)\n"
  );
}
