/**
 * `xs write`: values into nodes.
 */
import { Option, type Command } from "commander";
import { bytesFromText, type ByteString } from "../../../protocol/bytes.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { unescapeValue } from "../../../protocol/escape.js";
import { usageError } from "../exit.js";
import { together } from "./together.js";

interface WriteOptions {
  readonly raw?: boolean;
}

/** Adds `xs write`. */
export function addWrite(program: Command, context: CliContext): void {
  program
    .command("write")
    .summary("write values into nodes")
    .description(
      "Writes each VALUE into the PATH before it, and creates what is missing. Several are written in one transaction.\n" +
        "In a value, \\t \\n \\r \\\\ \\001 \\xff stand for bytes, as in xenstore-write.",
    )
    .argument("<path_value...>", "paths and values in turn: PATH VALUE [PATH VALUE]...")
    .usage("[options] PATH VALUE [PATH VALUE]...")
    .addOption(new Option("-R, --raw", "take values as they are, also backslashes"))
    .addHelpText("after", exitCodes(DAEMON_EXITS))
    .addHelpText(
      "after",
      examples(["xs write /local/domain/5/name vm5", "xs write /a 1 /b 2", "xs write -- /offset -5"]),
    )
    .action(async (words: string[], options: WriteOptions) => {
      const pairs = pairsOf(words, options.raw === true);
      await context.withClient((client) =>
        together(client, pairs.length, (tree) => Promise.all(pairs.map(([path, value]) => tree.write(path, value)))),
      );
    });
}

function pairsOf(words: readonly string[], raw: boolean): [path: ByteString, value: ByteString][] {
  if (words.length % 2 !== 0)
    throw usageError(`there is no value for ${words.at(-1) ?? ""}: paths and values come in turn`);
  const pairs: [ByteString, ByteString][] = [];
  for (let index = 0; index < words.length; index += 2) {
    const value = bytesFromText(words[index + 1] ?? "");
    pairs.push([bytesFromText(words[index] ?? ""), raw ? value : unescapeValue(value)]);
  }
  return pairs;
}
