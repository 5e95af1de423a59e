/**
 * The naive model: connections, transactions, domains, and one reply to each message.
 *
 * Owns the order of checks (type, privilege, transaction, arguments), the meaning of all operations that are not on the
 * tree, and what each commit must be. A transaction is a full copy of the state; its end runs its requests again on the
 * state of then.
 */
import { ROOT_PATH, parsePath, parseWatchPath } from "../../../protocol/path.js";
import { parseDomid, type Domid } from "../../../protocol/identifiers.js";
import { getOperation, type TableOperation } from "../../../protocol/operation.js";
import { REQUEST_CODECS } from "../../../protocol/payload.js";
import type { Permission, Perms } from "../../../protocol/perms.js";
import { samePermsLists, type ModelNode } from "./model-tree.js";
import {
  beginChange,
  copyState,
  initialState,
  isOverQuota,
  makePerms,
  MODEL_QUOTAS,
  ownerOf,
  quotaFor,
  replaceState,
  textWithoutTree,
  UNKNOWN_DOMAIN,
  type ModelBefore,
  type ModelDomain,
  type ModelState,
  type Mutation,
  type Who,
} from "./state.js";
import {
  comparableReply,
  deleteWithin,
  runRequest,
  type ModelEvent,
  type ModelReply,
  type ModelRequest,
} from "./tree-request.js";
import { tell, toldPath, type ModelDeliveries, type ModelWatch } from "./watch-events.js";

/** What a client must get next. */
export type Expected =
  | {
      readonly kind: "reply";
      readonly operation: string;
      readonly requestId: number;
      readonly txId: number;
      readonly reply: ModelReply;
    }
  /** Events in this order. */
  | { readonly kind: "events"; readonly events: readonly ExpectedEvent[] }
  /** Events in any order in which children precede parents, and those of one path stand in this order. */
  | { readonly kind: "removals"; readonly events: readonly ExpectedEvent[] };

/** An event. */
export interface ExpectedEvent {
  readonly told: string;
  readonly token: string;
  /** The absolute path. */
  readonly path: string;
}

/** A commit as it must be. */
export interface ModelCommit {
  readonly seq: number;
  readonly connection: ModelConnection;
  readonly transaction: number | undefined;
  /** Seq of the state that it is based on. */
  readonly base: number;
  /** What each node that it set or deleted was before and is after; both may be equal. */
  readonly nodes: ReadonlyMap<
    string,
    { readonly before: ModelNode | undefined; readonly after: ModelNode | undefined }
  >;
  /** Everything but the nodes. */
  readonly before: ModelBefore;
  readonly after: ModelBefore;
}

interface ModelTransaction {
  readonly id: number;
  readonly baseSeq: number;
  readonly base: ModelState;
  readonly state: ModelState;
  readonly events: ModelEvent[];
  /** Requests, and what must be the same of their replies at the end. */
  readonly log: { readonly request: ModelRequest; readonly reply: ModelReply }[];
  readonly named: Set<string>;
  poisoned: boolean;
}

/** A client. */
export interface ModelConnection {
  readonly domid: number;
  readonly transactions: Map<number, ModelTransaction>;
  lastTxId: number;
  isClosed: boolean;
  /** What it must get, and was not compared yet. */
  expected: Expected[];
}

/** A message to the model. */
export interface ModelMessage {
  readonly type: number;
  readonly requestId: number;
  readonly txId: number;
  readonly payload: string;
}

const OK = "OK\0";
const failed = (error: string): ModelReply => ({ error });
const WATCHDEPTH = 4;
const FIRST_RESERVED = 0x7ff0;
const UINT32_MAX = 0xffff_ffff;

