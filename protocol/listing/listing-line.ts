/**
 * Lines of a listing, one at a time.
 *
 * Owns what a line of `xenstore-ls` looks like, with whole paths (`-f`) or indented names, with perms (`-p`) or without, and
 * what mails and logs put before it. Source: `do_ls` of `tools/xenstore/xenstore_client.c` (Xen 4.17).
 *
 *     /local/domain/5/name = "guest"   (n0,r5)        with -f and -p
 *       name = "guest" . . . . . . .   (n0,r5)        indented, with -p
 *       name = "a long val\..."  (n0,r5)              cut at the width of the terminal
 *       name:                                         its value may not be read
 *     > > /local = ""                                 quoted in a mail
 *     [   12.345678] /local = ""                      in a log
 */
import type { ByteString } from "../bytes.js";
import { unescapeValue } from "../escape.js";

/** A node, as its line has it. */
export interface NodeLine {
  readonly kind: "node";
  /** Columns before the name; 0 of a whole path. */
  readonly indent: number;
  /** A whole path where it begins with `/`, else a name. */
  readonly name: string;
  /** Undefined where it may not be read. */
  readonly value: ByteString | undefined;
  /** Whether only the beginning of the value is there. */
  readonly isCut: boolean;
  /** What stands between the parentheses, if there are any. */
  readonly perms: string | undefined;
}

/** What a line is. */
export type ListingLine =
  | NodeLine
  /** Perms alone: those of the node of the line before. */
  | { readonly kind: "perms"; readonly perms: string }
  /** The command that printed what follows, with the path that it was given. */
  | { readonly kind: "command"; readonly path: string | undefined }
  /** Nothing, or a comment. */
  | { readonly kind: "empty" }
  | { readonly kind: "unknown"; readonly indent: number };

const NAME = "[A-Za-z0-9_@-]+";
const LABEL = `( *)((?:/${NAME})+|/|${NAME})`;
const PERMS = '\\(([^()"]*)\\)';
/** Greedy, because quotation marks in a value stand as they are: the last one ends it. */
const NODE = new RegExp(`^${LABEL} = "(.*)"(?: [ .]*${PERMS})?$`);
const UNREADABLE = new RegExp(`^${LABEL}:$`);
const PERMS_ALONE = new RegExp(`^ *${PERMS}$`);
/** What may go on in the next line, where a mail has wrapped it. */
const BEGINNING = new RegExp(`^${LABEL}(?: =(?: ".*)?)?$`);
const BEHIND_ANYTHING = new RegExp(`^[^"=]*?[ :](?=(?:/${NAME})+ = ")`);
const COMMAND = /(?:^|[\s#$%>/])xenstore-ls(?:\s+-\S+)*(?:\s+(\/\S*))?$/;
const EMPTY = /^(?:\s*|\s*```.*|#.*)$/;
/** An odd number of backslashes: in a value that is whole each has another one. */
const CUT = /^((?:.*[^\\])?(?:\\\\)*)\\\.\.\.$/;
/** An escape that the cut went through. */
const HALF_ESCAPE = /((?:^|[^\\])(?:\\\\)*)\\(?:x[0-9A-Fa-f]?|[0-7]{0,2})$/;

const QUOTE = /^(?:> ?)+/;
const COLOURS = /\x1b\[[0-9;]*m/g;
const LOG_PREFIXES: readonly RegExp[] = [
  // The hypervisor's console: (XEN), (d1)
  /^\((?:XEN|d[0-9]+)\) ?/,
  // Kernel messages and many programs: [   12.345678]
  /^\[(?=[^\]0-9]{0,80}[0-9])[^\]]{0,80}\] ?/,
  // syslog: Nov 28 12:45:55 host program[1]:
  /^[A-Z][a-z]{2} [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}\S* \S+ [^\s:]+: ?/,
  // 2026-11-28T12:45:55.5+00:00, with or without host and program
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}\S*(?: \S+ [^\s:]+:)? ?/,
];

/** A line without what a mail or a log put around it. */
export function bareLine(line: ByteString): ByteString {
  let text = line.replace(COLOURS, "").trimEnd().replace(QUOTE, "");
  for (const prefix of LOG_PREFIXES) text = text.replace(prefix, "");
  return text;
}

/** Reads a line that `bareLine` made. */
export function parseListingLine(line: ByteString): ListingLine {
  const node = parseNode(line);
  if (node !== undefined) return node;
  const [, indent = "", name] = UNREADABLE.exec(line) ?? [];
  if (name !== undefined) {
    return { kind: "node", indent: indent.length, name, value: undefined, isCut: false, perms: undefined };
  }
  const [, perms] = PERMS_ALONE.exec(line) ?? [];
  if (perms !== undefined) return { kind: "perms", perms };
  const command = COMMAND.exec(line);
  if (command !== null) return { kind: "command", path: command[1] };
  if (EMPTY.test(line)) return { kind: "empty" };
  return { kind: "unknown", indent: line.length - line.trimStart().length };
}

/** The node of a line that goes on in the next; undefined when both are none together. Both are such that `bareLine` made. */
export function joinLines(line: ByteString, next: ByteString): NodeLine | undefined {
  if (!BEGINNING.test(line)) return undefined;
  return parseNode(`${line} ${next.trimStart()}`);
}

function parseNode(line: ByteString): NodeLine | undefined {
  const [, indent = "", name, text, perms] = NODE.exec(line) ?? NODE.exec(line.replace(BEHIND_ANYTHING, "")) ?? [];
  if (name === undefined || text === undefined) return undefined;
  const [, beginning] = CUT.exec(text) ?? [];
  const isCut = beginning !== undefined;
  const value = unescapeValue(isCut ? beginning.replace(HALF_ESCAPE, "$1") : text);
  return { kind: "node", indent: indent.length, name, value, isCut, perms };
}
