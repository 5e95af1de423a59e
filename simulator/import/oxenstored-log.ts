/**
 * The access log of oxenstored.
 *
 * Owns its syntax: `[20200918T15:15:18.045Z]  A41354.12    write     /path value`, where `A…` is a socket's connection, `D…` a
 * domain's, and `.12` a transaction. In the data NULs have become blanks, other unprintable bytes OCaml escapes, and what is
 * longer than 180 characters is cut, with `..` at its end. Reads, watches and their events change nothing. Source: the
 * daemon's `logging.ml` and `transaction.ml`.
 *
 * What a transaction did counts at the line of its `commit` or `coalesce`; `conflict` means that the daemon tried it again by
 * itself, as the connection `r(12):A41354`, or answered EAGAIN. An `error` line belongs to the connection's last request; that a
 * request failed with ENOENT is only told where reads are.
 */
import { bytesFromText, type ByteString } from "../../protocol/bytes.js";
import { DOM0, parseDomid, type Domid, type Microseconds } from "../../protocol/identifiers.js";
import type { ImportedOperation, LogAction, LogEntry, ParsedLog, SkippedLine } from "./log-entry.js";

const LINE = /^\[(\d{4})(\d\d)(\d\d)T(\d\d:\d\d:\d\d)\.(\d{3})Z\] +(\S+) +(.*)$/;
const CONNECTION = /^(?:r\((\d+)\):)?([AD]\d+)(?:\.(\d+))?$/;
const CUT_LENGTH = 180;
const CUT_MARK = "..";

const OPERATIONS: ReadonlyMap<string, ImportedOperation> = new Map([
  ["write", "WRITE"],
  ["mkdir", "MKDIR"],
  ["rm", "RM"],
  ["setperms", "SET_PERMS"],
  ["introduce", "INTRODUCE"],
  ["release", "RELEASE"],
  ["resume", "RESUME"],
  ["settarget", "SET_TARGET"],
]);
/** What a line can say besides those; two words come before one. */
const OTHERS = [
  "w event",
  "w notfired",
  "t start",
  "t end",
  "commit",
  "coalesce",
  "conflict",
  "error",
  "newconn",
  "endconn",
  "read",
  "directory",
  "directory_part",
  "getperms",
  "watch",
  "unwatch",
  "getdomainpath",
  "getdomain",
  "isintroduced",
  "introduced?",
  "resetwatches",
  "reset watches",
  "restrict",
  "debug",
  "control",
  "invalid",
] as const;
const READS: ReadonlySet<string> = new Set(["read", "directory", "directory_part", "getperms"]);
const WORD = new RegExp(
  `^(${[...OPERATIONS.keys(), ...OTHERS]
    .sort((left, right) => right.length - left.length)
    .map((word) => word.replace("?", "\\?"))
    .join("|")})(?: +(.*)|)$`,
);

/** A line of the log. */
export interface OxenstoredLine {
  readonly time: Microseconds;
  /** Without transaction, such as `A41354`. */
  readonly connection: string;
  readonly transaction: number | undefined;
  /** The conflicting transaction that is tried again here. */
  readonly retryOf: number | undefined;
  /** Such as `write` or `w event`. */
  readonly word: string;
  readonly data: string;
}

/** Parses a line; undefined when it is none. */
export function parseOxenstoredLine(text: string): OxenstoredLine | undefined {
  const [, year, month, day, clock, fraction, who = "", rest = ""] = LINE.exec(text) ?? [];
  const [, retryOf, connection, transaction] = CONNECTION.exec(who) ?? [];
  const [, word, data = ""] = WORD.exec(rest) ?? [];
  const milliseconds = Date.parse(`${year ?? ""}-${month ?? ""}-${day ?? ""}T${clock ?? ""}.${fraction ?? ""}Z`);
  if (connection === undefined || word === undefined || Number.isNaN(milliseconds)) return undefined;
  return {
    time: (milliseconds * 1000) as Microseconds,
    connection,
    transaction: transaction === undefined ? undefined : Number(transaction),
    retryOf: retryOf === undefined ? undefined : Number(retryOf),
    word,
    data,
  };
}

/** Reads a log; lines without their newlines. */
export function parseOxenstoredLog(lines: readonly string[]): ParsedLog {
  const reader = new OxenstoredReader();
  lines.forEach((text, index) => {
    reader.read(text, index + 1);
  });
  return reader.finish(lines.length);
}

class OxenstoredReader {
  /** Undefined where the request failed. */
  readonly #entries: (LogEntry | undefined)[] = [];
  readonly #skipped: SkippedLine[] = [];
  /** By `key`. */
  readonly #open = new Map<string, LogEntry[]>();
  readonly #conflicting = new Map<string, LogEntry[]>();
  /** Takes back the last request, by `key`, because it failed. */
  readonly #undo = new Map<string, () => void>();
  #understood = 0;
  #conflicts = 0;
  #abandoned = 0;
  /** Whether the log tells how transactions end. */
  #tellsEnds = false;
  /** Whether it tells of reads, and with them of ENOENT. */
  #tellsReads = false;

