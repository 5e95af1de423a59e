/**
 * Path rules.
 *
 * Owns which paths are valid and how a relative one becomes absolute. Source: xenstore.txt: ASCII alphanumerics and
 * `-/_@`, no `//`, no trailing `/` but for the root, at most 3072 bytes absolute and 2048 relative. Lengths are checked
 * on what arrived *and* on the absolute result (XSA-323).
 */
import type { ByteString } from "./bytes.js";
import { parseDecimal, type Domid, type Path } from "./identifiers.js";
import { XENSTORE_ABS_PATH_MAX, XENSTORE_REL_PATH_MAX } from "./limits.js";
import { recallPath, splitFlat, type SplitPath } from "./recent-paths.js";

export { rememberPath, type SplitPath } from "./recent-paths.js";

const ABSOLUTE = /^(?:\/[A-Za-z0-9_@-]+)+$/;
const RELATIVE = /^[A-Za-z0-9_-][A-Za-z0-9_@-]*(?:\/[A-Za-z0-9_@-]+)*$/;
const SPECIAL = /^@[A-Za-z0-9_@-]+(?:\/[A-Za-z0-9_@-]+)*$/;
const NAME = /^[A-Za-z0-9_@-]+$/;

/** The root of the tree. */
export const ROOT_PATH = "/" as Path;

/** The special path whose event tells that a domain was introduced. */
export const INTRODUCE_DOMAIN = "@introduceDomain";
/** The special path whose event tells that a domain was shut down, released or destroyed. */
export const RELEASE_DOMAIN = "@releaseDomain";

/** A special path that has perms of its own. */
export type SpecialPath = typeof INTRODUCE_DOMAIN | typeof RELEASE_DOMAIN;

/** The special paths that have perms of their own. */
export const SPECIAL_PATHS = [INTRODUCE_DOMAIN, RELEASE_DOMAIN] as const satisfies readonly SpecialPath[];

/** Whether `text` is a special path that has perms of its own. */
export function isSpecialPath(text: string): text is SpecialPath {
  return text === INTRODUCE_DOMAIN || text === RELEASE_DOMAIN;
}

/** The base of a domain's relative paths: `/local/domain/<domid>` (xenstore.txt, GET_DOMAIN_PATH). */
export function domainPath(domid: Domid): Path {
  return `/local/domain/${String(domid)}` as Path;
}

/**
 * Parses a path as a client sent it.
 *
 * @param domid - whose base a relative path is under; clients of the privileged socket are domain 0
 * @returns the absolute path, flat (`flattenBytes`), or undefined when it is not valid (EINVAL); `@…` is never a path
 */
export function parsePath(text: ByteString, domid: Domid): Path | undefined {
  if (text.charCodeAt(0) === 0x2f) {
    if (text.length === 1) return ROOT_PATH;
    const known = recallPath(text);
    if (known !== undefined) return (last = known).path;
    if (text.length > XENSTORE_ABS_PATH_MAX || !ABSOLUTE.test(text)) return undefined;
    return (last = splitFlat(text as Path)).path;
  }
  if (text.length > XENSTORE_REL_PATH_MAX || !RELATIVE.test(text)) return undefined;
  const absolute = `${domainPath(domid)}/${text}` as Path;
  return (last = recallPath(absolute) ?? splitFlat(absolute)).path;
}

/** Whether a client may send this as a path in some request: absolute, relative, or special. */
export function isPathText(text: ByteString): boolean {
  if (text.charCodeAt(0) === 0x2f) {
    return text.length === 1 || (text.length <= XENSTORE_ABS_PATH_MAX && ABSOLUTE.test(text));
  }
  return text.length <= XENSTORE_REL_PATH_MAX && (RELATIVE.test(text) || SPECIAL.test(text));
}

/** What a WATCH names: a node, or a special event with `@`. */
export interface WatchPath {
  /** Absolute path, or `@…` as sent. */
  readonly path: ByteString;
  /** How many leading characters of an event's path are cut for a watch that was set relatively; 0 when absolute. */
  readonly relativeBase: number;
}

/** Parses the path of a WATCH or UNWATCH; `@…` is accepted with any valid characters (xenstore.txt, "wspecial"). */
export function parseWatchPath(text: ByteString, domid: Domid): WatchPath | undefined {
  if (text.charCodeAt(0) === 0x40) {
    return text.length <= XENSTORE_REL_PATH_MAX && SPECIAL.test(text) ? { path: text, relativeBase: 0 } : undefined;
  }
  const path = parsePath(text, domid);
  if (path === undefined) return undefined;
  return { path, relativeBase: text.charCodeAt(0) === 0x2f ? 0 : path.length - text.length };
}

/** The domain that `@releaseDomain/<domid>` or `@introduceDomain/<domid>` is limited to. */
export function parseSpecialDomid(path: ByteString): { special: SpecialPath; domid: Domid | undefined } | undefined {
  const slash = path.indexOf("/");
  const special = slash === -1 ? path : path.slice(0, slash);
  if (!isSpecialPath(special)) return undefined;
  if (slash === -1) return { special, domid: undefined };
  const domid = parseDecimal(path.slice(slash + 1));
  return domid === undefined || domid > 0xffff ? undefined : { special, domid: domid as Domid };
}

const SPLIT_ROOT: SplitPath = { path: ROOT_PATH, names: [], hints: [], isRemembered: true };
/** A request asks for the names of its path several times. */
let last = SPLIT_ROOT;

/** The names from the root to the node: `[]` for `/`. */
export function splitPath(path: Path): readonly string[] {
  return splitForLookup(path).names;
}

/** The same, with hints for who looks the names up in sorted lists. */
export function splitForLookup(path: Path): SplitPath {
  if (path === last.path) return last;
  last = path.length === 1 ? SPLIT_ROOT : (recallPath(path) ?? splitFlat(path));
  return last;
}

/** Joins names to a path; the inverse of `splitPath`. The caller vouches for the names. */
export function joinPath(names: readonly string[]): Path {
  return `/${names.join("/")}` as Path;
}

/** The path of a child. The caller vouches for the name. */
export function childPath(parent: Path, name: string): Path {
  return (parent.length === 1 ? `/${name}` : `${parent}/${name}`) as Path;
}

/** The parent's path, or undefined for `/`. */
export function parentPath(path: Path): Path | undefined {
  if (path.length === 1) return undefined;
  const slash = path.lastIndexOf("/");
  return slash === 0 ? ROOT_PATH : (path.slice(0, slash) as Path);
}

/** Whether `path` is `ancestor` or lies below it. */
export function isAtOrBelow(path: ByteString, ancestor: ByteString): boolean {
  if (ancestor === "/") return path.charCodeAt(0) === 0x2f;
  return path.startsWith(ancestor) && (path.length === ancestor.length || path.charCodeAt(ancestor.length) === 0x2f);
}

/** Whether `text` can be the name of a node. */
export function isNodeName(text: string): boolean {
  return NAME.test(text);
}
