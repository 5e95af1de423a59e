/**
 * Scripts of `xs txn`: one request on each line.
 *
 * Owns the notation. Words are separated by blanks; `'…'` is literal; in `"…"` and outside quotes a backslash escapes as in
 * `xs write`, and before any other character stands for that; `#` at the start of a word begins a comment. A script is read
 * whole before anything of it is done.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import type { Transaction } from "../xenstore/transaction.js";
import { readEscape } from "../../protocol/escape.js";
import { usageError } from "./exit.js";

/** What a line of a script gave. */
export type LineResult =
  | { readonly kind: "done" }
  | { readonly kind: "value"; readonly value: ByteString }
  | { readonly kind: "names"; readonly names: readonly ByteString[] }
  | { readonly kind: "perms"; readonly perms: Perms }
  | { readonly kind: "answer"; readonly answer: boolean };

interface ScriptCommand {
  readonly usage: string;
  readonly wordsMin: number;
  readonly wordsMax: number;
  /** What is wrong with the words, beyond their number. */
  readonly check?: (words: readonly ByteString[]) => string | undefined;
  readonly run: (transaction: Transaction, words: readonly ByteString[]) => Promise<LineResult>;
}

const done: LineResult = { kind: "done" };

function onPath(
  usage: string,
  run: (transaction: Transaction, path: ByteString) => Promise<LineResult>,
): ScriptCommand {
  return { usage, wordsMin: 1, wordsMax: 1, run: (transaction, [path = ""]) => run(transaction, path) };
}

const COMMANDS: ReadonlyMap<string, ScriptCommand> = new Map<string, ScriptCommand>([
  ["read", onPath("read PATH", async (transaction, path) => ({ kind: "value", value: await transaction.read(path) }))],
  [
    "write",
    {
      usage: "write PATH VALUE",
      wordsMin: 2,
      wordsMax: 2,
      run: async (transaction, [path = "", value = ""]) => {
        await transaction.write(path, value);
        return done;
      },
    },
  ],
  [
    "mkdir",
    onPath("mkdir PATH", async (transaction, path) => {
      await transaction.mkdir(path);
      return done;
    }),
  ],
  [
    "rm",
    onPath("rm PATH", async (transaction, path) => {
      await transaction.rm(path);
      return done;
    }),
  ],
  [
    "chmod",
    {
      usage: "chmod PATH PERM...",
      wordsMin: 2,
      wordsMax: Infinity,
      check: ([, ...perms]) => (parsePerms(perms) === undefined ? badPerms(perms) : undefined),
      run: async (transaction, [path = "", ...perms]) => {
        await transaction.setPerms(path, perms.join(" "));
        return done;
      },
    },
  ],
  [
    "list",
    onPath("list PATH", async (transaction, path) => ({ kind: "names", names: await transaction.directory(path) })),
  ],
  [
    "perms",
    onPath("perms PATH", async (transaction, path) => ({ kind: "perms", perms: await transaction.getPerms(path) })),
  ],
  [
    "exists",
    onPath("exists PATH", async (transaction, path) => ({ kind: "answer", answer: await transaction.exists(path) })),
  ],
]);

/** The commands of scripts, for the help. */
export const SCRIPT_USAGES: readonly string[] = [...COMMANDS.values()].map(({ usage }) => usage);

/** A line of a script that asks for something. */
export interface ScriptLine {
  /** Where it stands, such as `script:3`, for messages. */
  readonly place: string;
  /** The line's number, from 1. */
  readonly number: number;
  readonly command: string;
  /** The path, which every command has first. */
  readonly path: ByteString;
  run(transaction: Transaction): Promise<LineResult>;
}

/** What is wrong with a list of permissions, and what would be right. */
export function badPerms(perms: readonly string[]): string {
  return `bad permissions "${perms.join(" ")}": an entry is one of n, r, w, b and a domain id, such as n0 r5`;
}

/**
 * Reads a script.
 *
 * @param name - of the file, for messages
 * @throws ExitError that names the line, when one makes no sense
 */
export function parseScript(text: ByteString, name: string): ScriptLine[] {
  const lines: ScriptLine[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const number = index + 1;
    const place = `${name}:${String(number)}`;
    const words = splitWords(line);
    if (words === undefined) throw usageError(`${place}: a quote is not closed`);
    const [command, ...rest] = words;
    if (command !== undefined) lines.push(scriptLine({ place, number, command }, rest));
  }
  return lines;
}

function scriptLine(line: Pick<ScriptLine, "place" | "number" | "command">, words: readonly ByteString[]): ScriptLine {
  const command = COMMANDS.get(line.command);
  if (command === undefined) {
    const known = [...COMMANDS.keys()].join(", ");
    throw usageError(`${line.place}: there is no command "${line.command}"; there are ${known}`);
  }
  const { usage, wordsMin, wordsMax, check, run } = command;
  if (words.length < wordsMin || words.length > wordsMax) {
    const hint = words.length > wordsMax ? "; put a value with blanks in quotes" : "";
    throw usageError(`${line.place}: the command is: ${usage}${hint}`);
  }
  const problem = check?.(words);
  if (problem !== undefined) throw usageError(`${line.place}: ${problem}`);
  return { ...line, path: words[0] ?? "", run: (transaction) => run(transaction, words) };
}

/** The words of a line, without its comment; undefined when a quote is not closed. */
export function splitWords(line: ByteString): ByteString[] | undefined {
  const words: ByteString[] = [];
  let at = 0;
  for (;;) {
    while (line.charAt(at) === " " || line.charAt(at) === "\t") at++;
    if (at >= line.length || line.charAt(at) === "#") return words;
    const word = readWord(line, at);
    if (word === undefined) return undefined;
    words.push(word.text);
    at = word.end;
  }
}

function readWord(line: ByteString, start: number): { readonly text: ByteString; readonly end: number } | undefined {
  let text = "";
  let quote = "";
  let at = start;
  while (at < line.length) {
    const character = line.charAt(at);
    if (character === "\\" && quote !== "'") {
      const { byte, end } = readEscape(line, at);
      text += byte;
      at = end;
      continue;
    }
    if (quote === "" && (character === " " || character === "\t")) break;
    if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (character === quote) quote = "";
    else text += character;
    at++;
  }
  return quote === "" ? { text, end: at } : undefined;
}
