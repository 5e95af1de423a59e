/**
 * Commit objects: a commit as `git log` tells it, and back.
 *
 * Owns the text (design.md, "Git mapping"). It is ASCII without NUL, as `git fsck --strict` asks, and depends on nothing
 * but the commit, its parent and the host's name, so that recording the same commit again, after a crash, makes the same
 * object.
 *
 *     dom5: 2 changes under /local/domain/5/data
 *
 *     WRITE /local/domain/5/data/a "caf\xc3\xa9"
 *     SET_PERMS /local/domain/5/data n5 r0
 *
 *     Seq: 17
 *     Time: 2026-08-01T12:00:00.123456Z
 *     Domain: 5
 *     Connection: domain-5
 *     Transaction: 3
 *     Base: 15
 *
 * Escapes: every byte that is not printable ASCII, and the backslash, is `\xNN`; inside a quoted value the quotation mark
 * too. Values are quoted and cut at `DETAIL_BYTES_MAX` bytes (`"abc"... (4096 bytes)`); perms are not quoted. At most
 * `REQUEST_RECORDS_MAX` requests, then `... N more`. `Transaction` stands for a transaction, `Base` where the snapshot that
 * it read is not the parent.
 */
import { Buffer } from "node:buffer";
import type { ByteString } from "../../../protocol/bytes.js";
import {
  parseDecimal,
  parseDomid,
  type Domid,
  type Microseconds,
  type Seq,
  type TxId,
} from "../../../protocol/identifiers.js";
import { DETAIL_BYTES_MAX, REQUEST_RECORDS_MAX, type Commit, type RequestRecord } from "../../store/commit.js";
import { isoTime } from "../../../protocol/iso-time.js";
import { hexFromOid, oidFromHex, type Oid } from "./oid.js";

/** What a commit object says besides the commit itself. */
export interface CommitPlace {
  readonly tree: Oid;
  /** The first is the commit before it on its branch; none for the first commit of all. */
  readonly parents: readonly Oid[];
  /** The committer date of the first parent, in seconds since the epoch; 0 without a parent. */
  readonly parentSeconds: number;
  /** The host in authors' and committer's addresses; characters that an address cannot hold become `-`. */
  readonly hostName: string;
}

const MICROSECONDS_PER_SECOND = 1_000_000;

/**
 * The committer date of a commit, in seconds since the epoch: that of its time, but never before its parent's, because
 * Git's walks expect dates to grow and a wall clock may step back.
 */
export function committerSecondsOf(commit: Commit, parentSeconds: number): number {
  return Math.max(parentSeconds, secondsOf(commit.time));
}

function secondsOf(time: Microseconds): number {
  return Math.max(0, Math.floor(time / MICROSECONDS_PER_SECOND));
}

/** The content of the commit object. */
export function serializeCommit(commit: Commit, place: CommitPlace): ByteString {
  let text = `tree ${hexFromOid(place.tree)}\n`;
  for (const parent of place.parents) text += `parent ${hexFromOid(parent)}\n`;
  text += signatureLines(commit, place);
  text += `${subjectOf(commit)}\n\n`;
  return text + requestLines(commit) + trailerLines(commit);
}

/** Author and committer of the last commit of a domain: within a second they are the same. */
interface KnownSignatures {
  readonly hostName: string;
  readonly authorSeconds: number;
  readonly committerSeconds: number;
  readonly lines: string;
}

const knownSignatures = new Map<Domid, KnownSignatures>();
const KNOWN_SIGNATURES_MAX = 4096;

function signatureLines(commit: Commit, place: CommitPlace): string {
  const { hostName } = place;
  const { domid } = commit.origin;
  const authorSeconds = secondsOf(commit.time);
  const committerSeconds = committerSecondsOf(commit, place.parentSeconds);
  const known = knownSignatures.get(domid);
  if (
    known?.authorSeconds === authorSeconds &&
    known.committerSeconds === committerSeconds &&
    known.hostName === hostName
  ) {
    return known.lines;
  }
  const host = addressable(hostName);
  const author = `dom${String(domid)}`;
  const lines =
    `author ${author} <${author}@${host}> ${String(authorSeconds)} +0000\n` +
    `committer xenstore-tng <xenstore@${host}> ${String(committerSeconds)} +0000\n\n`;
  if (knownSignatures.size >= KNOWN_SIGNATURES_MAX) knownSignatures.clear();
  knownSignatures.set(domid, { hostName, authorSeconds, committerSeconds, lines });
  return lines;
}

let knownHost = { name: "", address: "localhost" };

