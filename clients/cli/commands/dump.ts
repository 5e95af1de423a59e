/**
 * `xs dump`: a recorded state as `xenstore-ls -fp` prints it.
 */
import { Option, type Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import type { CliContext } from "../context.js";
import { examples, exitCodes, HISTORY_EXITS } from "../help-text.js";
import type { ListingStyle } from "../format.js";
import { withHistory } from "../history-source.js";
import { printTree } from "../print-tree.js";
import { RecordedTree } from "../recorded-tree.js";
import { repositoryOption, type RecordedOptions } from "./repository-option.js";

/** For programs, so the same on a terminal. */
const STYLE: ListingStyle = { fullPaths: true, perms: true, width: Infinity, colours: false };

/** Adds `xs dump`. */
export function addDump(program: Command, context: CliContext): void {
  program
    .command("dump")
    .summary("print a recorded state, for other programs to read")
    .description(
      "Prints every node below PATH with its value and its permissions, byte for byte as `xenstore-ls -fp` would have printed\n" +
        "them: a line for each, with its whole path. Like there PATH itself is not among them, nor are quotas, domains and the\n" +
        "permissions of @introduceDomain and @releaseDomain. The state is the newest recorded one, unless --at names another.",
    )
    .argument("[path]", "where to start", "/")
    .addOption(new Option("--at <revision>", "print the state after this commit").default("HEAD"))
    .addOption(repositoryOption())
    .addHelpText("after", exitCodes(HISTORY_EXITS))
    .addHelpText(
      "after",
      examples([
        "xs dump > state.txt",
        "xs dump --at v1 /local/domain/5",
        "xs dump --repo store.git --at @{1234} --json",
      ]),
    )
    .action(async (path: string, { at, repo }: RecordedOptions) => {
      await withHistory(context, repo, async (history) => {
        const tree = new RecordedTree(history, at);
        await printTree(context, [bytesFromText(path)], { style: STYLE, nodesBelow: (top) => tree.below(top) });
      });
    });
}
