/**
 * Roots: everything that a commit can change, as one immutable value.
 *
 * Owns the shape of the store's state: the tree, the perms of the special paths, the default quotas and the table of
 * domains. Two roots with equal contents (leaving `Node.modified` out) have one Git tree oid (`history/object`).
 */
import type { Domid, Microseconds, Path, Seq } from "../../protocol/identifiers.js";
import { SPECIAL_PATHS, splitForLookup, type SpecialPath } from "../../protocol/path.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { indexOnPath, leaf, type Node } from "./node.js";
import type { QuotaName } from "./quota.js";

/** How a domain was introduced. */
export interface Introduction {
  /** Of the last INTRODUCE, which may repeat the first with others; most toolstacks give every domain the same. */
  readonly gfn: number;
  readonly port: number;
  /**
   * The commit of the first INTRODUCE, which tells one domain from the next that is given its number: the time is part of
   * that because a fork counts on from where it began, so that its seqs are those of other commits elsewhere. Undefined for a
   * domain that 0.1.0 introduced, which did not note it, for as long as that domain is there.
   */
  readonly commit?: { readonly seq: Seq; readonly time: Microseconds } | undefined;
}

/** What the daemon knows of one domain besides its nodes. dom0 has no record: it is always introduced. */
export interface DomainRecord {
  /** From INTRODUCE; undefined before it (a record may exist for quotas or features alone). */
  readonly introduction: Introduction | undefined;
  /** The domain on whose behalf this one acts (SET_TARGET), or undefined. */
  readonly target: Domid | undefined;
  /** Feature bits set before INTRODUCE (SET_FEATURE), or undefined for all that are supported. */
  readonly features: number | undefined;
  /** Whether the domain was shut down and not resumed; the next shutdown fires nothing. */
  readonly shutdown: boolean;
  /** Quotas of this domain that differ from the defaults; 0 is unlimited. */
  readonly quotas: ReadonlyMap<QuotaName, number>;
}

/** One state of the store. */
export interface Root {
  /** The node `/`. */
  readonly node: Node;
  /** Perms of `@introduceDomain` and `@releaseDomain`, both always present. */
  readonly special: ReadonlyMap<SpecialPath, Perms>;
  /** Default quotas that were changed; others have the built-in default. 0 is unlimited. */
  readonly quotas: ReadonlyMap<QuotaName, number>;
  /** Domains that have a record, dom0 never among them. */
  readonly domains: ReadonlyMap<Domid, DomainRecord>;
}

function builtInPerms(text: string): Perms {
  const perms = parsePerms(text.split(" "));
  if (perms === undefined) throw new Error(`bad built-in perms ${text}`);
  return perms;
}

/** Perms of `/` in a new store, and of what dom0 creates there. */
const DOM0_ALONE: Perms = builtInPerms("n0");

const SPECIAL_DEFAULTS: Readonly<Record<SpecialPath, Perms>> = {
  "@introduceDomain": DOM0_ALONE,
  "@releaseDomain": builtInPerms("r0"),
};

/** The state before the first commit: `/` alone, empty, dom0's. */
export function emptyRoot(): Root {
  return {
    node: leaf("", DOM0_ALONE, 0 as Seq),
    special: new Map(SPECIAL_PATHS.map((path) => [path, SPECIAL_DEFAULTS[path]])),
    quotas: new Map(),
    domains: new Map(),
  };
}

/** The node at `path`, or undefined. */
export function getNode(root: Root, path: Path): Node | undefined {
  const split = splitForLookup(path);
  let { node } = root;
  for (let level = 0; level < split.names.length; level++) {
    const index = indexOnPath(node.names, split, level);
    if (index < 0) return undefined;
    node = node.children[index] as Node;
  }
  return node;
}

/** A domain without a record. */
export const NO_RECORD: DomainRecord = {
  introduction: undefined,
  target: undefined,
  features: undefined,
  shutdown: false,
  quotas: new Map(),
};

/**
 * Whether two introductions are of one domain, and not of one and the next that was given its number. Two that 0.1.0 noted are
 * told apart by what they say alone.
 *
 * Worked example: INTRODUCE 5 1 1, INTRODUCE 5 2 1, RELEASE 5, INTRODUCE 5 1 1. The first two are of one domain and the last
 * is of another, although it says what the first one says.
 */
export function isSameDomain(left: Introduction, right: Introduction): boolean {
  const [first, second] = [left.commit, right.commit];
  if (first === undefined && second === undefined) return left.gfn === right.gfn && left.port === right.port;
  return first?.seq === second?.seq && first?.time === second?.time;
}

/** Whether a record says nothing, and so need not be kept. */
export function isEmptyRecord(record: DomainRecord): boolean {
  return (
    record.introduction === undefined &&
    record.target === undefined &&
    record.features === undefined &&
    !record.shutdown &&
    record.quotas.size === 0
  );
}
