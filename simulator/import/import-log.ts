/**
 * From a log to commits: a daemon in memory is asked what the log says, at the log's times.
 *
 * Owns the daemon and its clients, and whose name a commit carries. The daemon is the real core, so that parents, permissions
 * and transactions are what they would have been. Invariants:
 *
 *  1. Requests are asked one after the other, in the order of the log; a transaction's at the line of its end. So nothing
 *     conflicts.
 *  2. A guest's request is asked as that guest, whose domain is introduced first where the log does not say so. Where it is
 *     refused for permissions or quotas that the log does not know, dom0 stands in, and the commit is still the guest's: the log says
 *     that it happened.
 *  3. The log says that a request succeeded. Nodes and domains that it needs, and that the log does not tell the making of, are
 *     made before it in a commit of the connection `import`; what the log itself removed is not made again.
 *  4. What the daemon refuses all the same changes nothing and is listed.
 */
import type { ByteString } from "../../protocol/bytes.js";
import {
  DOM0,
  DOMID_FIRST_RESERVED,
  type Domid,
  type Microseconds,
  type Path,
  type TxId,
} from "../../protocol/identifiers.js";
import { operationNamed, type OperationName } from "../../protocol/operation.js";
import { stringReply } from "../../protocol/payload.js";
import { parsePath, splitPath } from "../../protocol/path.js";
import { startMemoryDaemon, type Commit, type MemoryDaemon } from "../../daemon/memory-daemon.js";
import { openRawSession, type Answer, type RawSession } from "../replay/raw-session.js";
import { MemoryNetwork } from "../world/memory-network.js";
import { createRandom } from "../world/random.js";
import { Scheduler } from "../world/scheduler.js";
import { domainsOf, earlierNodesOf, pathOf, RemovedNodes } from "./earlier-nodes.js";
import type { LogEntry, ParsedLog, SkippedLine } from "./log-entry.js";

const SOCKET = "/run/socket";
const DOMAINS = "/run/domains";
/** No frame and no port: any number is as good. */
const INTRODUCE_ARGUMENTS = "1\x001\0";

/** How an import is to be done. */
export interface ImportOptions {
  readonly log: ParsedLog;
  /** What the first commit calls its connection: where all this comes from. */
  readonly source: string;
  /** Takes the commits, in their order. */
  readonly committed: (commits: readonly Commit[]) => void;
  /** Told after each entry how many are done. */
  readonly progress?: (done: number) => void;
}

/** What came of an import. */
export interface ImportOutcome {
  readonly commits: number;
  /** Requests that were applied, those of transactions too. */
  readonly requests: number;
  readonly transactions: number;
  /** Values of which the log has only the beginning. */
  readonly cutValues: number;
  /** Requests of guests that dom0 stood in for. */
  readonly standIns: number;
  /** Commits in the name of the log, and not of the import. */
  readonly changes: number;
  /** Nodes, with their parents, that must have been there before the log begins, and were made by the import. */
  readonly earlierNodes: number;
  /** Domains of whose introduction the log does not tell, and that were introduced by the import. */
  readonly impliedDomains: number;
  /** Removals that succeed without a node: it was not there, or nobody knows that it was. */
  readonly emptyRemovals: readonly SkippedLine[];
  /** Requests that the daemon refused. */
  readonly refused: readonly SkippedLine[];
}

/** Imports a log. */
export async function importLog(options: ImportOptions): Promise<ImportOutcome> {
  const importer = new Importer(options);
  await importer.start();
  try {
    return await importer.run();
  } finally {
    importer.stop();
  }
}

/** Whose commit the next one is. */
interface Author {
  readonly connection: string;
  /** Undefined for whoever asked. */
  readonly domid: Domid | undefined;
  readonly transaction: number | undefined;
}

/** Who makes what was there before the log begins. */
const IMPORT = { connection: "import", domid: DOM0 } as const;
const IMPORT_AUTHOR: Author = { ...IMPORT, transaction: undefined };

