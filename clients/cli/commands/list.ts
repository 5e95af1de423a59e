/**
 * `xs list`: names of children.
 */
import { Option, type Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { jsonArray } from "../format.js";
import { together } from "./together.js";

interface ListOptions {
  readonly prefix?: boolean;
}

/** Adds `xs list`. */
export function addList(program: Command, context: CliContext): void {
  program
    .command("list")
    .summary("print the names of a node's children")
    .description("Prints the names of the children of each PATH, one on each line.")
    .argument("<path...>", "parents")
    .addOption(new Option("-p, --prefix", "print whole paths"))
    .addHelpText("after", exitCodes(DAEMON_EXITS))
    .addHelpText("after", examples(["xs list /local/domain", "xs list -p /local/domain/5/device"]))
    .action(async (paths: string[], options: ListOptions) => {
      const parents = paths.map(bytesFromText);
      const lists = await context.withClient((client) =>
        together(client, parents.length, (tree) => Promise.all(parents.map((path) => tree.directory(path)))),
      );
      const results = lists.map((names, index) => ({ path: parents[index] ?? "", children: names }));
      if (context.isJson()) {
        await context.io.out(jsonArray(results));
        return;
      }
      const lines = results.flatMap(({ path, children }) => {
        const base = options.prefix !== true ? "" : path.endsWith("/") ? path : `${path}/`;
        return children.map((name) => `${base}${name}\n`);
      });
      await context.io.out(lines.join(""));
    });
}