/** The model. */
export class Model {
  readonly state = initialState();
  /** How many commits there were. */
  seq = 0;
  /** Why nothing is committed any more, or undefined while commits are accepted. */
  refusal: string | undefined;
  readonly #mutation: Mutation | undefined;
  readonly #connections = new Set<ModelConnection>();
  /** Those that came since the last `save`. */
  #opened: ModelConnection[] = [];
  #watches: readonly ModelWatch<ModelConnection>[] = [];
  #commits: ModelCommit[] = [];
  /** What the message at hand caused, by connection, behind the reply. */
  #caused: { readonly connection: ModelConnection; readonly expected: Expected }[] = [];

  constructor(mutation?: Mutation) {
    this.#mutation = mutation;
  }

  connect(domid: number): ModelConnection {
    const connection = { domid, transactions: new Map(), lastTxId: 0, isClosed: false, expected: [] };
    this.#connections.add(connection);
    this.#opened.push(connection);
    return connection;
  }

  disconnect(connection: ModelConnection): void {
    this.#reset(connection);
    connection.isClosed = true;
    this.#connections.delete(connection);
  }

  /** How many watches a connection has. */
  watchesOf(connection: ModelConnection): number {
    return this.#watches.filter(({ owner }) => owner === connection).length;
  }

  isIntroduced(domid: number): boolean {
    return domid === 0 || this.state.domains.get(domid)?.introduced === true;
  }

  /** Takes the commits that were made since the last call. */
  takeCommits(): ModelCommit[] {
    const commits = this.#commits;
    this.#commits = [];
    return commits;
  }

