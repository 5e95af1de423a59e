/**
 * Listings of a store, as `xenstore-ls` and `xs dump` print them and people post them.
 *
 * Owns how lines become nodes. It is made for what is found in bug reports: every line that is a node for certain is taken,
 * every other is named with its number, and nothing is guessed in silence. Where a line is lost, those below it are lost with
 * it rather than taken for children of another node.
 */
import type { ByteString } from "../bytes.js";
import type { Domid, Path } from "../identifiers.js";
import { XENSTORE_PAYLOAD_MAX } from "../limits.js";
import { joinPath, parentPath, parsePath, ROOT_PATH, splitPath } from "../path.js";
import { parsePerms, samePerms, type Perms } from "../perms.js";
import { bareLine, joinLines, parseListingLine, type NodeLine } from "./listing-line.js";

/** A node of a listing. */
export interface ListingNode {
  readonly path: Path;
  readonly value: ByteString;
  /** Undefined where the listing does not tell. */
  readonly perms: Perms | undefined;
  /** Whether it is there only because something is listed below it: then its value is empty. */
  readonly isImplied: boolean;
  /** Whether only the beginning of the value is known. */
  readonly isPartial: boolean;
}

/** Something about a line that a person should know. */
export interface LineNote {
  /** From 1. */
  readonly line: number;
  /** Text about "this line" or its node, for people. */
  readonly message: string;
}

/** What a listing says. */
export interface ParsedListing {
  /** Each once, parents before children. */
  readonly nodes: readonly ListingNode[];
  /** What was taken otherwise than it stands there. */
  readonly remarks: readonly LineNote[];
  /** What was not taken. */
  readonly errors: readonly LineNote[];
}

/** How a listing is read. */
export interface ListingOptions {
  /** Where an indented tree begins, unless a line before it has the command with a path: `/` unless given. */
  readonly top?: Path | undefined;
}

/** A parsing under way. */
interface Parsing {
  readonly nodes: Map<Path, ListingNode>;
  readonly remarks: LineNote[];
  readonly errors: LineNote[];
  /** What is above the names of an indented tree. */
  top: Path;
  /** The names that lead to the last node of an indented tree; undefined before the first one. */
  names: string[] | undefined;
  /** Columns before the names at the top of the indented tree. */
  margin: number;
  /** The node of the line before. */
  last: Path | undefined;
}

/** Most lines that a mail makes of one. */
const WRAPPED_MAX = 4;
/** Most characters of a line that a message shows. */
const SHOWN_MAX = 60;

/** Reads a listing. It never fails: what it could not make out is in `errors`. */
export function parseListing(text: ByteString, { top = ROOT_PATH }: ListingOptions = {}): ParsedListing {
  const parsing: Parsing = {
    nodes: new Map(),
    remarks: [],
    errors: [],
    top,
    names: undefined,
    margin: 0,
    last: undefined,
  };
  const lines = text.split("\n").map(bareLine);
  for (let index = 0; index < lines.length;) index += takeLine(parsing, lines, index);
  settlePerms(parsing);
  const { nodes, remarks, errors } = parsing;
  return { nodes: [...nodes.values()], remarks, errors };
}

/** Takes the line at an index; returns how many lines that were. */
function takeLine(parsing: Parsing, lines: readonly ByteString[], index: number): number {
  const text = lines[index] ?? "";
  const number = index + 1;
  const line = parseListingLine(text);
  const last = parsing.last;
  parsing.last = undefined;
  switch (line.kind) {
    case "empty":
      return 1;
    case "command":
      parsing.top = (line.path === undefined ? undefined : parsePath(line.path, 0 as Domid)) ?? ROOT_PATH;
      parsing.names = undefined;
      return 1;
    case "perms": {
      const node = last === undefined ? undefined : parsing.nodes.get(last);
      if (node?.perms === undefined && node !== undefined) setPerms(parsing, node, { number, perms: line.perms });
      else refuse(parsing, number, text);
      return 1;
    }
    case "node":
      // A word and a colon are a node in the midst of others only.
      if (line.value !== undefined || line.name.startsWith("/") || last !== undefined) {
        takeNode(parsing, line, number);
        return 1;
      }
      break;
    case "unknown":
      break;
  }
  let whole = text;
  for (let count = 2; count <= WRAPPED_MAX; count++) {
    const next = lines[number + count - 2];
    if (next === undefined || isNode(next)) break;
    const joined = joinLines(whole, next);
    if (joined !== undefined) {
      note(parsing.remarks, number, `goes on in the next line, and was taken as one with it: ${shown(joined.name)}`);
      takeNode(parsing, joined, number);
      return count;
    }
    whole = `${whole} ${next.trimStart()}`;
  }
  refuse(parsing, number, text);
  return 1;
}