  read(text: string, line: number): void {
    if (text === "" || text.startsWith("#")) return;
    const parsed = parseOxenstoredLine(text);
    if (parsed === undefined) {
      this.#skipped.push({ line, reason: "no line of an access log" });
      return;
    }
    this.#understood++;
    const { connection, transaction, word } = parsed;
    const key = keyOf(connection, transaction);
    const operation = OPERATIONS.get(word);
    if (operation !== undefined) {
      // Those of a transaction that is tried again have been told.
      if (parsed.retryOf === undefined) this.#addRequest(operation, parsed, line);
    } else if (READS.has(word)) {
      this.#tellsReads = true;
    } else if (word === "error") {
      this.#tellsReads ||= parsed.data.startsWith("ENOENT");
      this.#undo.get(key)?.();
      this.#undo.delete(key);
    } else if (word === "commit" || word === "coalesce") {
      this.#tellsEnds = true;
      this.#commit(parsed, line);
    } else if (word === "conflict") {
      this.#tellsEnds = true;
      if (parsed.retryOf !== undefined) return;
      this.#conflicts++;
      this.#conflicting.set(key, this.#open.get(key) ?? []);
      this.#open.delete(key);
    } else if (word === "endconn") {
      this.#close(parsed, line);
    }
  }

  #addRequest(operation: ImportedOperation, parsed: OxenstoredLine, line: number): void {
    const { connection, transaction, time } = parsed;
    const request = requestFrom(operation, parsed.data);
    if (typeof request === "string") {
      this.#skipped.push({ line, reason: request });
      return;
    }
    const domid = domidOf(connection);
    const entry: LogEntry = {
      line,
      time,
      connection,
      domid,
      action: { kind: "request", operation, transaction, ...request },
    };
    const key = keyOf(connection, transaction);
    if (transaction === undefined) {
      const at = this.#entries.push(entry) - 1;
      this.#undo.set(key, () => (this.#entries[at] = undefined));
      return;
    }
    const requests = this.#open.get(key) ?? [];
    this.#open.set(key, requests);
    requests.push(entry);
    this.#undo.set(key, () => {
      requests.splice(requests.indexOf(entry), 1);
    });
  }

  #commit({ connection, transaction, retryOf, time }: OxenstoredLine, line: number): void {
    const key = keyOf(connection, retryOf ?? transaction);
    const from = retryOf === undefined ? this.#open : this.#conflicting;
    const requests = from.get(key) ?? [];
    from.delete(key);
    if (retryOf !== undefined) this.#conflicts--;
    // A transaction that only read.
    if (requests.length === 0) return;
    const action: LogAction = { kind: "commit", transaction: retryOf ?? transaction ?? 0, requests };
    this.#entries.push({ line, time, connection, domid: domidOf(connection), action });
  }

  #close({ connection, time }: OxenstoredLine, line: number): void {
    for (const key of [...this.#open.keys()]) {
      if (!key.startsWith(`${connection}.`)) continue;
      this.#open.delete(key);
      this.#abandoned++;
    }
    this.#entries.push({ line, time, connection, domid: domidOf(connection), action: { kind: "closed" } });
  }

  finish(lines: number): ParsedLog {
    for (const [key, requests] of this.#open) {
      const [first] = requests;
      if (first === undefined) continue;
      this.#abandoned++;
      if (!this.#tellsEnds)
        this.#skipped.push({ line: first.line, reason: `transaction ${key} has no end in the log` });
    }
    const isBlind = !this.#tellsEnds && this.#open.size > 0;
    return {
      entries: this.#entries.filter((entry) => entry !== undefined),
      skipped: this.#skipped,
      understood: this.#understood,
      lines,
      conflicts: this.#conflicts,
      abandoned: this.#abandoned,
      tellsMissing: this.#tellsReads,
      notes: isBlind
        ? [
            "the log does not tell how transactions ended, so none of them was imported: oxenstored writes it with access-log-transactions-ops = true",
          ]
        : [],
    };
  }
}

function keyOf(connection: string, transaction: number | undefined): string {
  return `${connection}.${String(transaction ?? 0)}`;
}

function domidOf(connection: string): Domid {
  return connection.startsWith("D") ? (parseDomid(connection.slice(1)) ?? DOM0) : DOM0;
}

/** The payload that the data of a request come from; a reason when it cannot be told. */
function requestFrom(
  operation: ImportedOperation,
  data: string,
): { readonly payload: ByteString; readonly isCut: boolean } | string {
  const isCut = data.length >= CUT_LENGTH && data.endsWith(CUT_MARK);
  const blank = data.indexOf(" ");
  if (isCut && (operation !== "WRITE" || blank === -1)) return "it is cut before its value";
  if (data.trim() === "") return `a ${operation} without a path`;
  if (operation === "WRITE") {
    const [path, value] = blank === -1 ? [data, ""] : [data.slice(0, blank), data.slice(blank + 1)];
    return { payload: `${path}\0${unescapeOcaml(value)}`, isCut };
  }
  return { payload: `${data.trim().split(/ +/).join("\0")}\0`, isCut };
}

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["b", "\b"],
  ["\\", "\\"],
  ['"', '"'],
  ["'", "'"],
]);

/** What OCaml's `String.escaped` was given; an escape that is cut stays as it is. */
export function unescapeOcaml(text: string): ByteString {
  const bytes = /[^\u0000-\u00ff]/.test(text) ? bytesFromText(text) : text;
  return bytes.replace(
    /\\(?:([ntrb\\"'])|(\d{3}))/g,
    (escape, simple: string | undefined, code: string | undefined) => {
      if (simple !== undefined) return SIMPLE_ESCAPES.get(simple) ?? escape;
      const value = Number(code);
      return value <= 0xff ? String.fromCharCode(value) : escape;
    },
  );
}
