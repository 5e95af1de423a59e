/**
 * `xs exists`: whether nodes are there.
 */
import type { Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { ExitError, EXIT_FAILURE } from "../exit.js";
import { jsonArray } from "../format.js";
import { together } from "./together.js";

/** Adds `xs exists`. */
export function addExists(program: Command, context: CliContext): void {
  program
    .command("exists")
    .summary("tell by the exit code whether nodes exist")
    .description("Ends with 0 when every PATH exists, else with 1. Prints nothing, unless with --json.")
    .argument("<path...>", "nodes to look for")
    .addHelpText(
      "after",
      exitCodes({
        0: "every PATH exists",
        1: "one does not, or the daemon could not be reached",
        2: DAEMON_EXITS[2] ?? "",
      }),
    )
    .addHelpText("after", examples(["if xs exists /local/domain/5; then echo running; fi"]))
    .action(async (paths: string[]) => {
      const answers = await context.withClient((client) =>
        together(client, paths.length, (tree) => Promise.all(paths.map((path) => tree.exists(bytesFromText(path))))),
      );
      if (context.isJson()) {
        await context.io.out(jsonArray(answers.map((exists, index) => ({ path: paths[index], exists }))));
      }
      if (answers.includes(false)) throw new ExitError(EXIT_FAILURE);
    });
}
