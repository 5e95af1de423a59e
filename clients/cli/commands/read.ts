/**
 * `xs read`: values of nodes.
 */
import { Option, type Command } from "commander";
import { bytesFromText, type ByteString } from "../../../protocol/bytes.js";
import { valueJson } from "../../../protocol/http-api/value.js";
import type { CliContext } from "../context.js";
import { examples, exitCodes, STATE_EXITS } from "../help-text.js";
import { escapeValue } from "../../../protocol/escape.js";
import { jsonArray } from "../format.js";
import { withHistory } from "../history-source.js";
import { RecordedTree } from "../recorded-tree.js";
import { isRecorded, repositoryOption, revisionOption, type RecordedOptions } from "./repository-option.js";
import { together } from "./together.js";

interface ReadOptions extends RecordedOptions {
  readonly prefix?: boolean;
  readonly raw?: boolean;
}

/** Adds `xs read`. */
export function addRead(program: Command, context: CliContext): void {
  program
    .command("read")
    .summary("print the values of nodes")
    .description(
      "Prints the value of each PATH on a line of its own. Several are read in one transaction. With --at they are those of a\n" +
        "recorded state; `xs help log` tells how commits are named.",
    )
    .argument("<path...>", "nodes to read")
    .addOption(new Option("-p, --prefix", "print the path before each value"))
    .addOption(new Option("-R, --raw", "print bytes as they are, and no line feed after them"))
    .addOption(revisionOption())
    .addOption(repositoryOption())
    .addHelpText("after", exitCodes(STATE_EXITS))
    .addHelpText(
      "after",
      examples([
        "xs read /local/domain/5/name",
        "xs read -R /local/domain/5/data > file",
        "xs read --at @{1234} /local/domain/5/device/vif/0/state",
      ]),
    )
    .action(async (paths: string[], options: ReadOptions) => {
      const nodes = paths.map(bytesFromText);
      const values = await (isRecorded(options)
        ? readRecorded(nodes, options, context)
        : context.withClient((client) =>
            together(client, nodes.length, (tree) => Promise.all(nodes.map((path) => tree.read(path)))),
          ));
      if (context.isJson()) {
        await context.io.out(jsonArray(values.map((value, index) => ({ path: nodes[index], ...valueJson(value) }))));
        return;
      }
      await context.io.out(values.map((value, index) => line(nodes[index] ?? "", value, options)).join(""));
    });
}

async function readRecorded(
  nodes: readonly ByteString[],
  { at, repo }: RecordedOptions,
  context: CliContext,
): Promise<ByteString[]> {
  return await withHistory(context, repo, async (history) => {
    const tree = new RecordedTree(history, at);
    const values: ByteString[] = [];
    for (const path of nodes) values.push(await tree.read(path));
    return values;
  });
}

function line(path: ByteString, value: ByteString, { prefix, raw }: ReadOptions): ByteString {
  return (prefix === true ? `${path}: ` : "") + (raw === true ? value : `${escapeValue(value)}\n`);
}
