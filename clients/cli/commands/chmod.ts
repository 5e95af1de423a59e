/**
 * `xs chmod`: permissions of nodes.
 */
import { Option, type Command } from "commander";
import { bytesFromText, type ByteString } from "../../../protocol/bytes.js";
import { parsePerms, type Perms } from "../../../protocol/perms.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { usageError } from "../exit.js";
import { badPerms } from "../script.js";
import { together, type Tree } from "./together.js";

interface ChmodOptions {
  readonly recursive?: boolean;
  readonly upwards?: boolean;
}

/** Adds `xs chmod`. */
export function addChmod(program: Command, context: CliContext): void {
  program
    .command("chmod")
    .summary("set the permissions of a node")
    .description(
      "Replaces the permissions of PATH. A PERM is a letter and a domain id: r read, w write, b both, n none.\n" +
        "The first names the owner, and what domains that are not listed may do; the owner may do everything.",
    )
    .argument("<path>", "the node")
    .argument("<perm...>", "permissions, such as n0 r5")
    .addOption(new Option("-r, --recursive", "also set them on all nodes below"))
    .addOption(new Option("-u, --upwards", "also set them on the parents, but not on /"))
    .addHelpText("after", exitCodes(DAEMON_EXITS))
    .addHelpText("after", examples(["xs chmod /local/domain/5/data n5 r0", "xs chmod -r /vm/abc n0 r5"]))
    .action(async (path: string, words: string[], options: ChmodOptions) => {
      const perms = parsePerms(words);
      if (perms === undefined) throw usageError(badPerms(words));
      const top = bytesFromText(path);
      const requestCount = options.recursive === true || options.upwards === true ? Infinity : 1;
      await context.withClient((client) =>
        together(client, requestCount, async (tree) => {
          await tree.setPerms(top, perms);
          if (options.upwards === true) await setOnParents(tree, top, perms);
          if (options.recursive === true) await setBelow(tree, top, perms);
        }),
      );
    });
}

async function setOnParents(tree: Tree, path: ByteString, perms: Perms): Promise<void> {
  for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
    await tree.setPerms(path.slice(0, slash), perms);
  }
}

async function setBelow(tree: Tree, top: ByteString, perms: Perms): Promise<void> {
  const left = [top];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    const children = await tree.directory(path);
    const base = path.endsWith("/") ? path : `${path}/`;
    const paths = children.map((name) => base + name);
    await Promise.all(paths.map((child) => tree.setPerms(child, perms)));
    left.push(...paths);
  }
}
