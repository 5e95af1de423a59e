/**
 * Journal records: one commit as one line, `crc32 json\n`, in pure ASCII.
 *
 * Owns the text form of a commit and every check of it. Must never write a line that it would not read back: a line
 * that is refused later is a lost commit. Source: design.md, "Journal and recorder".
 *
 * `crc32` is eight lowercase hexadecimal digits, the CRC-32 (as in zlib) of the JSON text. The JSON object has these keys
 * in this order, each left out when it has its default:
 *
 * | key | meaning | default |
 * |---|---|---|
 * | `seq` | sequence number | never left out |
 * | `time` | microseconds since the Unix epoch | never left out |
 * | `domain`, `connection` | who made it | never left out |
 * | `transaction` | its transaction id | none |
 * | `base` | seq of the snapshot that it read | `seq` - 1 |
 * | `synced` | highest seq known to be on the disk when the line was written; first line of a batch only | 0 |
 * | `requests` | `[operation, subject, detail]`, and the whole detail's bytes where it was cut | none |
 * | `omitted` | requests beyond those | 0 |
 * | `merged` | of a merge: the commit object that was merged, 40 hexadecimal digits | none |
 * | `changes` | `["set", path, value, perms]`, `["remove", path]`, `["special", path, perms]`, `["quota", name, value or null]`, `["domain", domid, record or null]` | none |
 *
 * Strings are byte strings: one character is one byte. Bytes above 0x7e are written `\u00XX`, control characters as JSON
 * does (`\n`, `\u0000`). What a change replaced
 * is not stored: whoever needs it has the root before the commit.
 *
 * The record of a domain has these keys in this order, each left out where there is nothing to tell: `gfn` and `port` of its
 * INTRODUCE; `seq` and `time` of the commit that introduced it, which 0.1.0 did not write; `target`, `features`, `shutdown`
 * (true), `quotas`.
 */
import { crc32 } from "node:zlib";
import { isPlain } from "../../protocol/ascii-buffer.js";
import { flattenBytes, type ByteString } from "../../protocol/bytes.js";
import type { Domid, Microseconds, Path, Seq, TxId } from "../../protocol/identifiers.js";
import { XENSTORE_ABS_PATH_MAX } from "../../protocol/limits.js";
import { OPERATIONS } from "../../protocol/operation.js";
import { isSpecialPath, parsePath } from "../../protocol/path.js";
import { parsePerms, serializePerms, type Perms } from "../../protocol/perms.js";
import { DAEMON_ACTS, type Change, type Commit, type RequestRecord } from "../store/commit.js";
import { isQuotaName, type QuotaName } from "../store/quota.js";
import type { DomainRecord, Introduction } from "../store/root.js";
import { LineBuffer } from "./line-buffer.js";

/** Most bytes of a record, its newline included: more than any commit needs, and short enough for one string. */
export const RECORD_BYTES_MAX = 256 * 1024 * 1024;

/** Characters of the checksum and the blank after it. */
const CHECKSUM_LENGTH = 9;

const DOMID_MAX = 0xffff;
const TX_ID_MAX = 0xffffffff;
const COMMIT_NAME = /^[0-9a-f]{40}$/;

/** What a number may be: not negative and a safe integer, unless told. */
interface IntegerRange {
  readonly least?: number;
  readonly most?: number;
}

const ANY: IntegerRange = {};
const DOMID_RANGE: IntegerRange = { most: DOMID_MAX };
const TX_ID_RANGE: IntegerRange = { least: 1, most: TX_ID_MAX };
const SEQ_RANGE: IntegerRange = { least: 1 };

/** What `decodeRecord` made of a line. */
export type DecodedRecord =
  | { readonly ok: true; readonly commit: Commit; readonly synced: Seq }
  | {
      readonly ok: false;
      /** What is wrong with the line, for people. */
      readonly damaged: string;
      /** Whether the checksum is right all the same: then no crash made this, but another version or an error of ours. */
      readonly intact: boolean;
    };

/** Puts the checksum in front of a JSON text in ASCII and a newline behind it. */
export function sealLine(json: string): string {
  const checksum = crc32(json).toString(16);
  return `${checksum.length === 8 ? checksum : checksum.padStart(8, "0")} ${json}\n`;
}

