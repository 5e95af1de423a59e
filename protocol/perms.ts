/**
 * Permission lists.
 *
 * Owns the type, its text form and the interning of lists. How a list decides an access is `daemon/store/permission.ts`.
 * Source: xenstore.txt, SET_PERMS: `w` write, `r` read, `b` both, `n` none, each followed by a domain id; the first
 * entry names the owner and what everybody without an entry may do.
 */
import type { ByteString } from "./bytes.js";
import { parseDomid, type Domid } from "./identifiers.js";

/** Access bits: the union of `READ` and `WRITE`, 0..3. */
export type Access = number;
/** Access bit: read the value, the children's names and the perms. */
export const READ = 1;
/** Access bit: write the value, create children, remove the node. */
export const WRITE = 2;

const LETTERS = "nrwb";

/** One entry of a permission list. */
export interface Permission {
  readonly access: Access;
  readonly domid: Domid;
}

/** A permission list: the owner's entry first. */
export type Perms = readonly [Permission, ...Permission[]];

/** Parses one `<perm-as-string>`: a letter of `nrwb` and a domain id. */
export function parsePermission(text: ByteString): Permission | undefined {
  const access = LETTERS.indexOf(text.charAt(0));
  if (text.length < 2 || access === -1) return undefined;
  const domid = parseDomid(text.slice(1));
  return domid === undefined ? undefined : { access, domid };
}

/** Formats one entry as `<perm-as-string>`. */
export function serializePermission(permission: Permission): string {
  return LETTERS.charAt(permission.access) + String(permission.domid);
}

/** Parses a list of `<perm-as-string>`; undefined when it is empty or an entry is bad (EINVAL). */
export function parsePerms(texts: readonly ByteString[]): Perms | undefined {
  const entries: Permission[] = [];
  for (const text of texts) {
    const entry = parsePermission(text);
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  const [owner, ...others] = entries;
  return owner === undefined ? undefined : [owner, ...others];
}

/** Formats a list with `separator` between the entries, such as `n0 r5`. */
export function serializePerms(perms: Perms, separator = " "): string {
  if (perms.length === 1) return serializePermission(perms[0]);
  return perms.map(serializePermission).join(separator);
}

/** Most distinct lists that are remembered, and most entries of one; what guests can make us remember has a bound. */
const INTERNED_MAX = 8192;
const INTERNED_ENTRIES_MAX = 8;
const interned = new Map<string, Perms>();

/**
 * Returns a list equal to `perms`, the same object for equal lists as far as memory allows. Interning saves memory and
 * makes `samePerms` quick; nothing may depend on it. For lists that enter the store: what a request merely names is not
 * worth remembering.
 */
export function internPerms(perms: Perms): Perms {
  if (perms.length > INTERNED_ENTRIES_MAX) return perms;
  const key = serializePerms(perms);
  const known = interned.get(key);
  if (known !== undefined) return known;
  if (interned.size >= INTERNED_MAX) interned.clear();
  interned.set(key, perms);
  return perms;
}

/** Whether two lists have the same entries in the same order. */
export function samePerms(left: Perms, right: Perms): boolean {
  if (left === right) return true;
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) {
    const a = left[index];
    const b = right[index];
    if (a?.access !== b?.access || a?.domid !== b?.domid) return false;
  }
  return true;
}
