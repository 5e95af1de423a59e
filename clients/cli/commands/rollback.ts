/**
 * `xs rollback` and `xs revert`: make the store as it was, undo one commit.
 */
import type { Command } from "commander";
import {
  CHANGE_ROUTES,
  type ChangesAnswer,
  type RevertRequest,
  type RollbackRequest,
} from "../../../protocol/http-api/changes.js";
import { numberOf } from "../bisect-text.js";
import { countText, plannedText } from "../commit-text.js";
import type { CliContext } from "../context.js";
import { ADMIN_EXITS, examples, exitCodes } from "../help-text.js";
import { jsonLine } from "../format.js";
import { withAdmin } from "../history-source.js";
import { recordedPath } from "../recorded-path.js";

interface Options {
  readonly dryRun?: boolean;
}

const DRY_RUN = ["-n, --dry-run", "show what would change, and change nothing"] as const;

/** Adds `xs rollback`. */
export function addRollback(program: Command, context: CliContext): void {
  program
    .command("rollback")
    .summary("make the store, or a part of it, as it was")
    .description(
      "Makes the store as it was after a commit, or with PATH only that node and what is below it. It is a commit of its " +
        "own, so the history keeps what it undoes, and a rollback can be rolled back. Watches fire for exactly what differs. " +
        "Open transactions end in EAGAIN if they read what differs now. Without PATH, perms of special paths, quotas and " +
        "domains become as they were too: the sockets of domains that are not introduced any more close. " +
        "Permissions come back as they were, also those of a domain whose number another one has by now. " +
        "Values that --redact kept out of the history come back empty. What was committed before is brought into the history first, " +
        "which takes some seconds while thousands of commits a second come. `xs help log` tells how commits are named.",
    )
    .argument("<revision>", "the commit to go back to")
    .argument("[path]", "a node")
    .option(...DRY_RUN)
    .addHelpText("after", exitCodes({ ...ADMIN_EXITS, 1: "a conflict, which is told; or no answer from the daemon" }))
    .addHelpText(
      "after",
      examples([
        "xs rollback @{1234} --dry-run",
        "xs rollback '@{5 minutes ago}' /local/domain/7",
        "xs rollback main~1",
      ]),
    )
    .action(async (revision: string, word: string | undefined, { dryRun }: Options) => {
      const path = word === undefined ? undefined : recordedPath(word);
      const request: RollbackRequest = { revision, path, dryRun, branch: context.fork() };
      await change(context, CHANGE_ROUTES.rollback, request, (target) =>
        path === undefined ? `rolled back to ${target}` : `rolled ${path} back to ${target}`,
      );
    });
}

/** Adds `xs revert`. */
export function addRevert(program: Command, context: CliContext): void {
  program
    .command("revert")
    .summary("undo one commit")
    .description(
      "Undoes what one commit changed and leaves all that was changed since as it is. Where something that the commit changed " +
        "has been changed again, nothing is done and the paths are listed (exit code 1).",
    )
    .argument("<revision>", "the commit to undo")
    .option(...DRY_RUN)
    .addHelpText("after", exitCodes({ ...ADMIN_EXITS, 1: "a conflict, which is told; or no answer from the daemon" }))
    .addHelpText("after", examples(["xs revert @{1234}", "xs revert HEAD --dry-run"]))
    .action(async (revision: string, { dryRun }: Options) => {
      const request: RevertRequest = { revision, dryRun, branch: context.fork() };
      await change(context, CHANGE_ROUTES.revert, request, (target) => `reverted ${target}`);
    });
}

async function change(
  context: CliContext,
  route: string,
  request: RollbackRequest | RevertRequest,
  done: (target: string) => string,
): Promise<void> {
  const answer = await withAdmin(context, (admin) => admin.send<ChangesAnswer>("POST", route, request));
  if (context.isJson()) await context.io.out(jsonLine(answer));
  else await context.io.out(changeText(answer, done(numberOf(answer.target))));
}

/** What became of a change; `done` says what was done, where it was. */
export function changeText({ outcome, commit, changes, changeCount }: ChangesAnswer, done: string): string {
  const count = countText(changeCount);
  switch (outcome) {
    case "unchanged":
      return "nothing differs: nothing was done\n";
    case "committed":
      return `${done}: ${count}${commit === undefined ? "" : `, in ${numberOf(commit)}`}\n`;
    case "planned":
      return changeCount === 0 ? "nothing differs\n" : plannedText(changes, changeCount);
  }
}
