/**
 * Identities: which domains, uuids and names a trace is about, and what they are called in a copy of it.
 *
 * Owns where in paths, values, perms, tokens and arguments an identity can stand. A bare number is a domain id only where the
 * protocol or the name of the node says so: the value 4 at a `state` is none. Copy 0 is the trace as it is.
 *
 *   worked example, copy 2 of a trace about domain 5 alone (so its domain is 7):
 *   WRITE /local/domain/0/backend/vbd/5/51712/frontend  /local/domain/5/device/vbd/51712
 *   WRITE /local/domain/0/backend/vbd/7/51712/frontend  /local/domain/7/device/vbd/51712
 */
import { createHash } from "node:crypto";
import type { ByteString } from "../../protocol/bytes.js";
import { DOMID_FIRST_RESERVED, type Domid } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";
import type { TracedReply, TracedRequest } from "../../protocol/request-trace.js";
import type { PlacedLine } from "./load-trace.js";

/** Whom a trace is about; dom0 is nobody. */
export interface TraceIdentities {
  /** Sorted. */
  readonly domids: readonly number[];
  readonly uuids: readonly string[];
  readonly names: readonly ByteString[];
  /** Paths above those with an identity in them, such as `/local/domain`: all copies share these. */
  readonly shared: ReadonlySet<ByteString>;
}

/** The number behind one of these is a domain id, in a path of any kind and in a text that holds one. */
const DOMID_IN_PATH =
  /(?<=\/local\/domain\/|\/libxl\/|device-model\/|backend\/[A-Za-z0-9_-]+\/|@(?:introduce|release)Domain\/)\d+(?![A-Za-z0-9_@-])/g;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const VM_UUID = /(?<=\/vm\/)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
/** A node with such a name holds a domain id. */
const DOMID_NODE = /(?:^|\/)(?:domid|(?:[A-Za-z0-9_-]*-)?domid|frontend-id|backend-id)$/;
const NAME_NODE = /(?:^|\/)(?:local\/domain\/\d+|vm\/[0-9a-f-]{36})\/name$/i;
/** The tokens of xenconsoled. */
const TOKEN_OF_DOMAIN = /^dom(\d+)$/;
const DECIMAL = /^\d+$/;

/** Which of a request's arguments are domain ids. */
const DOMID_ARGUMENTS: Partial<Record<OperationName, readonly number[]>> = {
  INTRODUCE: [0],
  RELEASE: [0],
  GET_DOMAIN_PATH: [0],
  IS_DOMAIN_INTRODUCED: [0],
  RESUME: [0],
  SET_TARGET: [0, 1],
  SET_FEATURE: [0],
  GET_FEATURE: [0],
  GET_QUOTA: [0],
  SET_QUOTA: [0],
};

/** Finds whom the lines are about. */
export function findIdentities(lines: readonly PlacedLine[]): TraceIdentities {
  const domids = new Set<number>();
  const uuids = new Set<string>();
  const names = new Set<ByteString>();
  const shared = new Set<ByteString>();
  for (const { line } of lines) {
    if (line.kind === "opened" || line.kind === "request") domids.add(line.domid);
    if (line.kind !== "request" || line.payload === undefined) continue;
    const { operation, payload } = line;
    const [first = "", second = ""] = payload.split("\0");
    if (operation === "INTRODUCE" && DECIMAL.test(first)) domids.add(Number(first));
    for (const pattern of [DOMID_IN_PATH, VM_UUID]) {
      for (const match of payload.matchAll(pattern)) {
        if (pattern === DOMID_IN_PATH) domids.add(Number(match[0]));
        else uuids.add(match[0].toLowerCase());
        if (match[0] !== "0" && match.index < first.length) addParents(shared, first.slice(0, match.index - 1));
      }
    }
    if (operation === "WRITE" && NAME_NODE.test(first) && second !== "" && !/\/0\/name$/.test(first)) names.add(second);
  }
  domids.delete(0);
  return {
    domids: [...domids].filter((domid) => domid < DOMID_FIRST_RESERVED).sort((left, right) => left - right),
    uuids: [...uuids],
    names: [...names],
    shared,
  };
}

function addParents(paths: Set<ByteString>, path: ByteString): void {
  let rest = path;
  while (rest !== "" && !paths.has(rest)) {
    paths.add(rest);
    rest = rest.slice(0, Math.max(0, rest.lastIndexOf("/")));
  }
}

/** How many copies have domain ids; undefined where that is no matter. */
export function copiesMax({ domids }: TraceIdentities): number | undefined {
  const most = domids.at(-1);
  return most === undefined ? undefined : 1 + Math.floor((DOMID_FIRST_RESERVED - 1 - most) / domids.length);
}

