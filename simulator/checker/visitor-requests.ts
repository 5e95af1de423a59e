/**
 * What visitors ask.
 *
 * Owns the requests and how often each is chosen: every operation, rightly and wrongly, on few paths, so that visitors get in
 * each other's way, and on those that machines use. None changes what machines need: only the visitors' own domains, what
 * lies below `/visitor`, what lies below `data/visitor` of a guest, and the perms of special paths.
 */
import { OPERATIONS, type OperationName } from "../../protocol/operation.js";
import type { Random } from "../world/random.js";

/** A request, but for its transaction. */
export interface VisitorRequest {
  readonly name: OperationName;
  readonly payload: string;
}

/** Where dom0's visitors write. */
export const VISITOR_PATH = "/visitor";

/** Domains that visitors introduce and release: no machine has one of these domids. */
export const VISITOR_DOMAINS = [101, 102] as const;

/** Where everybody may write, while dom0's visitors leave it so. */
const OPEN_PATH = `${VISITOR_PATH}/open`;

/** The children of this fill more than a message; it does not go with other nodes. */
const LARGE_PATH = `${VISITOR_PATH}-large`;
const LARGE_NAME = "n".repeat(1000);
const LARGE_CHILDREN = 6;

/** Paths that change while machines boot, relative ones among them. */
const OTHERS_PATHS = [
  "/",
  "/local/domain",
  "/local/domain/1",
  "/local/domain/2/device",
  "/local/domain/3/device/vbd/51712/state",
  "/local/domain/1/device/vif/0/state",
  "/local/domain/0/backend/vbd",
  "/local/domain/1/data/visitor/a",
  "/libxl",
  "/vm",
  "device",
  "name",
  "@releaseDomain",
  "@introduceDomain",
  "@releaseDomain/101",
  LARGE_PATH,
  "//",
] as const;

/** For DIRECTORY_PART. */
const OFFSETS = ["0", "2", "1500", "9000"] as const;
const OWN_NAMES = ["", "/a", "/a/b", "/a/b/c", "/d", "/d/e"] as const;
const PERMS = [
  "n0",
  "b0",
  "n0\0r1",
  "r1\0b2",
  "n1\0r1\0r2\0r3\0r4\0r5",
  "n2\0w3\0r1",
  "n101\0r1",
  "b101\0n102",
  "n0\0r101\0b102",
  "x",
] as const;
const SPECIAL_PATHS = ["@releaseDomain", "@introduceDomain"] as const;
const SPECIAL_PERMS = ["r0", "n0", "n0\0r101", "b0\0n1"] as const;
/** Has entries for guests that will be gone before the node is. */
const KEPT_PERMS = "n0\0r1\0r2\0b3\0r101";
/** Low enough to be met, or unlimited. (Of `memory` and `outstanding` the checker's model knows nothing.) */
const QUOTAS = [
  "nodes\x004",
  "nodes\x000",
  "watches\x002",
  "watches\x004",
  "transactions\x001",
  "transactions\x002",
  "transaction-nodes\x002",
  "node-size\x0020",
  "permissions\x001",
  "permissions\x003",
] as const;
/** Payloads that are wrong for most operations. */
const WRONG_PAYLOADS = ["", "x", "\0", "//\0", `${VISITOR_PATH}/a`, `${VISITOR_PATH}/a\0b\0c\0d\0`] as const;
/** Of the daemon itself, of none that was ever introduced, and reserved. */
const WRONG_DOMIDS = [0, 103, 0x7ff0] as const;
/** More than the quota of a guest's node; dom0 may write it. */
const LONG_VALUE = "long ".repeat(500);
/** The last but one is the longest for which the lowest quota of a node's size leaves room, with one permission. */
const VALUES = ["", "1", "2", "v".repeat(12), "v".repeat(13)] as const;
/** A write in so many is of a long value. */
const WRITES_PER_LONG = 6;

