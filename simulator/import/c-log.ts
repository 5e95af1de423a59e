/**
 * The trace of C xenstored (`xenstored -T FILE`, or `xenstore-control logfile`).
 *
 * Owns its syntax: `IN 0x559fae71f250 20230120 17:40:53 WRITE (/path value)` when a request came, and the same with `OUT` and
 * the reply; newer daemons begin with `io: ` and add the domain, as in `(d3)`. NULs have become blanks, and a newline in a
 * value is a newline. Times have no zone and are taken for UTC. Source: `trace_io` in the daemon's core.c.
 *
 * What the trace does not say is inferred: a request belongs to the transaction that its connection has open, the newest where
 * there are several; a connection is a domain's when it was made while that was introduced or ended while it was released.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { DOM0, parseDomid, type Domid, type Microseconds } from "../../protocol/identifiers.js";
import { OPERATIONS } from "../../protocol/operation.js";
import {
  IMPORTED_OPERATIONS,
  type ImportedOperation,
  type LogAction,
  type LogEntry,
  type ParsedLog,
  type SkippedLine,
} from "./log-entry.js";

const MESSAGE =
  /^(?:io: )?(IN|OUT) (0x[0-9a-f]+)(?: \(d(\d+)\))? (\d{4})(\d\d)(\d\d) (\d\d:\d\d:\d\d) ([A-Z_]+) \(([^]*)$/;
const OBJECT = /^(?:obj: )?(CREATE|DESTROY) ([a-z]+) (0x[0-9a-f]+)/;
const ORPHAN = /^(?:tdb: |wrl: )?orphaned node (\/\S+) deleted/;
/** Lines that tell of other things. */
const OTHER = /^(?:wrl:|acc:|tdb:|obj:|io:|CREATE|DESTROY|trace|check|clean|recover|transaction|TDB|\*\*\*)/i;
const NAMES: ReadonlySet<string> = new Set([...OPERATIONS.map(({ name }) => name), "WATCH_EVENT", "ERROR"]);
/** A value is no longer than a message. */
const CONTINUED_LINES_MAX = 4096;

/** A message in the trace. */
export interface CMessage {
  readonly direction: "IN" | "OUT";
  readonly time: Microseconds;
  readonly connection: string;
  readonly domid: Domid | undefined;
  readonly operation: string;
  /** NULs as blanks. */
  readonly data: string;
}

/** Parses a message, all its lines in one; undefined when it is none, or not whole. */
export function parseCMessage(text: string): CMessage | undefined {
  const [, direction, connection, domid, year, month, day, clock, operation = "", rest = ""] = MESSAGE.exec(text) ?? [];
  const milliseconds = Date.parse(`${year ?? ""}-${month ?? ""}-${day ?? ""}T${clock ?? ""}Z`);
  if (connection === undefined || Number.isNaN(milliseconds) || !NAMES.has(operation) || !rest.endsWith(")")) {
    return undefined;
  }
  return {
    direction: direction === "IN" ? "IN" : "OUT",
    time: (milliseconds * 1000) as Microseconds,
    connection,
    domid: domid === undefined ? undefined : parseDomid(domid),
    operation,
    data: rest.slice(0, -1),
  };
}

/** Reads a trace; lines without their newlines. */
export function parseCLog(lines: readonly string[]): ParsedLog {
  const reader = new CReader();
  for (let index = 0; index < lines.length;) {
    const [text, count] = wholeMessage(lines, index);
    reader.read(text, index + 1);
    index += count;
  }
  return reader.finish(lines.length);
}

/** A message goes on in the next lines until its parenthesis closes, unless another one begins there. */
function wholeMessage(lines: readonly string[], index: number): readonly [text: string, count: number] {
  const first = lines[index] ?? "";
  if (!MESSAGE.test(first) || first.endsWith(")")) return [first, 1];
  let text = first;
  for (let count = 1; count < CONTINUED_LINES_MAX; count++) {
    const next = lines[index + count];
    if (next === undefined || MESSAGE.test(next)) break;
    text += `\n${next}`;
    if (next.endsWith(")")) return [text, count + 1];
  }
  return [first, 1];
}

/** A request whose reply has not been seen. */
interface Pending {
  readonly message: CMessage;
  readonly line: number;
  error: string | undefined;
  /** What a START was answered. */
  reply: string | undefined;
}