  /** Remembers this moment; the result returns to it. What is expected of the clients is forgotten then. */
  save(): () => void {
    const state = copyState(this.state);
    const watches = this.#watches;
    const { seq } = this;
    this.#opened = [];
    const connections = [...this.#connections].map((connection) => ({
      connection,
      lastTxId: connection.lastTxId,
      transactions: [...connection.transactions.values()].map(copyTransaction),
    }));
    return () => {
      replaceState(this.state, copyState(state));
      this.#watches = watches;
      this.#commits = [];
      this.seq = seq;
      const opened = this.#opened.map((connection) => ({ connection, lastTxId: 0, transactions: [] }));
      for (const { connection, lastTxId, transactions } of [...connections, ...opened]) {
        this.#connections.add(connection);
        connection.isClosed = false;
        connection.lastTxId = lastTxId;
        connection.transactions.clear();
        for (const transaction of transactions) connection.transactions.set(transaction.id, transaction);
      }
      for (const connection of this.#connections) connection.expected = [];
    };
  }

  /** Answers one message, and adds what everybody must get to what is expected. */
  receive(connection: ModelConnection, message: ModelMessage): ModelReply | undefined {
    if (connection.isClosed) return undefined;
    this.#caused = [];
    const { requestId, txId, type } = message;
    const reply = this.#answer(connection, message);
    const operation = getOperation(type)?.name ?? String(type);
    const before = this.#mutation === "events precede the reply that caused them" && this.#caused.length > 0;
    const expected: Expected = { kind: "reply", operation, requestId, txId, reply };
    if (!before) connection.expected.push(expected);
    for (const each of this.#caused) if (!each.connection.isClosed) each.connection.expected.push(each.expected);
    if (before) connection.expected.push(expected);
    return reply;
  }

  #answer(connection: ModelConnection, message: ModelMessage): ModelReply {
    const operation = getOperation(message.type);
    if (operation === undefined) return failed("ENOSYS");
    if (operation.privilege === "dom0" && connection.domid !== 0) return failed("EACCES");
    let transaction: ModelTransaction | undefined;
    if (message.txId !== 0 && operation.name !== "WATCH" && operation.name !== "UNWATCH") {
      transaction = connection.transactions.get(message.txId);
      if (transaction === undefined) return failed("ENOENT");
    }
    return this.#perform(connection, operation, message.payload, transaction);
  }

  #perform(
    connection: ModelConnection,
    operation: TableOperation,
    payload: string,
    transaction: ModelTransaction | undefined,
  ): ModelReply {
    switch (operation.name) {
      case "READ":
      case "DIRECTORY":
      case "DIRECTORY_PART":
      case "GET_PERMS":
      case "WRITE":
      case "MKDIR":
      case "RM":
      case "SET_PERMS": {
        const request = parseTreeRequest(operation.name, payload, connection.domid);
        if (request === undefined) return failed("EINVAL");
        // No other special path has perms: as a node that is missing, in whatever way it is asked for.
        if (request.path.startsWith("@") && !this.state.special.has(request.path)) return failed("ENOENT");
        return transaction === undefined
          ? this.#alone(connection, request)
          : this.#within(connection, transaction, request);
      }
      case "WATCH":
        return this.#watch(connection, payload);
      case "UNWATCH":
        return this.#unwatch(connection, payload);
      case "RESET_WATCHES":
        this.#reset(connection);
        return OK;
      case "TRANSACTION_START":
        return this.#start(connection, transaction);
      case "TRANSACTION_END":
        return this.#end(connection, payload, transaction);
      case "GET_DOMAIN_PATH": {
        const request = REQUEST_CODECS.GET_DOMAIN_PATH.parse(payload);
        return request === undefined ? failed("EINVAL") : `/local/domain/${String(request.domid)}\0`;
      }
      default:
        return this.#aboutDomains(connection, operation, payload);
    }
  }

  #aboutDomains(connection: ModelConnection, operation: TableOperation, payload: string): ModelReply {
    switch (operation.name) {
      case "INTRODUCE":
        return this.#introduce(connection, payload);
      case "RELEASE":
      case "RESUME": {
        const domid = REQUEST_CODECS.RELEASE.parse(payload)?.domid;
        if (domid === undefined || domid === 0) return failed("EINVAL");
        if (!this.isIntroduced(domid)) return failed("ENOENT");
        if (operation.name === "RELEASE") return this.#removeDomain(connection, domid);
        return this.#change(connection, () => this.#setDomain(domid, { shutDown: false }));
      }
      case "IS_DOMAIN_INTRODUCED": {
        const domid = REQUEST_CODECS.IS_DOMAIN_INTRODUCED.parse(payload)?.domid;
        if (domid === undefined) return failed("EINVAL");
        return this.isIntroduced(domid) ? "T\0" : "F\0";
      }
      case "SET_TARGET": {
        const request = REQUEST_CODECS.SET_TARGET.parse(payload);
        if (request === undefined || request.domid === 0) return failed("EINVAL");
        if (!this.isIntroduced(request.domid) || !this.isIntroduced(request.target)) return failed("ENOENT");
        return this.#change(connection, () => this.#setDomain(request.domid, { target: request.target }));
      }
      case "GET_FEATURE": {
        const request: { readonly domid?: Domid | undefined } | undefined = REQUEST_CODECS.GET_FEATURE.parse(payload);
        if (request === undefined) return failed("EINVAL");
        if (request.domid !== undefined && connection.domid !== 0) return failed("EACCES");
        return `${String(this.#featuresOf(request.domid ?? connection.domid))}\0`;
      }
      case "SET_FEATURE": {
        const request = REQUEST_CODECS.SET_FEATURE.parse(payload);
        if (request === undefined || request.domid >= FIRST_RESERVED) return failed("EINVAL");
        if (this.isIntroduced(request.domid)) return failed("EBUSY");
        if (request.features !== 0 && request.features !== WATCHDEPTH) return failed("EINVAL");
        return this.#change(connection, () => this.#setDomain(request.domid, { features: request.features }));
      }
      case "GET_QUOTA":
        return this.#getQuota(payload);
      case "SET_QUOTA":
        return this.#setQuota(connection, payload);
      case "CONTROL":
        return this.#control(connection, payload);
      default:
        throw new Error(`${operation.name} has no model`);
    }
  }

  #who(connection: ModelConnection): Who {
    const { domid } = connection;
    if (this.#mutation === "a domain's target gives it no rights") return { domid, target: undefined };
    return { domid, target: this.state.domains.get(domid)?.target };
  }

  #alone(connection: ModelConnection, request: ModelRequest): ModelReply {
    const scene = { state: this.state, who: this.#who(connection), mutation: this.#mutation };
    if (isRead(request)) return runRequest({ ...scene, events: [] }, request);
    return this.#change(connection, (events) => runRequest({ ...scene, events }, request));
  }

  /** Changes the state, commits and fires what happened; refused as a whole where commits are refused. */
  #change(
    connection: ModelConnection,
    act: (events: ModelEvent[]) => ModelReply,
    transaction?: ModelTransaction,
  ): ModelReply {
    const { refusal } = this;
    const untouched = refusal === undefined ? undefined : copyState(this.state);
    const before = beginChange(this.state, this.seq + 1);
    const events: ModelEvent[] = [];
    const reply = act(events);
    const { tree, special, quotas, domains } = this.state;
    if (events.length === 0 && textWithoutTree(before) === textWithoutTree(this.state)) return reply;
    if (refusal !== undefined && untouched !== undefined) {
      replaceState(this.state, untouched);
      return failed(refusal);
    }
    const nodes = new Map([...tree.changes].map(([path, node]) => [path, { before: node, after: tree.get(path) }]));
    this.#commits.push({
      connection,
      transaction: transaction?.id,
      base: transaction?.baseSeq ?? this.seq,
      seq: ++this.seq,
      nodes,
      before,
      after: { special: new Map(special), quotas: new Map(quotas), domains: new Map(domains) },
    });
    this.#fire(events);
    return reply;
  }

  /** Quotas and what is introduced are the snapshot's, for the quotas and domains are part of it; rights are those of now. */
  #within(connection: ModelConnection, transaction: ModelTransaction, request: ModelRequest): ModelReply {
    const { state, events, log, named } = transaction;
    const distinct = named.size + (named.has(request.path) ? 0 : 1);
    if (isOverQuota(state, connection.domid, "transaction-nodes", distinct)) {
      transaction.poisoned = true;
      return failed("ENOSPC");
    }
    named.add(request.path);
    const scene = { state, events, who: this.#who(connection), mutation: this.#mutation };
    const reply = runRequest(scene, request);
    if (typeof reply !== "string" && reply.error === "ENOSPC") transaction.poisoned = true;
    log.push({ request, reply: comparableReply(state, request, reply) });
    return reply;
  }

  #start(connection: ModelConnection, transaction: ModelTransaction | undefined): ModelReply {
    if (transaction !== undefined) return failed("EBUSY");
    let held = 1;
    for (const each of this.#connections) if (each.domid === connection.domid) held += each.transactions.size;
    if (isOverQuota(this.state, connection.domid, "transactions", held)) return failed("ENOSPC");
    const id = ++connection.lastTxId;
    const state = copyState(this.state);
    beginChange(state, this.seq + 1);
    connection.transactions.set(id, {
      id,
      baseSeq: this.seq,
      base: copyState(this.state),
      state,
      events: [],
      log: [],
      named: new Set(),
      poisoned: false,
    });
    return `${String(id)}\0`;
  }

  #end(connection: ModelConnection, payload: string, transaction: ModelTransaction | undefined): ModelReply {
    if (transaction === undefined) return failed("ENOENT");
    if (payload !== "T\0" && payload !== "F\0") return failed("EINVAL");
    connection.transactions.delete(transaction.id);
    if (payload === "F\0") {
      if (this.#mutation === "an aborted transaction fires its events") this.#fire(transaction.events);
      return OK;
    }
    return this.#commit(connection, transaction);
  }

  #commit(connection: ModelConnection, transaction: ModelTransaction): ModelReply {
    if (transaction.poisoned) return failed("ENOSPC");
    const { state, base } = transaction;
    // The perms of a special path can change, and change back, without an event.
    const isSame = [...state.special].every(([path, perms]) => samePermsLists(perms, base.special.get(path)));
    const idle = transaction.events.length === 0 && isSame;
    if (idle && this.#mutation !== "a read-only transaction can conflict") return OK;
    const result = copyState(this.state);
    beginChange(result, this.seq + 1);
    const events: ModelEvent[] = [];
    const scene = { state: result, events, who: this.#who(connection), mutation: this.#mutation };
    for (const { request, reply } of transaction.log) {
      const now = comparableReply(result, request, runRequest(scene, request));
      if (!sameReplies(reply, now) && this.#mutation !== "no transaction ever conflicts") return failed("EAGAIN");
    }
    // The requests may have nothing left to do.
    const adopt = (happened: ModelEvent[]): ModelReply => {
      replaceState(this.state, result);
      happened.push(...events);
      return OK;
    };
    return this.#change(connection, adopt, transaction);
  }

  #watch(connection: ModelConnection, payload: string): ModelReply {
    const request = REQUEST_CODECS.WATCH.parse(payload);
    if (request === undefined) return failed("EINVAL");
    if (request.depth !== undefined && this.#featuresOf(connection.domid) !== WATCHDEPTH) return failed("EINVAL");
    const parsed = parseWatchPath(request.path, connection.domid as Domid);
    if (parsed === undefined) return failed("EINVAL");
    const { path } = parsed;
    const { token, depth } = request;
    const isOwn = (watch: ModelWatch<ModelConnection>): boolean => watch.owner === connection;
    if (this.#watches.some((each) => isOwn(each) && each.path === path && each.token === token))
      return failed("EEXIST");
    const more = this.#mutation === "watches: one more than the quota is allowed" ? 0 : 1;
    const held = this.#watches.filter(({ owner }) => owner.domid === connection.domid).length + more;
    if (isOverQuota(this.state, connection.domid, "watches", held)) return failed("ENOSPC");
    const watch = { owner: connection, path, token, depth, base: path.slice(0, parsed.relativeBase) };
    this.#watches = [...this.#watches, watch];
    const event = { told: toldPath(watch, path), token, path };
    this.#caused.push({ connection, expected: { kind: "events", events: [event] } });
    return OK;
  }

  #unwatch(connection: ModelConnection, payload: string): ModelReply {
    const request = REQUEST_CODECS.UNWATCH.parse(payload);
    const parsed = request === undefined ? undefined : parseWatchPath(request.path, connection.domid as Domid);
    if (request === undefined || parsed === undefined) return failed("EINVAL");
    const others = this.#watches.filter(
      (each) => each.owner !== connection || each.path !== parsed.path || each.token !== request.token,
    );
    if (others.length === this.#watches.length) return failed("ENOENT");
    this.#watches = others;
    return OK;
  }

  #reset(connection: ModelConnection): void {
    this.#watches = this.#watches.filter(({ owner }) => owner !== connection);
    connection.transactions.clear();
  }

  #introduce(connection: ModelConnection, payload: string): ModelReply {
    const request = REQUEST_CODECS.INTRODUCE.parse(payload);
    if (request === undefined || request.port <= 0 || request.port > UINT32_MAX) return failed("EINVAL");
    const { domid, gfn, port } = request;
    if (domid === 0 || domid >= FIRST_RESERVED) return failed("EINVAL");
    const isRepeated = this.isIntroduced(domid);
    const reply = this.#change(connection, (events) => {
      this.#setDomain(domid, { introduced: true, place: `${String(gfn)} ${String(port)}` });
      if (!isRepeated) events.push({ kind: "special", path: "@introduceDomain", domid });
      return OK;
    });
    const guests = [...this.#connections].filter((guest) => guest.domid === domid);
    if (isRepeated && reply === OK) for (const guest of guests) this.#reset(guest);
    return reply;
  }

  /** Rules 7 and 8: others are told of each removed node and what was below it, and then `@releaseDomain`. */
  #removeDomain(connection: ModelConnection, domid: number): ModelReply {
    if (this.refusal !== undefined) return failed(this.refusal);
    for (const guest of [...this.#connections]) if (guest.domid === domid) this.disconnect(guest);
    return this.#change(connection, (events) => {
      const { tree, special, domains } = this.state;
      const owned = tree.nodes().filter(([path, { perms }]) => path !== ROOT_PATH && ownerOf(perms) === domid);
      const whole = this.#mutation !== "a release forgets the domain's subtrees";
      for (const top of owned.map(([path]) => path).sort()) {
        if (!tree.has(top)) continue;
        const existed = new Set(tree.pathsWithin(top));
        if (whole) deleteWithin(tree, top);
        else tree.delete(top);
        events.push({ kind: "removed", path: top, existed });
      }
      if (this.#mutation !== "entries for a released domain stay") {
        for (const [path, { value, perms }] of tree.nodes()) {
          if (perms.some((entry) => entry.domid === domid)) tree.set(path, { value, perms: without(perms, domid) });
        }
      }
      for (const [path, perms] of special) special.set(path, without(perms, domid));
      for (const [other, domain] of domains) {
        if (domain.target === domid) domains.set(other, { ...domain, target: undefined });
      }
      domains.delete(domid);
      events.push({ kind: "special", path: "@releaseDomain", domid });
      return OK;
    });
  }

  #control(connection: ModelConnection, payload: string): ModelReply {
    const request = REQUEST_CODECS.CONTROL.parse(payload);
    if (request === undefined) return failed("EINVAL");
    const { command, parameters } = request;
    if (command === "check") return OK;
    const [act, name] = parameters;
    const domid = parseDomid(name ?? "");
    if (command !== "domain" || domid === undefined || parameters.length !== 2) return failed("EINVAL");
    if (act !== "shutdown" && act !== "destroy") return failed("EINVAL");
    if (domid === 0 || !this.isIntroduced(domid)) return failed("ENOENT");
    if (act === "destroy") return this.#removeDomain(connection, domid);
    return this.#change(connection, (events) => {
      if (this.state.domains.get(domid)?.shutDown !== true) {
        events.push({ kind: "special", path: "@releaseDomain", domid });
      }
      return this.#setDomain(domid, { shutDown: true });
    });
  }

  #getQuota(payload: string): ModelReply {
    const request: { readonly domid?: Domid | undefined; readonly quota?: string | undefined } | undefined =
      REQUEST_CODECS.GET_QUOTA.parse(payload);
    if (request === undefined) return failed("EINVAL");
    if (request.quota === undefined) return `${[...MODEL_QUOTAS.keys()].join(" ")}\0`;
    if (!MODEL_QUOTAS.has(request.quota)) return failed("EINVAL");
    return `${String(quotaFor(this.state, request.domid ?? -1, request.quota))}\0`;
  }

  #setQuota(connection: ModelConnection, payload: string): ModelReply {
    const request = REQUEST_CODECS.SET_QUOTA.parse(payload);
    if (request === undefined || !MODEL_QUOTAS.has(request.quota)) return failed("EINVAL");
    const { domid, quota, value } = request;
    if (value > UINT32_MAX) return failed("EINVAL");
    if (domid === undefined) {
      return this.#change(connection, () => {
        if (quotaFor(this.state, -1, quota) !== value) this.state.quotas.set(quota, value);
        return OK;
      });
    }
    if (domid === 0 || domid >= FIRST_RESERVED) return failed("EINVAL");
    const { quotas } = this.state.domains.get(domid) ?? UNKNOWN_DOMAIN;
    return this.#change(connection, () => this.#setDomain(domid, { quotas: new Map([...quotas, [quota, value]]) }));
  }

  #featuresOf(domid: number): number {
    return this.state.domains.get(domid)?.features ?? WATCHDEPTH;
  }

  #setDomain(domid: number, part: Partial<ModelDomain>): ModelReply {
    this.state.domains.set(domid, { ...(this.state.domains.get(domid) ?? UNKNOWN_DOMAIN), ...part });
    return OK;
  }

  #fire(events: readonly ModelEvent[]): void {
    const whoOf = (connection: ModelConnection): Who => this.#who(connection);
    for (const group of tell(events, this.#watches, this.state, { whoOf, mutation: this.#mutation })) {
      for (const [connection, told] of byOwner(group)) {
        const kind = group.order === "as listed" ? "events" : "removals";
        this.#caused.push({ connection, expected: { kind, events: told } });
      }
    }
  }
}