/** The JSON text of a line without its newline, or undefined when the checksum is not that of the text. */
export function openLine(line: string): string | undefined {
  if (line.charCodeAt(CHECKSUM_LENGTH - 1) !== 0x20) return undefined;
  const json = line.slice(CHECKSUM_LENGTH);
  const checksum = crc32(json).toString(16).padStart(8, "0");
  return line.startsWith(checksum) ? json : undefined;
}

/**
 * Writes a commit as one line.
 *
 * The values that a commit's changes replaced are left out.
 *
 * @param synced - the highest seq known to be on the disk; 0, the default, says nothing
 * @throws RangeError for a commit that could not be read back: a number out of its range, a string that is no
 *   byte string, or a line longer than `RECORD_BYTES_MAX`; nothing has been written then
 */
export function writeRecord(lines: LineBuffer, commit: Commit, synced = 0 as Seq): void {
  lines.beginLine();
  try {
    writeCommit(lines, commit, synced);
    if (lines.lineLength >= RECORD_BYTES_MAX) {
      throw new RangeError(
        `commit ${String(commit.seq)} needs ${String(lines.lineLength + 1)} bytes in the journal; at most ${String(RECORD_BYTES_MAX)} fit`,
      );
    }
  } catch (error) {
    lines.dropLine();
    throw error;
  }
  lines.endLine();
}

/** As `writeRecord`; returns the line with its newline. */
export function encodeRecord(commit: Commit, synced = 0 as Seq): string {
  const lines = new LineBuffer();
  writeRecord(lines, commit, synced);
  return lines.bytes.toString("latin1");
}

const UNSEEN_LENGTH_MAX = 64;
/** Checksum, blank, newline, braces, and the keys that each record may have with the longest numbers, but not the lists. */
const FRAME_BYTES_MAX = 220;
/** The key `merged` with its value. */
const MERGED_BYTES = 54;
/** A request or a change without its strings and perms. */
const REQUEST_FRAME_BYTES_MAX = 32;
const CHANGE_FRAME_BYTES_MAX = 32;
/** A blank, the access and the domain id. */
const PERMISSION_BYTES_MAX = 7;
/** A domain's record without its quotas, and the frame of one quota. */
const DOMAIN_BYTES_MAX = 208;
const QUOTA_FRAME_BYTES_MAX = 20;

/**
 * The most bytes that `encodeRecord` makes of a commit, in a fraction of its time; with long plain values it is little more
 * than they are. It never throws.
 *
 * @param replacementBytes - bytes of what may be written in the place of any value; 0, the default, when nothing is
 */
export function recordBytesMax({ origin, requests, changes, merged }: Commit, replacementBytes = 0): number {
  let bytes = FRAME_BYTES_MAX + quotedBytesMax(origin.connection) + (merged === undefined ? 0 : MERGED_BYTES);
  for (const { operation, subject, detail } of requests) {
    bytes += REQUEST_FRAME_BYTES_MAX + operation.length + quotedBytesMax(subject);
    bytes += Math.max(quotedBytesMax(detail), replacementBytes);
  }
  for (const change of changes) {
    bytes += CHANGE_FRAME_BYTES_MAX;
    switch (change.kind) {
      case "node":
        bytes += change.path.length;
        if (change.after === undefined) break;
        bytes += Math.max(quotedBytesMax(change.after.value), replacementBytes);
        bytes += change.after.perms.length * PERMISSION_BYTES_MAX;
        break;
      case "special":
        bytes += change.path.length + change.after.length * PERMISSION_BYTES_MAX;
        break;
      case "quota":
        bytes += change.name.length;
        break;
      case "domain":
        bytes += DOMAIN_BYTES_MAX;
        for (const name of change.after?.quotas.keys() ?? []) bytes += name.length + QUOTA_FRAME_BYTES_MAX;
        break;
    }
  }
  return bytes;
}

/** An escape takes six characters. Looking through short strings would cost more than their escapes could. */
function quotedBytesMax(bytes: ByteString): number {
  return (bytes.length > UNSEEN_LENGTH_MAX && isPlain(bytes) ? 1 : 6) * bytes.length;
}

