/**
 * How results look.
 *
 * Owns the lines of `ls`, which are those of `xenstore-ls` (observed on Xen 4.17) and colours.
 */
import { bytesFromText, type ByteString } from "../../protocol/bytes.js";
import { serializePermission, type Perms } from "../../protocol/perms.js";
import { escapeValue } from "../../protocol/escape.js";

/** A node as `ls` shows it. */
export interface ListedNode {
  readonly path: ByteString;
  readonly name: ByteString;
  /** How far below the path that was asked for, from 0. */
  readonly depth: number;
  /** Undefined when it may not be read. */
  readonly value: ByteString | undefined;
  /** Undefined when not asked for, or when they may not be read. */
  readonly perms: Perms | undefined;
}

/** How `ls` shows nodes. */
export interface ListingStyle {
  /** Whole paths instead of indented names; values are then never cut. */
  readonly fullPaths: boolean;
  readonly perms: boolean;
  /** Characters of a line, beyond which values are cut; Infinity for none. */
  readonly width: number;
  readonly colours: boolean;
}

/** Characters around a value that was cut: ` = "..."`. */
const TAG_WIDTH = 8;
/** Where perms stand, if there is room. */
const PERMS_COLUMN = 60;

const COLOURS = { name: "\x1b[36m", perms: "\x1b[2m", none: "\x1b[0m" } as const;

function paint(text: string, colour: "name" | "perms", colours: boolean): string {
  return colours && text !== "" ? COLOURS[colour] + text + COLOURS.none : text;
}

/** A line of `ls`, without the line feed. */
export function listingLine(node: ListedNode, style: ListingStyle): string {
  const { fullPaths, colours } = style;
  const width = fullPaths ? Infinity : style.width;
  const indent = fullPaths ? "" : " ".repeat(node.depth);
  const room = width - TAG_WIDTH - node.depth;
  const label = fullPaths ? node.path : room >= 0 ? node.name.slice(0, room) : node.name;
  const before = fullPaths ? 0 : indent.length + label.length;
  const { text, padding } = valueText(node.value, before, width, style);
  const perms = style.perms && node.perms !== undefined ? `  (${permsText(node.perms, ",")})` : "";
  return indent + paint(label, "name", colours) + text + padding + paint(perms, "perms", colours);
}

/** The value behind a label of `before` characters, and what leads from there to the perms. */
function valueText(
  value: ByteString | undefined,
  before: number,
  width: number,
  style: ListingStyle,
): { readonly text: string; readonly padding: string } {
  if (value === undefined) return { text: ":", padding: "" };
  const escaped = escapeValue(value);
  // The length that decides is the value's own, not that of its escaped form: so it is in xenstore-ls.
  if (width < before + value.length + TAG_WIDTH) {
    const room = width - TAG_WIDTH - before;
    return { text: ` = "${room >= 0 ? escaped.slice(0, room) : escaped}\\..."`, padding: "" };
  }
  const text = ` = "${escaped}"`;
  if (!style.perms) return { text, padding: "" };
  let padding = " ";
  const column = style.fullPaths ? 0 : Math.min(PERMS_COLUMN, width);
  for (let at = before + text.length + 1; at < column; at++) padding += at % 2 === 1 ? "." : " ";
  return { text, padding };
}

/** A permission list as text, such as `n0 r5`. */
export function permsText(perms: Perms, separator = " "): string {
  return perms.map(serializePermission).join(separator);
}

/** Text such as a path, in the notation of values: no terminal obeys it. */
export function shown(text: string): ByteString {
  return escapeValue(bytesFromText(text));
}

/** A JSON array with one element on each line, as bytes. */
export function jsonArray(elements: readonly object[]): ByteString {
  if (elements.length === 0) return "[]\n";
  return bytesFromText(`[\n${elements.map((element) => `  ${jsonText(element)}`).join(",\n")}\n]\n`);
}

/** One JSON value on one line, as bytes. */
export function jsonLine(element: object): ByteString {
  return bytesFromText(`${jsonText(element)}\n`);
}

/** JSON that no terminal obeys: the control characters that JSON lets stand, DEL and U+0080 to U+009F, are escaped too. */
export function jsonText(element: object): string {
  return JSON.stringify(element).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