function isRead({ operation }: ModelRequest): boolean {
  return operation !== "WRITE" && operation !== "MKDIR" && operation !== "RM" && operation !== "SET_PERMS";
}

function copyTransaction(transaction: ModelTransaction): ModelTransaction {
  const { state, events, log, named } = transaction;
  return {
    ...transaction,
    state: copyState(state),
    events: events.slice(),
    log: log.slice(),
    named: new Set(named),
  };
}

function byOwner(group: ModelDeliveries<ModelConnection>): Map<ModelConnection, ExpectedEvent[]> {
  const events = new Map<ModelConnection, ExpectedEvent[]>();
  for (const { watch, path } of group.deliveries) {
    const event = { told: toldPath(watch, path), token: watch.token, path };
    const list = events.get(watch.owner);
    if (list === undefined) events.set(watch.owner, [event]);
    else list.push(event);
  }
  return events;
}

/** Without a domain's entries; what it owned is dom0's alone. */
function without(perms: Perms, domid: number): Perms {
  const [owner, ...others] = perms;
  const dom0: Permission = { access: 0, domid: 0 as Domid };
  return makePerms(
    owner.domid === domid ? dom0 : owner,
    others.filter((entry) => entry.domid !== domid),
  );
}

/** Whether two replies are the same. */
function sameReplies(left: ModelReply, right: ModelReply): boolean {
  if (typeof left === "string" || typeof right === "string") return left === right;
  return left.error === right.error;
}