function writeCommit(lines: LineBuffer, commit: Commit, synced: Seq): void {
  const { seq, base, origin, requests, requestsOmitted, changes, merged } = commit;
  writeInteger(lines, '{"seq":', seq, { least: 1 });
  writeInteger(lines, ',"time":', commit.time);
  writeInteger(lines, ',"domain":', origin.domid, DOMID_RANGE);
  lines.ascii(',"connection":');
  lines.string(origin.connection);
  if (origin.transaction !== undefined) writeInteger(lines, ',"transaction":', origin.transaction, TX_ID_RANGE);
  if (base !== seq - 1) writeInteger(lines, ',"base":', base, { most: seq - 1 });
  if (synced !== 0) writeInteger(lines, ',"synced":', synced);
  for (let index = 0; index < requests.length; index++) {
    lines.ascii(index === 0 ? ',"requests":[' : ",");
    writeRequest(lines, requests[index] as RequestRecord);
  }
  if (requests.length > 0) lines.ascii("]");
  if (requestsOmitted > 0) writeInteger(lines, ',"omitted":', requestsOmitted);
  if (merged !== undefined) {
    if (!COMMIT_NAME.test(merged)) throw new RangeError(`${JSON.stringify(merged)} names no commit object`);
    lines.ascii(',"merged":"');
    lines.ascii(merged);
    lines.ascii('"');
  }
  for (let index = 0; index < changes.length; index++) {
    lines.ascii(index === 0 ? ',"changes":[' : ",");
    writeChange(lines, changes[index] as Change);
  }
  lines.ascii(changes.length > 0 ? "]}" : "}");
}

function writeRequest(lines: LineBuffer, { operation, subject, detail, detailBytes }: RequestRecord): void {
  lines.ascii('["');
  lines.ascii(operation);
  lines.ascii('",');
  lines.string(subject);
  lines.ascii(",");
  lines.string(detail);
  if (detailBytes > detail.length) writeInteger(lines, ",", detailBytes);
  lines.ascii("]");
}

function writeChange(lines: LineBuffer, change: Change): void {
  switch (change.kind) {
    case "node":
      lines.ascii(change.after === undefined ? '["remove",' : '["set",');
      lines.string(change.path);
      if (change.after !== undefined) {
        lines.ascii(",");
        lines.string(change.after.value);
        lines.ascii(',"');
        lines.ascii(serializePerms(change.after.perms));
        lines.ascii('"');
      }
      lines.ascii("]");
      break;
    case "special":
      lines.ascii(`["special","${change.path}","${serializePerms(change.after)}"]`);
      break;
    case "quota":
      lines.ascii(`["quota","${change.name}"`);
      if (change.after === undefined) lines.ascii(",null]");
      else {
        writeInteger(lines, ",", change.after);
        lines.ascii("]");
      }
      break;
    case "domain":
      writeInteger(lines, '["domain",', change.domid, DOMID_RANGE);
      lines.ascii(`,${change.after === undefined ? "null" : serializeDomain(change.after)}]`);
      break;
  }
}

function serializeDomain(record: DomainRecord): string {
  const fields: string[] = [];
  const { introduction, target, features } = record;
  if (introduction !== undefined) {
    const { gfn, port, commit } = introduction;
    fields.push(`"gfn":${integer(gfn)},"port":${integer(port)}`);
    if (commit !== undefined) fields.push(`"seq":${integer(commit.seq, SEQ_RANGE)},"time":${integer(commit.time)}`);
  }
  if (target !== undefined) fields.push(`"target":${integer(target, DOMID_RANGE)}`);
  if (features !== undefined) fields.push(`"features":${integer(features)}`);
  if (record.shutdown) fields.push('"shutdown":true');
  if (record.quotas.size > 0) {
    const quotas = [...record.quotas].map(([name, value]) => `"${name}":${integer(value)}`);
    fields.push(`"quotas":{${quotas.join(",")}}`);
  }
  return `{${fields.join(",")}}`;
}

function writeInteger(lines: LineBuffer, before: string, value: number, range?: IntegerRange): void {
  lines.ascii(before);
  assertInteger(value, range);
  lines.integer(value);
}

function integer(value: number, range?: IntegerRange): string {
  assertInteger(value, range);
  return String(value);
}

function assertInteger(value: number, { least = 0, most = Number.MAX_SAFE_INTEGER }: IntegerRange = ANY): void {
  if (isIntegerIn(value, least, most)) return;
  throw new RangeError(
    `${String(value)} cannot stand in a journal record: it is no integer from ${String(least)} to ${String(most)}`,
  );
}

