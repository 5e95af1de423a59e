/**
 * Listings of a whole store: as `xenstore-ls` prints them, and of a root.
 *
 * Owns the syntax, in both of its forms: names that are indented by their depth (`xenstore-ls`), and whole paths with perms
 * (`xenstore-ls -fp`). Neither form lists `/` itself.
 */
import { readFileSync } from "node:fs";
import type { Root } from "../../daemon/store/root.js";
import { serializePerms } from "../../protocol/perms.js";

/** A node as a listing shows it. */
export interface ListedNode {
  readonly value: string;
  /** Such as `n0 r1`; undefined where the listing has none. */
  readonly perms: string | undefined;
}

/** The nodes of a store by path, parents first. */
export type Listing = ReadonlyMap<string, ListedNode>;

/** Reads a listing of `test/fixtures/xenstore-ls`, by the name of its file. */
export function readListing(file: string): Listing {
  return parseListing(readFileSync(new URL(`../fixtures/xenstore-ls/${file}`, import.meta.url), "utf8"));
}

/**
 * Parses a listing. Lines that begin with a hash mean nothing.
 *
 * @throws Error when a line is no node, or one that was listed before; values with escapes are not understood
 */
function parseListing(text: string): Listing {
  const listing = new Map<string, ListedNode>();
  /** The names that lead to the node of the last line. */
  const names: string[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const match = /^( *)(\S+) = "([^"\\]*)"(?: +\(([nrwb0-9,]+)\))?$/.exec(line);
    if (match === null) throw new Error(`no line of a listing: ${line}`);
    const [, indent = "", name = "", value = "", perms] = match;
    let path = name;
    if (!name.startsWith("/")) {
      if (indent.length > names.length) throw new Error(`indented too far: ${line}`);
      names.length = indent.length;
      names.push(name);
      path = `/${names.join("/")}`;
    }
    if (listing.has(path)) throw new Error(`listed twice: ${path}`);
    listing.set(path, { value, perms: perms?.replaceAll(",", " ") });
  }
  return listing;
}

/** The listing of a root. */
export function listingOf(root: Root): Listing {
  const listing = new Map<string, ListedNode>();
  const open = [{ path: "", node: root.node }];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const { path, node } = at;
    if (path !== "") listing.set(path, { value: node.value, perms: serializePerms(node.perms) });
    for (const [index, name] of node.names.entries()) {
      const child = node.children[index];
      if (child !== undefined) open.push({ path: `${path}/${name}`, node: child });
    }
  }
  return listing;
}