/** What the identities are called in a copy, from 0. */
export function renamingOf(identities: TraceIdentities, copy: number): Renaming {
  const { domids, uuids, names } = identities;
  if (copy === 0) return new Renaming({ domids: new Map(), uuids: new Map(), names: new Map() });
  const base = (domids.at(-1) ?? 0) + 1 + (copy - 1) * domids.length;
  return new Renaming({
    domids: new Map(domids.map((domid, index) => [String(domid), String(base + index)])),
    uuids: new Map(uuids.map((uuid) => [uuid, otherUuid(uuid, copy)])),
    names: new Map(names.map((name) => [name, `${name}-copy-${String(copy)}`])),
  });
}

function otherUuid(uuid: string, copy: number): string {
  const digits = createHash("sha256")
    .update(`${uuid} ${String(copy)}`)
    .digest("hex");
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
    digits.slice(20, 32),
  ].join("-");
}

interface Tables {
  readonly domids: ReadonlyMap<string, string>;
  readonly uuids: ReadonlyMap<string, string>;
  readonly names: ReadonlyMap<ByteString, ByteString>;
}

/** From one set of identities to another. What is in none of its tables stays. */
export class Renaming {
  readonly #tables: Tables;
  readonly #isEmpty: boolean;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#isEmpty = Object.values(tables).every((table: ReadonlyMap<string, string>) => table.size === 0);
  }

  /** The way back. */
  inverse(): Renaming {
    const { domids, uuids, names } = this.#tables;
    return new Renaming({ domids: inverted(domids), uuids: inverted(uuids), names: inverted(names) });
  }

  domid(domid: Domid): Domid {
    return Number(this.#domidText(String(domid))) as Domid;
  }

  /** The payload of a request. */
  payload(operation: TracedRequest["operation"], payload: ByteString): ByteString {
    if (this.#isEmpty || typeof operation !== "string") return payload;
    const positions = DOMID_ARGUMENTS[operation];
    const [first = "", ...rest] = payload.split("\0");
    if (positions !== undefined) {
      return [first, ...rest].map((text, at) => (positions.includes(at) ? this.#domidText(text) : text)).join("\0");
    }
    if (operation === "WRITE" && rest.length > 0) return `${this.text(first)}\0${this.value(first, rest.join("\0"))}`;
    if (operation === "CONTROL") {
      const isOfDomain = first === "domain" || first === "quota";
      return [first, ...rest.map((text) => (isOfDomain ? this.#domidText(text) : this.text(text)))].join("\0");
    }
    return [this.text(first), ...rest.map((text, at) => this.#argument(operation, text, at))].join("\0");
  }

  /** An argument behind the path. */
  #argument(operation: OperationName, text: ByteString, at: number): ByteString {
    if (operation === "SET_PERMS") return this.#permission(text);
    if (operation === "WATCH" || operation === "UNWATCH") return at === 0 ? this.token(text) : text;
    return text;
  }

  /** What a request of this payload was answered. */
  reply(operation: TracedRequest["operation"], payload: ByteString, reply: TracedReply): TracedReply {
    if (this.#isEmpty || typeof reply !== "string" || typeof operation !== "string") return reply;
    if (operation === "READ") return this.value(payload.split("\0")[0] ?? "", reply);
    if (operation === "GET_PERMS") {
      const entries = reply.split("\0").map((entry) => this.#permission(entry));
      return entries.join("\0");
    }
    // Identities are among the children of shared nodes only, and what those have is not compared.
    return operation === "DIRECTORY" || operation === "DIRECTORY_PART" ? reply : this.text(reply);
  }

  /** The value of the node at a path. */
  value(path: ByteString, value: ByteString): ByteString {
    if (DOMID_NODE.test(path) && DECIMAL.test(value)) return this.#domidText(value);
    if (path.endsWith("/name") || path === "name") return this.#tables.names.get(value) ?? this.text(value);
    return this.text(value);
  }

  /** The token of a watch. */
  token(token: ByteString): ByteString {
    const domid = TOKEN_OF_DOMAIN.exec(token)?.[1];
    return domid === undefined ? this.text(token) : `dom${this.#domidText(domid)}`;
  }

  /** A path, or a text that may hold one. */
  text(text: ByteString): ByteString {
    const { uuids } = this.#tables;
    return text
      .replace(DOMID_IN_PATH, (domid) => this.#domidText(domid))
      .replace(UUID, (uuid) => uuids.get(uuid.toLowerCase()) ?? uuid);
  }

  #permission(entry: ByteString): ByteString {
    return /^[nrwb]\d+$/.test(entry) ? `${entry.slice(0, 1)}${this.#domidText(entry.slice(1))}` : entry;
  }

  #domidText(text: string): string {
    return this.#tables.domids.get(text) ?? text;
  }
}

function inverted<Key, Value>(table: ReadonlyMap<Key, Value>): ReadonlyMap<Value, Key> {
  return new Map([...table].map(([key, value]) => [value, key]));
}