function addressable(hostName: string): string {
  if (knownHost.name !== hostName) {
    const cleaned = hostName.replace(/[^A-Za-z0-9.-]/g, "-");
    knownHost = { name: hostName, address: cleaned === "" ? "localhost" : cleaned };
  }
  return knownHost.address;
}

/**
 * The first line: the request, or for a transaction how many changes it made and their deepest common ancestor.
 *
 * Worked examples: one WRITE outside a transaction is `dom0: WRITE /a/b`; a transaction that set `/a/b` and `/a/c/d` is
 * `dom0: 2 changes under /a`; one that set only `/a/b` is `dom0: 1 change under /a/b`.
 */
function subjectOf(commit: Commit): string {
  const author = `dom${String(commit.origin.domid)}: `;
  const [first, second] = commit.requests;
  if (commit.origin.transaction === undefined && first !== undefined && second === undefined) {
    return author + operationAndSubject(first);
  }
  const count = commit.changes.length;
  const ancestor = commonAncestor(commit);
  const where = ancestor === undefined ? "" : ` under ${escapeBytes(ancestor, PLAIN)}`;
  return `${author}${String(count)} ${count === 1 ? "change" : "changes"}${where}`;
}

/** The deepest path at or above all that changed; of what was asked for when nothing changed; undefined without any path. */
function commonAncestor(commit: Commit): string | undefined {
  let common: string | undefined;
  for (const change of commit.changes) {
    if (change.kind === "node" || change.kind === "special") common = commonPath(common, change.path);
  }
  if (common !== undefined || commit.changes.length > 0) return common;
  for (const { subject } of commit.requests) {
    if (subject.startsWith("/") || subject.startsWith("@")) common = commonPath(common, subject);
  }
  return common;
}

function commonPath(left: string | undefined, right: string): string {
  if (left === undefined || left === right) return right;
  const length = Math.min(left.length, right.length);
  let slash = 0;
  let at = 0;
  for (; at < length && left.charCodeAt(at) === right.charCodeAt(at); at++)
    if (left.charCodeAt(at) === 0x2f) slash = at;
  if (at === length) {
    // One is a prefix of the other: it is the ancestor when the other goes on with a slash.
    const [short, long] = left.length < right.length ? [left, right] : [right, left];
    if (long.charCodeAt(at) === 0x2f) return short;
  }
  return slash === 0 ? "/" : left.slice(0, slash);
}

function operationAndSubject(request: RequestRecord): string {
  return request.subject === "" ? request.operation : `${request.operation} ${escapeBytes(request.subject, PLAIN)}`;
}

function requestLines(commit: Commit): string {
  const { requests } = commit;
  const listed = Math.min(requests.length, REQUEST_RECORDS_MAX);
  let text = "";
  for (let index = 0; index < listed; index++) text += `${requestLine(requests[index] as RequestRecord)}\n`;
  const omitted = commit.requestsOmitted + requests.length - listed;
  if (omitted > 0) text += `... ${String(omitted)} more\n`;
  return text === "" ? "" : `${text}\n`;
}

function requestLine(request: RequestRecord): string {
  const start = operationAndSubject(request);
  const isValue = request.operation === "WRITE";
  if (!isValue && request.detailBytes === 0) return start;
  const detail = request.detail.length <= DETAIL_BYTES_MAX ? request.detail : request.detail.slice(0, DETAIL_BYTES_MAX);
  const cut = detail.length < request.detailBytes ? `... (${String(request.detailBytes)} bytes)` : "";
  const shown = isValue ? `"${escapeBytes(detail, QUOTED)}"` : escapeBytes(detail, PLAIN);
  return `${start} ${shown}${cut}`;
}

function trailerLines(commit: Commit): string {
  const { seq, base, origin } = commit;
  let text = `Seq: ${String(seq)}\nTime: ${isoTime(commit.time)}\nDomain: ${String(origin.domid)}\n`;
  text += `Connection: ${escapeBytes(origin.connection, PLAIN)}\n`;
  if (origin.transaction !== undefined) text += `Transaction: ${String(origin.transaction)}\n`;
  if (base !== seq - 1) text += `Base: ${String(base)}\n`;
  return text;
}