type Item =
  | Pending
  | { readonly orphan: ByteString; readonly line: number; readonly of: Pending | undefined }
  | { readonly closed: string; readonly line: number };

class CReader {
  /** Requests in their order; an orphan stands among them as the path alone. */
  readonly #items: Item[] = [];
  readonly #waiting = new Map<string, Pending[]>();
  readonly #domids = new Map<string, Domid>();
  /** How many connections have had this address, one after the other. */
  readonly #uses = new Map<string, number>();
  readonly #skipped: SkippedLine[] = [];
  #last: Pending | undefined;
  #understood = 0;

  read(text: string, line: number): void {
    if (text === "" || text.startsWith("#")) return;
    const message = parseCMessage(text);
    if (message !== undefined) {
      this.#understood++;
      this.#readMessage({ ...message, connection: this.#nameOf(message.connection) }, line);
      return;
    }
    const orphan = ORPHAN.exec(text)?.[1];
    const [, what, kind, address = ""] = OBJECT.exec(text) ?? [];
    if (orphan !== undefined) {
      this.#understood++;
      this.#items.push({ orphan, line, of: this.#last });
    } else if (kind !== undefined) {
      this.#understood++;
      if (kind === "connection") {
        this.#learnDomain(this.#nameOf(address));
        if (what === "DESTROY") this.#close(address, line);
      }
    } else if (OTHER.test(text)) this.#understood++;
    else this.#skipped.push({ line, reason: MESSAGE.test(text) ? "a message that is cut" : "no line of a trace" });
  }

  #readMessage(message: CMessage, line: number): void {
    const { connection, direction, operation, data, domid } = message;
    if (domid !== undefined) this.#domids.set(connection, domid);
    const waiting = this.#waiting.get(connection) ?? [];
    this.#waiting.set(connection, waiting);
    if (direction === "IN") {
      const pending: Pending = { message, line, error: undefined, reply: undefined };
      this.#items.push(pending);
      waiting.push(pending);
      this.#last = pending;
      return;
    }
    if (operation === "WATCH_EVENT") return;
    const pending = waiting.shift();
    if (pending === undefined) {
      if (isImported(operation) || operation === "TRANSACTION_END") {
        this.#skipped.push({ line, reason: `the reply to a ${operation} that is not in the trace` });
      }
      return;
    }
    if (operation === "ERROR") pending.error = data.trim();
    else pending.reply = data.trim();
    if (this.#last === pending) this.#last = undefined;
  }

