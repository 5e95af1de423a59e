/**
 * `xs txn`: a script of requests in one transaction.
 *
 * Owns what becomes of a script's results: they are printed when the transaction is applied, those of its last attempt.
 */
import { Option, type Command } from "commander";
import { permsJson, valueJson } from "../../../protocol/http-api/value.js";
import { isXenstoreError, messageOf } from "../../xenstore/errors.js";
import type { Transaction } from "../../xenstore/transaction.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { escapeValue } from "../../../protocol/escape.js";
import { ExitError, EXIT_FAILURE } from "../exit.js";
import { jsonArray, permsText } from "../format.js";
import { parseScript, SCRIPT_USAGES, type LineResult, type ScriptLine } from "../script.js";

interface TxnOptions {
  readonly file?: string;
}

interface DoneLine {
  readonly line: ScriptLine;
  readonly result: LineResult;
}

const HELP = `
A script has one request on each line:
${SCRIPT_USAGES.map((usage) => `  ${usage}\n`).join("")}
Words with blanks are put in quotes; '…' is taken as it is, in "…" and without
quotes a backslash escapes as in xs write. From # on, at the start of a word, a
line is a comment.

What the lines print is printed when the transaction has been applied. If
others change meanwhile what it read, it runs again from the start. A line that
fails ends it, and nothing is changed.`;

/** Adds `xs txn`. */
export function addTxn(program: Command, context: CliContext): void {
  program
    .command("txn")
    .summary("run a script in one transaction")
    .description("Runs the requests of a script in one transaction: all of them are applied, or none.")
    .addOption(new Option("-f, --file <script>", "read the script from this file (default: standard input)"))
    .addHelpText("after", HELP)
    .addHelpText(
      "after",
      exitCodes({
        ...DAEMON_EXITS,
        0: "all was applied",
        1: "nothing was applied: the daemon refused, or could not be reached",
        2: "a bad command line or script",
      }),
    )
    .addHelpText("after", examples(["xs txn -f script", "printf 'write /a 1\\nrm /b\\n' | xs txn"]))
    .action(async ({ file }: TxnOptions) => {
      const lines = await readScript(file, context);
      const results = await context.withClient((client) =>
        client.transaction((transaction) => runLines(transaction, lines)),
      );
      await context.io.out(
        context.isJson() ? jsonArray(results.flatMap(resultJson)) : results.map(resultText).join(""),
      );
    });
}

async function readScript(file: string | undefined, { io }: CliContext): Promise<ScriptLine[]> {
  if (file === undefined || file === "-") return parseScript(await io.readInput(), "stdin");
  let text;
  try {
    text = io.readFile(file);
  } catch (error) {
    throw new ExitError(EXIT_FAILURE, `cannot read the script: ${messageOf(error)}`, { cause: error });
  }
  return parseScript(text, file);
}

async function runLines(transaction: Transaction, lines: readonly ScriptLine[]): Promise<DoneLine[]> {
  const results: DoneLine[] = [];
  for (const line of lines) {
    try {
      results.push({ line, result: await line.run(transaction) });
    } catch (error) {
      if (!isXenstoreError(error)) throw error;
      throw new ExitError(EXIT_FAILURE, `${line.place}: ${error.message}`, { cause: error });
    }
  }
  return results;
}

function resultText({ result }: DoneLine): string {
  switch (result.kind) {
    case "done":
      return "";
    case "value":
      return `${escapeValue(result.value)}\n`;
    case "names":
      return result.names.map((name) => `${name}\n`).join("");
    case "perms":
      return `${permsText(result.perms)}\n`;
    case "answer":
      return `${String(result.answer)}\n`;
  }
}

function resultJson({ line: { number, command, path }, result }: DoneLine): object[] {
  const about = { line: number, command, path };
  switch (result.kind) {
    case "done":
      return [];
    case "value":
      return [{ ...about, ...valueJson(result.value) }];
    case "names":
      return [{ ...about, children: result.names }];
    case "perms":
      return [{ ...about, perms: permsJson(result.perms) }];
    case "answer":
      return [{ ...about, exists: result.answer }];
  }
}
