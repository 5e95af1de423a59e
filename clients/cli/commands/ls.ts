/**
 * `xs ls`: a tree with its values, as `xenstore-ls` prints it.
 */
import { Option, type Command } from "commander";
import { bytesFromText, type ByteString } from "../../../protocol/bytes.js";
import type { CliContext } from "../context.js";
import { examples, exitCodes, STATE_EXITS } from "../help-text.js";
import { ExitError, EXIT_FAILURE } from "../exit.js";
import type { ListingStyle } from "../format.js";
import { withHistory } from "../history-source.js";
import { liveNodes, type Reading } from "../live-tree.js";
import { printTree } from "../print-tree.js";
import { RecordedTree } from "../recorded-tree.js";
import { isRecorded, repositoryOption, revisionOption, type RecordedOptions } from "./repository-option.js";

/** Width when there is no terminal, as in xenstore-ls. */
const WIDTH = 80;
/** Columns of a terminal that stay free, as in xenstore-ls. */
const MARGIN = 2;

interface LsOptions extends RecordedOptions {
  readonly full?: boolean;
  readonly perms?: boolean;
  readonly wide?: boolean;
}

/** Adds `xs ls`. */
export function addLs(program: Command, context: CliContext): void {
  program
    .command("ls")
    .summary("show nodes with their values, as a tree")
    .description(
      "Shows the nodes below each PATH with their values, in the format of xenstore-ls: a node that may not be read has a colon\n" +
        "and no value. With --at the nodes of a recorded state; `xs help log` tells how commits are named.",
    )
    .argument("[path...]", "where to start (default: /)")
    .addOption(new Option("-f, --full", "show whole paths, and values without cutting them"))
    .addOption(new Option("-p, --perms", "show permissions, the owner's first"))
    .addOption(new Option("-w, --wide", "never cut values at the width of the terminal"))
    .addOption(revisionOption())
    .addOption(repositoryOption())
    .addHelpText("after", exitCodes(STATE_EXITS))
    .addHelpText(
      "after",
      examples([
        "xs ls",
        "xs ls -f -p /local/domain/5",
        "xs ls --at '@{5 minutes ago}' /local/domain/5",
        "xs ls --json / | jq -r '.[].path'",
      ]),
    )
    .action(async (words: string[], options: LsOptions) => {
      const paths = (words.length === 0 ? ["/"] : words).map(bytesFromText);
      await (isRecorded(options) ? listRecorded(paths, options, context) : listLive(paths, options, context));
    });
}

function styleOf(options: LsOptions, context: CliContext): ListingStyle {
  const { columns } = context.io;
  const narrow = columns === undefined ? WIDTH : columns - MARGIN;
  return {
    fullPaths: options.full === true,
    perms: options.perms === true,
    width: options.wide === true ? Infinity : narrow,
    colours: context.hasColours(),
  };
}

async function listLive(paths: readonly ByteString[], options: LsOptions, context: CliContext): Promise<void> {
  const style = styleOf(options, context);
  const refused = await context.withClient(async (client) => {
    const reading: Reading = { client, perms: style.perms, refused: undefined };
    await printTree(context, paths, { style, nodesBelow: (path) => liveNodes(reading, path) });
    return reading.refused;
  });
  if (refused === undefined) return;
  throw new ExitError(EXIT_FAILURE, `not everything could be read: ${refused.message}`, { cause: refused });
}

async function listRecorded(paths: readonly ByteString[], options: LsOptions, context: CliContext): Promise<void> {
  const style = styleOf(options, context);
  await withHistory(context, options.repo, async (history) => {
    const tree = new RecordedTree(history, options.at);
    await printTree(context, paths, { style, nodesBelow: (path) => tree.below(path) });
  });
}