  /** An address is used again. */
  #nameOf(address: string): string {
    const use = this.#uses.get(address) ?? 1;
    return use === 1 ? address : `${address}#${String(use)}`;
  }

  #close(address: string, line: number): void {
    const name = this.#nameOf(address);
    this.#items.push({ closed: name, line });
    this.#waiting.delete(name);
    this.#uses.set(address, (this.#uses.get(address) ?? 1) + 1);
  }

  /** What comes or goes while a domain is introduced or released is that domain's connection. */
  #learnDomain(connection: string): void {
    const operation = this.#last?.message.operation;
    const domid = parseDomid(this.#last?.message.data.trim().split(" ")[0] ?? "");
    if (domid !== undefined && (operation === "INTRODUCE" || operation === "RELEASE")) {
      this.#domids.set(connection, domid);
    }
  }

  finish(lines: number): ParsedLog {
    const first = this.#items.find((item) => "message" in item);
    const resolved = new CResolver(this.#domids, this.#skipped, first?.message.time ?? (0 as Microseconds));
    for (const item of this.#items) {
      if ("orphan" in item) {
        resolved.addOrphan(item.of?.message, item.line, item.orphan);
      } else if ("closed" in item) resolved.close(item.closed, item.line);
      else resolved.add(item);
    }
    const notes = ["the times of the trace have no zone and were taken for UTC"];
    if (resolved.sharesConnections) {
      notes.push(
        "a connection had several transactions open at once, and the trace does not tell which request was in which: the newest was taken",
      );
    }
    return {
      entries: resolved.entries,
      skipped: [...this.#skipped].sort((left, right) => left.line - right.line),
      understood: this.#understood,
      lines,
      conflicts: resolved.conflicts,
      abandoned: resolved.abandoned,
      tellsMissing: true,
      notes,
    };
  }
}

interface OpenTransaction {
  readonly id: number;
  readonly requests: LogEntry[];
}

/** Makes entries of requests whose replies are known. */
class CResolver {
  readonly entries: LogEntry[] = [];
  conflicts = 0;
  sharesConnections = false;
  readonly #domids: ReadonlyMap<string, Domid>;
  readonly #skipped: SkippedLine[];
  readonly #open = new Map<string, OpenTransaction[]>();
  #given = 0;
  /** Of the last request; of the first one before it. */
  #time: Microseconds;

  constructor(domids: ReadonlyMap<string, Domid>, skipped: SkippedLine[], time: Microseconds) {
    this.#time = time;
    this.#domids = domids;
    this.#skipped = skipped;
  }

  get abandoned(): number {
    let count = this.#given;
    for (const open of this.#open.values()) count += open.filter(({ requests }) => requests.length > 0).length;
    return count;
  }

  /** Removed by a request, or by the daemon itself, which heard of a domain's end from the hypervisor. */
  addOrphan(request: CMessage | undefined, line: number, path: ByteString): void {
    const { time, connection } = request ?? { time: this.#time, connection: "xenstored" };
    this.entries.push({ line, time, connection, domid: DOM0, action: { kind: "orphan", path } });
  }

  /** What the connection had open is given up. */
  close(connection: string, line: number): void {
    for (const { requests } of this.#open.get(connection) ?? []) if (requests.length > 0) this.#given++;
    this.#open.delete(connection);
    const time = this.#time;
    this.entries.push({
      line,
      time,
      connection,
      domid: this.#domids.get(connection) ?? DOM0,
      action: { kind: "closed" },
    });
  }

  add({ message, line, error, reply }: Pending): void {
    const { connection, operation } = message;
    this.#time = message.time;
    const open = this.#open.get(connection) ?? [];
    this.#open.set(connection, open);
    if (operation === "TRANSACTION_START") {
      if (error !== undefined) return;
      open.push({ id: Number(reply) || 0, requests: [] });
      this.sharesConnections ||= open.length > 1;
    } else if (operation === "TRANSACTION_END") this.#end({ message, line, error, reply }, open.pop());
    else if (isImported(operation) && error === undefined) this.#request(message, line, operation, open.at(-1));
  }

  #request(
    message: CMessage,
    line: number,
    operation: ImportedOperation,
    transaction: OpenTransaction | undefined,
  ): void {
    const { connection, data, time } = message;
    const domid = this.#domids.get(connection);
    const path = data.split(" ", 1)[0] ?? "";
    const hasPath = ["WRITE", "MKDIR", "RM", "SET_PERMS"].includes(operation);
    if (hasPath && !path.startsWith("/") && !path.startsWith("@") && domid === undefined) {
      this.#skipped.push({ line, reason: `the path ${path} is relative, and the trace does not tell whose it is` });
      return;
    }
    const isJoining = hasPath && transaction !== undefined;
    const action: LogAction = {
      kind: "request",
      operation,
      payload: payloadFrom(operation, data),
      transaction: isJoining ? transaction.id : undefined,
      isCut: false,
    };
    const entry: LogEntry = { line, time, connection, domid: domid ?? DOM0, action };
    (isJoining ? transaction.requests : this.entries).push(entry);
  }

  #end({ message, line, error, reply }: Pending, transaction: OpenTransaction | undefined): void {
    const { connection, data, time } = message;
    if (transaction === undefined) {
      this.#skipped.push({ line, reason: "the end of a transaction whose beginning is not in the trace" });
      return;
    }
    if (error === "EAGAIN") this.conflicts++;
    else if (error !== undefined || data.trim() !== "T" || reply === undefined) this.#given++;
    else if (transaction.requests.length > 0) {
      const action: LogAction = { kind: "commit", transaction: transaction.id, requests: transaction.requests };
      this.entries.push({ line, time, connection, domid: this.#domids.get(connection) ?? DOM0, action });
    }
  }
}

function isImported(operation: string): operation is ImportedOperation {
  return (IMPORTED_OPERATIONS as readonly string[]).includes(operation);
}

function payloadFrom(operation: ImportedOperation, data: string): ByteString {
  if (operation !== "WRITE") return `${data.trim().split(" ").join("\0")}\0`;
  const blank = data.indexOf(" ");
  return blank === -1 ? data : `${data.slice(0, blank)}\0${data.slice(blank + 1)}`;
}