/**
 * Decodes a line without its newline; never throws.
 *
 * In the commit, `before` of node, quota and domain changes is undefined and that of special paths repeats `after`:
 * records do not store what a change replaced.
 */
export function decodeRecord(line: string): DecodedRecord {
  const json = openLine(line);
  if (json === undefined) return { ok: false, damaged: "its checksum does not match", intact: false };
  const common = decodeCommonRecord(json);
  if (common !== undefined) return common;
  let fields: unknown;
  try {
    fields = JSON.parse(json);
  } catch {
    return damaged("it is not JSON");
  }
  if (!isObject(fields)) return damaged("it is not a JSON object");
  const synced = fields["synced"] ?? 0;
  if (!isIntegerIn(synced, 0, Number.MAX_SAFE_INTEGER)) return damaged("`synced` is not a sequence number");
  const commit = decodeCommit(fields);
  return typeof commit === "string" ? damaged(commit) : { ok: true, commit, synced: synced as Seq };
}

/**
 * The line that most commits are: one WRITE of plain text outside a transaction, which set one node. The groups are seq,
 * time, domain, connection, synced, the request's subject and detail, and path, value and perms.
 */
const COMMON_RECORD =
  /^\{"seq":([1-9][0-9]*),"time":(0|[1-9][0-9]*),"domain":(0|[1-9][0-9]*),"connection":"([ !#-[\]-~]*)"(?:,"synced":([1-9][0-9]*))?,"requests":\[\["WRITE","([ !#-[\]-~]*)","([ !#-[\]-~]*)"\]\],"changes":\[\["set","([ !#-[\]-~]*)","([ !#-[\]-~]*)","([ !#-[\]-~]*)"\]\]\}$/;

/** Decodes a common line without JSON.parse, in half the time; undefined for any other, and for whatever is odd about one. */
function decodeCommonRecord(json: string): DecodedRecord | undefined {
  const match = COMMON_RECORD.exec(json);
  if (match === null) return undefined;
  const seq = Number(match[1]);
  const time = Number(match[2]);
  const domain = Number(match[3]);
  const synced = match[5] === undefined ? 0 : Number(match[5]);
  const perms = decodePerms(match[10]);
  // A part of the line that is kept would keep the whole chunk of the journal that the line is a part of.
  const path: unknown = flattenBytes(match[8] as string);
  if (!isPath(path) || perms === undefined || domain > DOMID_MAX) return undefined;
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(time) || !Number.isSafeInteger(synced)) return undefined;
  const detail = match[7] as string;
  const request = {
    operation: "WRITE",
    subject: match[6] === path ? path : flattenBytes(match[6] as string),
    detail: flattenBytes(detail),
    detailBytes: detail.length,
  } as const;
  const value = match[9] === detail ? request.detail : flattenBytes(match[9] as string);
  const commit: Commit = {
    seq: seq as Seq,
    time: time as Microseconds,
    origin: { domid: domain as Domid, connection: flattenBytes(match[4] as string), transaction: undefined },
    base: (seq - 1) as Seq,
    requests: [request],
    requestsOmitted: 0,
    changes: [{ kind: "node", path, before: undefined, after: { value, perms } }],
  };
  return { ok: true, commit, synced: synced as Seq };
}

const LEADING_SEQ = /^\{"seq":([1-9][0-9]*)[,}]/;

/**
 * The seq of a line without its newline, when its checksum is right. It skips the other checks: it is for lines whose
 * commits are safe elsewhere and which are only counted.
 */
export function seqOfRecord(line: string): Seq | undefined {
  const digits = LEADING_SEQ.exec(openLine(line) ?? "")?.[1];
  return digits === undefined ? undefined : (Number(digits) as Seq);
}

function damaged(reason: string): DecodedRecord {
  return { ok: false, damaged: reason, intact: true };
}