function isNode(text: ByteString): boolean {
  const line = parseListingLine(text);
  return line.kind === "node" && line.value !== undefined;
}

function takeNode(parsing: Parsing, line: NodeLine, number: number): void {
  const text = line.name.startsWith("/") ? line.name : pathInTree(parsing, line, number);
  if (text === undefined) return;
  const path = parsePath(text, 0 as Domid);
  if (path === undefined) note(parsing.errors, number, `has a path that is too long: ${shown(text)}`);
  if (path === undefined) return;
  const { value = "", isCut } = line;
  if (isCut) note(parsing.remarks, number, `has a value that was cut: only the beginning of ${path} is known`);
  if (line.value === undefined) note(parsing.remarks, number, `has no value: that of ${path} could not be read`);
  const perms = line.perms === undefined ? undefined : parsedPerms(line.perms);
  if (line.perms !== undefined && perms === undefined) {
    note(parsing.errors, number, `has permissions that make no sense, which are left out: (${shown(line.perms)})`);
  }
  if (value.length > XENSTORE_PAYLOAD_MAX || (line.perms?.length ?? 0) > XENSTORE_PAYLOAD_MAX) {
    note(parsing.errors, number, `has a value or permissions that no client could be sent: those of ${path}`);
    return;
  }
  addParents(parsing, path, number);
  const node = { path, value, perms, isImplied: false, isPartial: isCut || line.value === undefined };
  const known = parsing.nodes.get(path);
  if (known !== undefined && !known.isImplied && !isSameNode(known, node)) {
    note(parsing.remarks, number, `lists ${path} again, and otherwise: this line counts`);
  }
  parsing.nodes.set(path, node);
  parsing.last = path;
}

/** The path of an indented name; undefined, and an error, where it has no parent. */
function pathInTree(parsing: Parsing, { indent, name }: NodeLine, number: number): string | undefined {
  parsing.names ??= ((parsing.margin = indent), []);
  const depth = indent - parsing.margin;
  const { names } = parsing;
  if (depth < 0 || depth > names.length) {
    note(parsing.errors, number, `is indented so that it has no parent: ${shown(name)}`);
    return undefined;
  }
  names.length = depth;
  names.push(name);
  return joinPath([...splitPath(parsing.top), ...names]);
}

function addParents(parsing: Parsing, path: Path, number: number): void {
  const missing: Path[] = [];
  for (let at = parentPath(path); at !== undefined && at !== ROOT_PATH; at = parentPath(at)) {
    if (parsing.nodes.has(at)) break;
    missing.unshift(at);
  }
  for (const at of missing) {
    parsing.nodes.set(at, { path: at, value: "", perms: undefined, isImplied: true, isPartial: false });
    note(
      parsing.remarks,
      number,
      `is below ${at}, which is not listed before: it is empty then, with the permissions of the node above it`,
    );
  }
}

/** Implied nodes have the perms of the nearest node above of which they are known. */
function settlePerms({ nodes }: Parsing): void {
  for (const [path, node] of nodes) {
    if (!node.isImplied) continue;
    let perms: Perms | undefined;
    for (let at = parentPath(path); at !== undefined && perms === undefined; at = parentPath(at)) {
      perms = nodes.get(at)?.perms;
    }
    nodes.set(path, { ...node, perms });
  }
}

function setPerms(
  parsing: Parsing,
  node: ListingNode,
  { number, perms: text }: { readonly number: number; readonly perms: string },
): void {
  const perms = parsedPerms(text);
  if (perms === undefined) note(parsing.errors, number, `has permissions that make no sense: (${shown(text)})`);
  else parsing.nodes.set(node.path, { ...node, perms });
}

function parsedPerms(text: string): Perms | undefined {
  return parsePerms(text.split(/, ?/));
}

function isSameNode(left: ListingNode, right: ListingNode): boolean {
  if (left.value !== right.value) return false;
  return left.perms === undefined || right.perms === undefined || samePerms(left.perms, right.perms);
}

/** A line that is none of a listing: what is below it in an indented tree has lost its parent. */
function refuse(parsing: Parsing, number: number, text: ByteString): void {
  const { names, margin } = parsing;
  if (names !== undefined) {
    names.length = Math.max(0, Math.min(names.length, text.length - text.trimStart().length - margin));
  }
  note(parsing.errors, number, `is no line of a listing: ${shown(text.trim())}`);
}

function note(notes: LineNote[], line: number, message: string): void {
  notes.push({ line, message });
}

function shown(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
