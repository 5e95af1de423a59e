/**
 * Trees on standard output.
 *
 * Owns the output of `xs ls` and `xs dump`, wherever the nodes come from.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { permsJson, valueJson } from "../../protocol/http-api/value.js";
import type { CliContext } from "./context.js";
import { jsonArray, listingLine, type ListedNode, type ListingStyle } from "./format.js";

/** Lines are collected up to this many characters before they are written. */
const CHUNK_CHARACTERS = 65_536;

/** What is printed, and how. */
export interface PrintedTree {
  readonly style: ListingStyle;
  readonly nodesBelow: (path: ByteString) => AsyncIterable<ListedNode>;
}

/** Prints the nodes below each path: a line each, or all in one JSON array. */
export async function printTree(
  context: CliContext,
  paths: readonly ByteString[],
  { style, nodesBelow }: PrintedTree,
): Promise<void> {
  const nodes: object[] = [];
  let text = "";
  for (const path of paths) {
    for await (const node of nodesBelow(path)) {
      if (context.isJson()) nodes.push(nodeJson(node, style));
      else text += `${listingLine(node, style)}\n`;
      if (text.length < CHUNK_CHARACTERS) continue;
      await context.io.out(text);
      text = "";
    }
  }
  await context.io.out(context.isJson() ? jsonArray(nodes) : text);
}

function nodeJson({ path, value, perms }: ListedNode, style: ListingStyle): object {
  return {
    path,
    ...(value === undefined ? {} : valueJson(value)),
    ...(perms === undefined || !style.perms ? {} : { perms: permsJson(perms) }),
  };
}
