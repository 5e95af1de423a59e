/**
 * `xs perms`: permissions of single nodes, which `ls -p` shows for those below a path.
 */
import type { Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import { permsJson } from "../../../protocol/http-api/value.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { jsonArray, permsText } from "../format.js";
import { together } from "./together.js";

/** Adds `xs perms`. */
export function addPerms(program: Command, context: CliContext): void {
  program
    .command("perms")
    .summary("print the permissions of nodes")
    .description("Prints the permissions of each PATH on a line of its own, as xs chmod takes them.")
    .argument("<path...>", "nodes")
    .addHelpText("after", exitCodes(DAEMON_EXITS))
    .addHelpText("after", examples(["xs perms /local/domain/5/data", "xs perms @releaseDomain"]))
    .action(async (paths: string[]) => {
      const lists = await context.withClient((client) =>
        together(client, paths.length, (tree) => Promise.all(paths.map((path) => tree.getPerms(bytesFromText(path))))),
      );
      await context.io.out(
        context.isJson()
          ? jsonArray(lists.map((perms, index) => ({ path: paths[index], perms: permsJson(perms) })))
          : lists.map((perms) => `${permsText(perms)}\n`).join(""),
      );
    });
}