class Importer {
  readonly #options: ImportOptions;
  readonly #scheduler = new Scheduler(createRandom({ seed: 0 }));
  readonly #network = new MemoryNetwork(this.#scheduler);
  readonly #sessions = new Map<string, RawSession>();
  readonly #introduced = new Set<Domid>();
  /** Domains that the log itself released. */
  readonly #released = new Set<Domid>();
  readonly #removed = new RemovedNodes();
  readonly #refused: SkippedLine[] = [];
  readonly #emptyRemovals: SkippedLine[] = [];
  readonly #counts = {
    commits: 0,
    changes: 0,
    requests: 0,
    transactions: 0,
    cutValues: 0,
    standIns: 0,
    earlierNodes: 0,
    impliedDomains: 0,
  };
  #daemon: MemoryDaemon | undefined;
  #now: Microseconds;
  #author: Author;

  constructor(options: ImportOptions) {
    this.#options = options;
    this.#now = options.log.entries.find(({ action }) => action.kind !== "closed")?.time ?? (0 as Microseconds);
    this.#author = { connection: options.source, domid: undefined, transaction: undefined };
  }

  async start(): Promise<void> {
    const { committed } = this.#options;
    this.#daemon = await startMemoryDaemon(
      {
        listener: this.#network,
        clock: {
          nowMicroseconds: () => this.#now,
          monotonicMilliseconds: () => this.#scheduler.monotonicMilliseconds(),
        },
        timers: this.#scheduler,
        committed: (commits) => {
          for (const commit of commits) this.#look(commit);
          committed(commits.map((commit) => this.#signed(commit)));
        },
        log: () => undefined,
      },
      { socket: SOCKET, domains: DOMAINS },
    );
    await this.#scheduler.runUntilQuiet();
  }

  stop(): void {
    this.#daemon?.stop();
  }

  async run(): Promise<ImportOutcome> {
    const { entries } = this.#options.log;
    for (const [index, entry] of entries.entries()) {
      if (entry.action.kind !== "closed") this.#now = entry.time;
      await this.#apply(entry, index);
      this.#options.progress?.(index + 1);
    }
    return { ...this.#counts, emptyRemovals: this.#emptyRemovals, refused: this.#refused };
  }

  /** Counts a commit, and learns what it removed. */
  #look({ changes }: Commit): void {
    this.#counts.commits++;
    const isImports = this.#author === IMPORT_AUTHOR;
    if (!isImports && this.#author.domid !== undefined) this.#counts.changes++;
    for (const change of changes) {
      if (change.kind !== "node") continue;
      if (change.after === undefined) this.#removed.add(change.path);
      else if (isImports && change.before === undefined) this.#counts.earlierNodes++;
    }
  }

  #signed(commit: Commit): Commit {
    const { connection, domid, transaction } = this.#author;
    const { origin } = commit;
    return {
      ...commit,
      origin: {
        domid: domid ?? origin.domid,
        connection,
        transaction: origin.transaction === undefined ? undefined : ((transaction ?? origin.transaction) as TxId),
      },
    };
  }

  async #apply(entry: LogEntry, index: number): Promise<void> {
    const { action, connection, domid } = entry;
    const author: Author = { connection, domid, transaction: undefined };
    switch (action.kind) {
      case "request":
        await this.#prepare([entry]);
        if (action.operation === "RELEASE") await this.#makeOrphans(index + 1, connection, domainsOf(entry)[0]);
        await this.#request(entry, author);
        break;
      case "commit":
        await this.#prepare(action.requests);
        await this.#commit(entry, action.requests, { ...author, transaction: action.transaction });
        break;
      case "orphan":
        if (!this.#isOrphanOf(index - 1, connection)) await this.#makeOrphans(index, connection, undefined);
        await this.#removeOrphan(action.path, author);
        break;
      case "closed":
        this.#sessions.get(connection)?.close();
        this.#sessions.delete(connection);
        break;
    }
  }

  /** Makes what requests that succeeded need, and what the log does not tell the making of. */
  async #prepare(requests: readonly LogEntry[]): Promise<void> {
    for (const domid of requests.flatMap(domainsOf)) if (!this.#released.has(domid)) await this.#introduce(domid);
    const { missing, emptyRemovals } = earlierNodesOf(requests, (path) => this.#hasNode(path), this.#removed);
    await this.#make(missing, undefined);
    for (const request of emptyRemovals) {
      this.#emptyRemovals.push({ line: request.line, reason: `RM ${pathOf(request) ?? ""}` });
    }
  }

  #isOrphanOf(index: number, connection: string): boolean {
    const entry = this.#options.log.entries[index];
    return entry?.action.kind === "orphan" && entry.connection === connection;
  }

  /** Makes those nodes of which the lines from there on say that they were removed with their owner. */
  async #makeOrphans(from: number, connection: string, owner: Domid | undefined): Promise<void> {
    const { entries } = this.#options.log;
    const paths: Path[] = [];
    let index = from;
    while (entries[index]?.action.kind === "closed") index++;
    for (; this.#isOrphanOf(index, connection); index++) {
      const entry = entries[index];
      const path = entry === undefined ? undefined : pathOf(entry);
      if (path !== undefined && !this.#hasNode(path) && !this.#removed.has(path)) paths.push(path);
    }
    await this.#make(paths, owner);
  }

  /** Makes nodes in one commit of the import; without an owner they have their parents' permissions. */
  async #make(paths: readonly Path[], owner: Domid | undefined): Promise<void> {
    const [first, ...others] = paths;
    if (first === undefined) return;
    const ask = (operation: OperationName, txId: number, payload: ByteString): Promise<Answer> =>
      this.#send(IMPORT, DOM0, IMPORT_AUTHOR, { operation, txId, payload });
    if (others.length === 0 && owner === undefined) {
      await ask("MKDIR", 0, `${first}\0`);
      return;
    }
    const start = await ask("TRANSACTION_START", 0, "\0");
    const txId = typeof start === "string" ? Number(stringReply.parse(start)) : 0;
    for (const path of paths) {
      await ask("MKDIR", txId, `${path}\0`);
      if (owner !== undefined) await ask("SET_PERMS", txId, `${path}\0n${String(owner)}\0`);
    }
    await ask("TRANSACTION_END", txId, "T\0");
  }

  #hasNode(path: Path): boolean {
    let node = this.#daemon?.state.root.node;
    for (const name of splitPath(path)) node = node?.children[node.names.indexOf(name)];
    return node !== undefined;
  }

  async #request(entry: LogEntry, author: Author): Promise<void> {
    const { action } = entry;
    if (action.kind !== "request") return;
    const answer = await this.#ask(entry, author, 0);
    this.#note(entry, answer);
    // A domain's connections end with it.
    if (typeof answer !== "string" || (action.operation !== "RELEASE" && action.operation !== "INTRODUCE")) return;
    const domid = Number(action.payload.split("\0")[0]) as Domid;
    const [now, before] =
      action.operation === "INTRODUCE" ? [this.#introduced, this.#released] : [this.#released, this.#introduced];
    now.add(domid);
    before.delete(domid);
    await this.#scheduler.runUntilQuiet();
  }

  /** All requests of a transaction; those that are refused are left out of it, as they were. */
  async #commit(entry: LogEntry, requests: readonly LogEntry[], author: Author): Promise<void> {
    // Where dom0 must stand in for one request it stands in for all, since a transaction is one connection's.
    for (const who of [entry.domid, DOM0]) {
      const answers: Answer[] = [];
      const start = await this.#send(entry, who, author, { operation: "TRANSACTION_START", txId: 0, payload: "\0" });
      const txId = typeof start === "string" ? Number(stringReply.parse(start)) : 0;
      for (const request of requests) answers.push(await this.#askAs(who, request, author, txId));
      const isStandInDue = who !== DOM0 && answers.some(isLimited);
      const payload = isStandInDue ? "F\0" : "T\0";
      const end = await this.#send(entry, who, author, { operation: "TRANSACTION_END", txId, payload });
      if (isStandInDue) continue;
      if (who !== entry.domid) this.#counts.standIns += requests.length;
      this.#counts.transactions++;
      requests.forEach((request, index) => {
        this.#note(request, answers[index] ?? end);
      });
      if (typeof end !== "string") this.#refuse(entry.line, `the end of the transaction: ${describeFailure(end)}`);
      return;
    }
  }

  async #removeOrphan(path: ByteString, author: Author): Promise<void> {
    const valid = parsePath(path, DOM0);
    if (valid === undefined || !this.#hasNode(valid)) return;
    await this.#send(IMPORT, DOM0, { ...author, domid: DOM0 }, { operation: "RM", txId: 0, payload: `${path}\0` });
    this.#counts.requests++;
  }

  /** Asks, as the guest and then, where that may not, as dom0. */
  async #ask(entry: LogEntry, author: Author, txId: number): Promise<Answer> {
    const answer = await this.#askAs(entry.domid, entry, author, txId);
    if (entry.domid === DOM0 || !isLimited(answer)) return answer;
    this.#counts.standIns++;
    return this.#askAs(DOM0, entry, author, txId);
  }

  async #askAs(who: Domid, entry: LogEntry, author: Author, txId: number): Promise<Answer> {
    const { action, domid } = entry;
    if (action.kind !== "request") return { error: "EINVAL" };
    const { operation, payload } = action;
    const isRelative = operationNamed(operation).transaction === "joins" && !/^[/@]/.test(payload);
    const absolute = isRelative ? `/local/domain/${String(domid)}/${payload}` : payload;
    return this.#send(entry, who, author, { operation, txId, payload: absolute });
  }

  #note({ line, action, domid }: LogEntry, answer: Answer): void {
    if (action.kind !== "request") return;
    if (typeof answer === "string") {
      this.#counts.requests++;
      if (action.operation === "RM") this.#removed.add(pathOf({ action, domid }) ?? "");
      if (action.isCut) this.#counts.cutValues++;
      return;
    }
    const path = action.payload.split("\0")[0] ?? "";
    this.#refuse(line, `${action.operation} ${path}: ${describeFailure(answer)}`);
  }

  #refuse(line: number, reason: string): void {
    this.#refused.push({ line, reason });
  }

  /** Sends a request on the connection of the log's connection, or of its stand-in. */
  async #send(
    { connection, domid }: Pick<LogEntry, "connection" | "domid">,
    who: Domid,
    author: Author,
    request: { readonly operation: OperationName; readonly txId: number; readonly payload: ByteString },
  ): Promise<Answer> {
    const session = await this.#session(who === domid ? connection : `${connection} of dom0`, who);
    if (typeof session === "string") return { error: session };
    this.#author = author;
    const { operation, txId, payload } = request;
    const answer = session.send({ type: operationNamed(operation).number, txId, payload });
    return this.#settled(answer);
  }

  /** The connection, opened when it is first needed; the reason where it cannot be. */
  async #session(name: string, domid: Domid): Promise<RawSession | string> {
    const known = this.#sessions.get(name);
    if (known !== undefined && !known.isEnded) return known;
    if (domid >= DOMID_FIRST_RESERVED) return "there is no such domain";
    await this.#introduce(domid);
    const path = domid === DOM0 ? SOCKET : `${DOMAINS}/${String(domid)}`;
    try {
      const session = await this.#settled(openRawSession(this.#network.transport(path), () => undefined));
      this.#sessions.set(name, session);
      return session;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Introduces a domain of whose introduction the log does not tell. */
  async #introduce(domid: Domid): Promise<void> {
    if (domid === DOM0 || domid >= DOMID_FIRST_RESERVED || this.#introduced.has(domid)) return;
    this.#introduced.add(domid);
    this.#counts.impliedDomains++;
    const payload = `${String(domid)}\0${INTRODUCE_ARGUMENTS}`;
    await this.#send(IMPORT, DOM0, IMPORT_AUTHOR, { operation: "INTRODUCE", txId: 0, payload });
  }

  async #settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    if (!(await this.#scheduler.run(() => isSettled))) throw new Error("the daemon in memory does not answer");
    return promise;
  }
}

/** Whether permissions or quotas are in the way. */
function isLimited(answer: Answer): boolean {
  return typeof answer === "object" && "error" in answer && ["EACCES", "EPERM", "ENOSPC"].includes(answer.error);
}

function describeFailure(answer: Answer): string {
  if (typeof answer === "string") return "it succeeded";
  return "error" in answer ? answer.error : answer.lost;
}
