/**
 * Permission decisions: who may do what to a node.
 *
 * Owns rule 2 of C xenstored: dom0, the owner, and a domain whose target (SET_TARGET) is the owner may do everything;
 * else the first entry for the domain or its target decides; else the first entry of the list, the default.
 */
import { DOM0, type Domid } from "../../protocol/identifiers.js";
import { READ, WRITE, internPerms, type Access, type Perms, type Permission } from "../../protocol/perms.js";
import type { Root } from "./root.js";

/** Access bit beside READ and WRITE: may change the perms. */
export const OWN = 4;

const EVERYTHING = READ | WRITE | OWN;

/** On whose behalf a request runs. */
export interface Requester {
  readonly domid: Domid;
  /** The domain whose rights it shares, or undefined. */
  readonly target: Domid | undefined;
}

/** The privileged one. */
export const DOM0_REQUESTER: Requester = { domid: DOM0, target: undefined };

/** The requester that a domain is in this state of the store. */
export function requesterFor(root: Root, domid: Domid): Requester {
  return domid === DOM0 ? DOM0_REQUESTER : { domid, target: root.domains.get(domid)?.target };
}

/** Whether the requester is an unprivileged domain, to which quotas and ownership rules apply. */
export function isUnprivileged(requester: Requester): boolean {
  return requester.domid !== 0;
}

/** The access bits (READ, WRITE, OWN) that a list grants. */
export function accessOf(requester: Requester, perms: Perms): Access {
  const { domid, target } = requester;
  const owner = perms[0];
  if (domid === 0 || owner.domid === domid || (target !== undefined && owner.domid === target)) return EVERYTHING;
  for (let index = 1; index < perms.length; index++) {
    const entry = perms[index] as Permission;
    if (entry.domid === domid || entry.domid === target) return entry.access;
  }
  return owner.access;
}

/**
 * The perms of a node that the requester creates: its parent's, with an unprivileged creator as the owner; dom0 keeps
 * the parent's owner.
 */
export function inheritedPerms(requester: Requester, parent: Perms): Perms {
  if (!isUnprivileged(requester) || parent[0].domid === requester.domid) return parent;
  const [owner, ...others] = parent;
  return internPerms([{ access: owner.access, domid: requester.domid }, ...others]);
}

/**
 * A list without the entries for `domid` behind the owner's; the list itself when it has none. The owner's entry stays:
 * what becomes of an owned node is another question.
 */
export function withoutEntriesFor(domid: Domid, perms: Perms): Perms {
  const [owner, ...others] = perms;
  const kept = others.filter((entry) => entry.domid !== domid);
  return kept.length === others.length ? perms : internPerms([owner, ...kept]);
}
