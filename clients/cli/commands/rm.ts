/**
 * `xs rm`: removes nodes.
 */
import { Option, type Command } from "commander";
import { bytesFromText, type ByteString } from "../../../protocol/bytes.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { together, type Tree } from "./together.js";

interface RmOptions {
  readonly tidy?: boolean;
}

/** Adds `xs rm`. */
export function addRm(program: Command, context: CliContext): void {
  program
    .command("rm")
    .summary("remove nodes with all below them")
    .description("Removes each PATH with all below it. Several are removed in one transaction.")
    .argument("<path...>", "nodes to remove")
    .addOption(new Option("-t, --tidy", "also remove parents that are left without children and value"))
    .addHelpText("after", exitCodes(DAEMON_EXITS))
    .addHelpText("after", examples(["xs rm /local/domain/5", "xs rm -t /vm/abc/device"]))
    .action(async (paths: string[], options: RmOptions) => {
      const tidy = options.tidy === true;
      // Tidying asks before it removes, so it is several requests, whatever the number of paths.
      const requestCount = tidy ? Infinity : paths.length;
      await context.withClient((client) =>
        together(client, requestCount, async (tree) => {
          for (const path of paths.map(bytesFromText)) {
            await tree.rm(path);
            if (tidy) await removeEmptyParents(tree, path);
          }
        }),
      );
    });
}

async function removeEmptyParents(tree: Tree, path: ByteString): Promise<void> {
  let parent = path;
  for (;;) {
    // The root, and the top of a relative path, stay.
    const slash = parent.lastIndexOf("/");
    if (slash <= 0) return;
    parent = parent.slice(0, slash);
    const [names, value] = await Promise.all([tree.directory(parent), tree.read(parent)]);
    if (names.length > 0 || value !== "") return;
    await tree.rm(parent);
  }
}