/** What dom0 asks first on a new connection. */
export const FIRST_REQUESTS: readonly VisitorRequest[] = [
  { name: "WRITE", payload: `${VISITOR_PATH}/kept\0` },
  { name: "SET_PERMS", payload: `${VISITOR_PATH}/kept\0${KEPT_PERMS}\0` },
  ...Array.from(
    { length: LARGE_CHILDREN },
    (_, number) => ({ name: "WRITE", payload: `${largeChild(number)}\0` }) as const,
  ),
  ...VISITOR_DOMAINS.map(introduce),
  setQuota(VISITOR_DOMAINS[0], "transaction-nodes\x004"),
  ...["nodes\x003", "watches\x002", "transactions\x001", "node-size\x0020"].map((quota) =>
    setQuota(VISITOR_DOMAINS[1], quota),
  ),
];

/** Lets everybody write where visitors meet. */
export const OPENING_REQUESTS: readonly VisitorRequest[] = [
  { name: "WRITE", payload: `${OPEN_PATH}\0` },
  { name: "SET_PERMS", payload: `${OPEN_PATH}\0b0\0` },
];

function largeChild(number: number): string {
  return `${LARGE_PATH}/${LARGE_NAME}${String(number)}`;
}

function introduce(domid: number): VisitorRequest {
  return { name: "INTRODUCE", payload: `${String(domid)}\x001\x001\0` };
}

/** @param quota - its name, NUL, its value */
function setQuota(domid: number, quota: string): VisitorRequest {
  return { name: "SET_QUOTA", payload: `${String(domid)}\0${quota}\0` };
}

/** Chooses what visitors of a domain ask. */
export class VisitorRequests {
  readonly #random: Random;
  readonly #domid: number;

  constructor(random: Random, domid: number) {
    this.#random = random;
    this.#domid = domid;
  }