const COMMIT_KEYS: ReadonlySet<string> = new Set([
  "seq",
  "time",
  "domain",
  "connection",
  "transaction",
  "base",
  "synced",
  "requests",
  "omitted",
  "merged",
  "changes",
]);
const DOMAIN_KEYS: ReadonlySet<string> = new Set([
  "gfn",
  "port",
  "seq",
  "time",
  "target",
  "features",
  "shutdown",
  "quotas",
]);
const OPERATION_NAMES: ReadonlySet<unknown> = new Set([
  ...OPERATIONS.map((operation) => operation.name),
  ...DAEMON_ACTS,
]);

/** The commit, or what is wrong with it. */
function decodeCommit(fields: Readonly<Record<string, unknown>>): Commit | string {
  const stranger = unknownKey(fields, COMMIT_KEYS);
  if (stranger !== undefined) return `it has the unknown key \`${stranger}\``;
  const { seq, time, domain, connection, transaction, base, requests, omitted, merged, changes } = fields;
  if (!isIntegerIn(seq, 1, Number.MAX_SAFE_INTEGER)) return "`seq` is not a sequence number";
  if (!isIntegerIn(time, 0, Number.MAX_SAFE_INTEGER)) return "`time` is not in microseconds";
  if (!isIntegerIn(domain, 0, DOMID_MAX)) return "`domain` is not a domain id";
  if (!isBytes(connection)) return "`connection` is not a byte string";
  if (transaction !== undefined && !isIntegerIn(transaction, 1, TX_ID_MAX))
    return "`transaction` is not a transaction id";
  if (base !== undefined && !isIntegerIn(base, 0, seq - 1)) return "`base` is not an earlier sequence number";
  if (omitted !== undefined && !isIntegerIn(omitted, 1, Number.MAX_SAFE_INTEGER)) return "`omitted` is not a count";
  if (merged !== undefined && (typeof merged !== "string" || !COMMIT_NAME.test(merged)))
    return "`merged` is not the name of a commit object";
  const requestRecords = decodeList(requests, decodeRequest);
  if (typeof requestRecords === "number") return `\`requests\` is bad at index ${String(requestRecords)}`;
  const changeList = decodeList(changes, decodeChange);
  if (typeof changeList === "number") return `\`changes\` is bad at index ${String(changeList)}`;
  return {
    seq: seq as Seq,
    time: time as Microseconds,
    origin: { domid: domain as Domid, connection, transaction: transaction as TxId | undefined },
    base: (base ?? seq - 1) as Seq,
    requests: requestRecords,
    requestsOmitted: omitted ?? 0,
    changes: changeList,
    ...(merged === undefined ? {} : { merged }),
  };
}

/** Decodes each element of a list that may be left out; the index of the first bad element where there is one. */
function decodeList<T>(list: unknown, decode: (element: readonly unknown[]) => T | undefined): T[] | number {
  const decoded: T[] = [];
  if (list === undefined) return decoded;
  if (!Array.isArray(list)) return 0;
  for (let index = 0; index < list.length; index++) {
    const element: unknown = list[index];
    const one = Array.isArray(element) ? decode(element) : undefined;
    if (one === undefined) return index;
    decoded.push(one);
  }
  return decoded;
}

function decodeRequest(element: readonly unknown[]): RequestRecord | undefined {
  const [operation, subject, detail, detailBytes] = element;
  if (element.length < 3 || element.length > 4) return undefined;
  if (!OPERATION_NAMES.has(operation) || !isBytes(subject) || !isBytes(detail)) return undefined;
  if (element.length === 3)
    return { operation: operation as RequestRecord["operation"], subject, detail, detailBytes: detail.length };
  if (!isIntegerIn(detailBytes, detail.length + 1, Number.MAX_SAFE_INTEGER)) return undefined;
  return { operation: operation as RequestRecord["operation"], subject, detail, detailBytes };
}