function parseTreeRequest(
  operation: "READ" | "DIRECTORY" | "DIRECTORY_PART" | "GET_PERMS" | "WRITE" | "MKDIR" | "RM" | "SET_PERMS",
  payload: string,
  domid: number,
): ModelRequest | undefined {
  const absolute = (path: string): string | undefined => {
    const isPerms = operation === "GET_PERMS" || operation === "SET_PERMS";
    if (isPerms && path.startsWith("@")) return parseWatchPath(path, domid as Domid)?.path;
    return parsePath(path, domid as Domid);
  };
  if (operation === "WRITE") {
    const request = REQUEST_CODECS.WRITE.parse(payload);
    const path = request === undefined ? undefined : absolute(request.path);
    return request === undefined || path === undefined ? undefined : { operation, path, value: request.value };
  }
  if (operation === "SET_PERMS") {
    const request = REQUEST_CODECS.SET_PERMS.parse(payload);
    const path = request === undefined ? undefined : absolute(request.path);
    return request === undefined || path === undefined ? undefined : { operation, path, perms: request.perms };
  }
  if (operation === "DIRECTORY_PART") {
    const request = REQUEST_CODECS.DIRECTORY_PART.parse(payload);
    const path = request === undefined ? undefined : absolute(request.path);
    return request === undefined || path === undefined ? undefined : { operation, path, offset: request.offset };
  }
  const request = REQUEST_CODECS[operation].parse(payload);
  const path = request === undefined ? undefined : absolute(request.path);
  return path === undefined ? undefined : { operation, path };
}