  /** A node that this visitor and others count up. */
  counter(): string {
    if (this.#domid === 0) return `${VISITOR_PATH}/counter`;
    return this.#isOfVisitors() ? `${OPEN_PATH}/counter` : "data/visitor/counter";
  }

  /** A request that is right in its form. */
  next(): VisitorRequest {
    if (this.#domid === 0 && this.#isOneIn(3)) return this.#aboutDomains();
    if (this.#isOneIn(20)) return this.#forAnybody();
    const owned = this.#place() + this.#choose(OWN_NAMES);
    const any = this.#isOneIn(2) ? owned : this.#choose(OTHERS_PATHS);
    switch (this.#random.below(16)) {
      case 0:
      case 1:
        return { name: "READ", payload: `${any}\0` };
      case 2:
        return { name: "DIRECTORY", payload: `${any}\0` };
      case 3:
        return { name: "DIRECTORY_PART", payload: `${any}\0${this.#choose(OFFSETS)}\0` };
      case 4:
        return { name: "GET_PERMS", payload: `${any}\0` };
      case 5:
      case 6:
      case 7:
      case 8: {
        const value = this.#isOneIn(WRITES_PER_LONG) ? LONG_VALUE : this.#choose(VALUES);
        return { name: "WRITE", payload: `${owned}\0${value}` };
      }
      case 9:
        return { name: "MKDIR", payload: `${owned}\0` };
      case 10:
        return { name: "RM", payload: `${owned}\0` };
      case 11:
        return { name: "SET_PERMS", payload: `${owned}\0${this.#choose(PERMS)}\0` };
      case 12:
      case 13: {
        const depth = this.#isOneIn(3) ? `${String(this.#random.below(3))}\0` : "";
        return { name: "WATCH", payload: `${any}\0${this.#token()}\0${depth}` };
      }
      case 14:
        return { name: "UNWATCH", payload: `${any}\0${this.#token()}\0` };
      default:
        return this.#domid === 0 ? this.#aboutLarge() : { name: "RESET_WATCHES", payload: "\0" };
    }
  }

  /** A request with a payload that need not be its operation's, or that is dom0's alone. */
  nextWrong(): VisitorRequest {
    const names = OPERATIONS.map(({ name }) => name).filter((name) => name !== "TRANSACTION_START");
    return { name: this.#choose(names), payload: this.#choose(WRONG_PAYLOADS) };
  }

  /** A place where the visitor may write, as a rule. */
  #place(): string {
    if (this.#isOneIn(4)) return OPEN_PATH;
    if (this.#domid === 0) return VISITOR_PATH;
    if (!this.#isOfVisitors()) return "data/visitor";
    // As the target's, while it has one; no VM's domid is larger where three run.
    if (this.#isOneIn(3)) return `/local/domain/${String(1 + this.#random.below(3))}/data/visitor`;
    return `${OPEN_PATH}/${String(this.#domid)}`;
  }

  #aboutLarge(): VisitorRequest {
    switch (this.#random.below(5)) {
      case 0:
        return { name: "DIRECTORY", payload: `${LARGE_PATH}\0` };
      case 1:
      case 2:
        return { name: "DIRECTORY_PART", payload: `${LARGE_PATH}\0${this.#choose(OFFSETS)}\0` };
      case 3:
        return { name: "RM", payload: `${largeChild(this.#random.below(LARGE_CHILDREN))}\0` };
      default:
        return { name: "WRITE", payload: `${largeChild(this.#random.below(LARGE_CHILDREN))}\0` };
    }
  }

  #forAnybody(): VisitorRequest {
    switch (this.#random.below(4)) {
      case 0:
        return { name: "GET_DOMAIN_PATH", payload: `${this.#choose(["0", "7", "x"])}\0` };
      case 1:
        return { name: "GET_FEATURE", payload: this.#isOneIn(3) ? `${this.#domain()}\0` : "" };
      case 2:
        return { name: "RESET_WATCHES", payload: "\0" };
      default:
        return { name: "IS_DOMAIN_INTRODUCED", payload: `${this.#domain()}\0` };
    }
  }

  /** What dom0 alone may ask. */
  #aboutDomains(): VisitorRequest {
    const domain = this.#domain();
    switch (this.#random.below(17)) {
      case 0:
      case 1:
      case 2:
        return {
          name: "INTRODUCE",
          payload: `${domain}\0${String(this.#random.below(2))}\0${this.#isOneIn(8) ? "0" : "1"}\0`,
        };
      case 3:
        return { name: "RELEASE", payload: `${domain}\0` };
      case 4:
      case 5:
        return { name: "RESUME", payload: `${domain}\0` };
      case 6:
      case 7:
        return { name: "SET_TARGET", payload: `${domain}\0${this.#choose(["1", "2", "3", "101", "103"])}\0` };
      case 8:
        return { name: "SET_FEATURE", payload: `${domain}\0${this.#choose(["0", "4", "8"])}\0` };
      case 9:
        return { name: "GET_FEATURE", payload: `${domain}\0` };
      case 10:
      case 11:
        return { name: "SET_QUOTA", payload: `${domain}\0${this.#choose(QUOTAS)}\0` };
      case 12:
        return this.#isOneIn(2)
          ? { name: "GET_QUOTA", payload: this.#choose(["", "nodes\0", "101\0watches\0", "x\0"]) }
          : { name: "SET_QUOTA", payload: `permissions\0${this.#choose(["5", "6"])}\0` };
      case 13:
      case 14:
        return { name: "CONTROL", payload: `domain\0${this.#isOneIn(8) ? "destroy" : "shutdown"}\0${domain}\0` };
      case 15:
        return { name: "SET_PERMS", payload: `${this.#choose(SPECIAL_PATHS)}\0${this.#choose(SPECIAL_PERMS)}\0` };
      default:
        return { name: "IS_DOMAIN_INTRODUCED", payload: `${domain}\0` };
    }
  }

  #isOfVisitors(): boolean {
    return VISITOR_DOMAINS.some((domid) => domid === this.#domid);
  }

  /** Mostly one of the visitors' domains. */
  #domain(): string {
    return String(this.#choose(this.#isOneIn(10) ? WRONG_DOMIDS : VISITOR_DOMAINS));
  }

  #token(): string {
    return `token ${String(this.#random.below(3))}`;
  }

  #choose<T>(among: readonly T[]): T {
    return among[this.#random.below(among.length)] as T;
  }

  #isOneIn(count: number): boolean {
    return this.#random.below(count) === 0;
  }
}
