/**
 * `xs mkdir`: nodes with empty values.
 */
import type { Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { together } from "./together.js";

/** Adds `xs mkdir`. */
export function addMkdir(program: Command, context: CliContext): void {
  program
    .command("mkdir")
    .summary("create nodes")
    .description("Creates each PATH with an empty value, and its parents. A node that exists stays as it is.")
    .argument("<path...>", "nodes to create")
    .addHelpText("after", exitCodes(DAEMON_EXITS))
    .addHelpText("after", examples(["xs mkdir /local/domain/5/data"]))
    .action(async (paths: string[]) => {
      await context.withClient((client) =>
        together(client, paths.length, (tree) => Promise.all(paths.map((path) => tree.mkdir(bytesFromText(path))))),
      );
    });
}