function decodeChange(element: readonly unknown[]): Change | undefined {
  const [kind, subject, content, text] = element;
  switch (kind) {
    case "set": {
      const perms = decodePerms(text);
      if (element.length !== 4 || !isPath(subject) || !isBytes(content) || perms === undefined) return undefined;
      return { kind: "node", path: subject, before: undefined, after: { value: flattenBytes(content), perms } };
    }
    case "remove":
      if (element.length !== 2 || !isPath(subject)) return undefined;
      return { kind: "node", path: subject, before: undefined, after: undefined };
    case "special": {
      const perms = decodePerms(content);
      if (element.length !== 3 || typeof subject !== "string" || !isSpecialPath(subject) || perms === undefined)
        return undefined;
      return { kind: "special", path: subject, before: perms, after: perms };
    }
    case "quota":
      if (element.length !== 3 || typeof subject !== "string" || !isQuotaName(subject)) return undefined;
      if (content !== null && !isIntegerIn(content, 0, Number.MAX_SAFE_INTEGER)) return undefined;
      return { kind: "quota", name: subject, before: undefined, after: content ?? undefined };
    case "domain": {
      if (element.length !== 3 || !isIntegerIn(subject, 0, DOMID_MAX)) return undefined;
      const record = content === null ? null : decodeDomain(content);
      if (record === undefined) return undefined;
      return { kind: "domain", domid: subject as Domid, before: undefined, after: record ?? undefined };
    }
    default:
      return undefined;
  }
}

function decodeDomain(fields: unknown): DomainRecord | undefined {
  if (!isObject(fields) || unknownKey(fields, DOMAIN_KEYS) !== undefined) return undefined;
  const { target, features, shutdown } = fields;
  const introduction = decodeIntroduction(fields);
  if (introduction === undefined) return undefined;
  if (target !== undefined && !isIntegerIn(target, 0, DOMID_MAX)) return undefined;
  if (features !== undefined && !isIntegerIn(features, 0, Number.MAX_SAFE_INTEGER)) return undefined;
  if (shutdown !== undefined && shutdown !== true) return undefined;
  const quotas = decodeQuotas(fields["quotas"]);
  if (quotas === undefined) return undefined;
  return {
    introduction: introduction ?? undefined,
    target: target as Domid | undefined,
    features,
    shutdown: shutdown ?? false,
    quotas,
  };
}

/** Null for a record of a domain that is not introduced; undefined for a bad one. */
function decodeIntroduction(fields: Readonly<Record<string, unknown>>): Introduction | null | undefined {
  const { gfn, port, seq, time } = fields;
  if ([gfn, port, seq, time].every((field) => field === undefined)) return null;
  if (!isIntegerIn(gfn, 0, Number.MAX_SAFE_INTEGER) || !isIntegerIn(port, 0, Number.MAX_SAFE_INTEGER)) return undefined;
  if (seq === undefined && time === undefined) return { gfn, port };
  if (!isIntegerIn(seq, 1, Number.MAX_SAFE_INTEGER) || !isIntegerIn(time, 0, Number.MAX_SAFE_INTEGER)) return undefined;
  return { gfn, port, commit: { seq: seq as Seq, time: time as Microseconds } };
}

function decodeQuotas(fields: unknown): ReadonlyMap<QuotaName, number> | undefined {
  const quotas = new Map<QuotaName, number>();
  if (fields === undefined) return quotas;
  if (!isObject(fields)) return undefined;
  for (const [name, value] of Object.entries(fields)) {
    if (!isQuotaName(name) || !isIntegerIn(value, 0, Number.MAX_SAFE_INTEGER)) return undefined;
    quotas.set(name, value);
  }
  return quotas;
}

/** Perms texts seen lately: most records repeat a few. Nothing depends on what is in it. */
const permsByText = new Map<string, Perms>();
const PERMS_TEXTS_MAX = 1024;

function decodePerms(text: unknown): Perms | undefined {
  if (typeof text !== "string") return undefined;
  const known = permsByText.get(text);
  if (known !== undefined) return known;
  const perms = parsePerms(text.split(" "));
  if (perms === undefined) return undefined;
  if (permsByText.size >= PERMS_TEXTS_MAX) permsByText.clear();
  permsByText.set(flattenBytes(text), perms);
  return perms;
}

function unknownKey(fields: Readonly<Record<string, unknown>>, known: ReadonlySet<string>): string | undefined {
  return Object.keys(fields).find((key) => !known.has(key));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isIntegerIn(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}

const BYTES = /^[\0-\xff]*$/;

function isBytes(value: unknown): value is ByteString {
  return typeof value === "string" && BYTES.test(value);
}

/** Whether `value` is an absolute path by the rules of the protocol. */
function isPath(value: unknown): value is Path {
  if (typeof value !== "string" || value.charCodeAt(0) !== 0x2f || value.length > XENSTORE_ABS_PATH_MAX) return false;
  return parsePath(value, 0 as Domid) !== undefined;
}