/** What needs an escape, in plain text and within quotation marks. */
const PLAIN = /[^ -[\]-~]/;
const QUOTED = /[^ !#-[\]-~]/;

function escapeBytes(bytes: ByteString, special: RegExp): string {
  if (!special.test(bytes)) return bytes;
  let text = "";
  for (const byte of bytes) {
    text += special.test(byte) ? `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}` : byte;
  }
  return text;
}

/** An author or committer. */
export interface Signature {
  readonly name: ByteString;
  readonly email: ByteString;
  /** Seconds since the epoch. */
  readonly seconds: number;
}

/** What our trailers say; undefined where a commit has no such trailer or a malformed one, as a foreign commit has. */
export interface CommitTrailers {
  readonly seq: Seq | undefined;
  readonly time: Microseconds | undefined;
  readonly domain: Domid | undefined;
  readonly connection: string | undefined;
  readonly transaction: TxId | undefined;
  /** Undefined also where the snapshot was the parent. */
  readonly base: Seq | undefined;
}

/** A commit object, read. */
export interface ParsedCommit {
  readonly tree: Oid;
  readonly parents: readonly Oid[];
  readonly author: Signature;
  readonly committer: Signature;
  /** The whole message, trailers and all. */
  readonly message: ByteString;
  /** The message's first line. */
  readonly subject: ByteString;
  /** The message between the subject and our trailers: one line per request. */
  readonly body: ByteString;
  readonly trailers: CommitTrailers;
}

const SIGNATURE = /^(.*?) ?<([^<>]*)> (-?[0-9]+) [+-][0-9]{4}$/;
const HEX_OID = /^[0-9a-f]{40}$/;

/** Reads a commit object, ours or anybody's; undefined when it is none. Headers that we do not know are passed over. */
export function parseCommit(content: Uint8Array | ByteString): ParsedCommit | undefined {
  const text =
    typeof content === "string"
      ? content
      : Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("latin1");
  const blank = text.indexOf("\n\n");
  const head = blank === -1 ? text.trimEnd() : text.slice(0, blank);
  let tree: Oid | undefined;
  const parents: Oid[] = [];
  let author: Signature | undefined;
  let committer: Signature | undefined;
  for (const line of head.split("\n")) {
    const space = line.indexOf(" ");
    const rest = line.slice(space + 1);
    switch (line.slice(0, space)) {
      case "tree":
        if (HEX_OID.test(rest)) tree ??= oidFromHex(rest);
        break;
      case "parent":
        if (!HEX_OID.test(rest)) return undefined;
        parents.push(oidFromHex(rest));
        break;
      case "author":
        author ??= parseSignature(rest);
        break;
      case "committer":
        committer ??= parseSignature(rest);
        break;
      default:
        break;
    }
  }
  if (tree === undefined || author === undefined || committer === undefined) return undefined;
  return { tree, parents, author, committer, ...parseMessage(blank === -1 ? "" : text.slice(blank + 2)) };
}

function parseSignature(text: ByteString): Signature | undefined {
  const [, name, email, seconds] = SIGNATURE.exec(text) ?? [];
  if (name === undefined || email === undefined || seconds === undefined) return undefined;
  return { name, email, seconds: Number(seconds) };
}

const TRAILER = /^([A-Za-z][A-Za-z-]*): (.*)$/;

function parseMessage(message: ByteString): Pick<ParsedCommit, "message" | "subject" | "body" | "trailers"> {
  const trimmed = message.trimEnd();
  const newline = trimmed.indexOf("\n");
  const subject = newline === -1 ? trimmed : trimmed.slice(0, newline);
  const paragraph = trimmed.lastIndexOf("\n\n");
  const found = new Map<string, string>();
  if (paragraph !== -1) {
    for (const line of trimmed.slice(paragraph + 2).split("\n")) {
      const [, key, value] = TRAILER.exec(line) ?? [];
      if (key !== undefined && value !== undefined) found.set(key, value);
    }
  }
  const bodyEnd = found.size === 0 ? trimmed.length : paragraph;
  const body = newline === -1 ? "" : trimmed.slice(newline, Math.max(newline, bodyEnd)).trim();
  return { message, subject, body, trailers: trailersFrom(found) };
}

function trailersFrom(found: ReadonlyMap<string, string>): CommitTrailers {
  return {
    seq: parseSeq(found.get("Seq")),
    time: parseIsoTime(found.get("Time")),
    domain: parseDomid(found.get("Domain") ?? ""),
    connection: found.get("Connection"),
    transaction: parseDecimal(found.get("Transaction") ?? "") as TxId | undefined,
    base: parseSeq(found.get("Base")),
  };
}

/** A seq can have more digits than any number on the wire. */
function parseSeq(text: string | undefined): Seq | undefined {
  if (text === undefined || !/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const seq = Number(text);
  return Number.isSafeInteger(seq) ? (seq as Seq) : undefined;
}

function parseIsoTime(text: string | undefined): Microseconds | undefined {
  const [, second, fraction] = /^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})\.([0-9]{6})Z$/.exec(text ?? "") ?? [];
  if (second === undefined || fraction === undefined) return undefined;
  const milliseconds = Date.parse(`${second}Z`);
  return Number.isNaN(milliseconds) ? undefined : ((milliseconds * 1000 + Number(fraction)) as Microseconds);
}
