/**
 * Dot files: what the history keeps beside the values of nodes, as small text blobs.
 *
 * Owns their formats. `.` is illegal in node names, so none of these can collide with a node. Every file is ASCII, one
 * fact a line, each line ended by a newline, in one fixed order, so that equal facts have one oid:
 *
 * - `.value`    in a directory whose node has a value that is not empty: the raw value.
 * - `.perms`    in every directory that is a node: first `. n0 r5` for the node itself, then `NAME n5 r0` for each
 *               childless child whose perms differ from that, sorted by name (code unit). A child directory states its own.
 * - `.special`  at the top, always: `@introduceDomain n0`, then `@releaseDomain r0`: the perms of the special paths.
 * - `.quotas`   at the top, unless no default was changed: `NAME LIMIT` (`nodes 2000`), sorted by name.
 * - `.domains/` at the top, unless no domain has a record: a file for each domid, with those of these lines that apply, in
 *               this order: `gfn 1234` and `port 5` (from INTRODUCE), `seq 17` and `time 1732345678901241` (of the commit
 *               that introduced it, in microseconds since the Unix epoch; 0.1.0 wrote neither), `target 7`, `features 3`,
 *               `shutdown 1`, and `quota.NAME LIMIT` sorted by name. The directory is no node and has no `.perms`.
 *
 * Parsing accepts exactly what serializing writes, in whatever order of lines; anything else is undefined.
 */
import type { ByteString } from "../../../protocol/bytes.js";
import { parseDomid, type Domid, type Microseconds, type Seq } from "../../../protocol/identifiers.js";
import { isNodeName, isSpecialPath, SPECIAL_PATHS, type SpecialPath } from "../../../protocol/path.js";
import { parsePerms, serializePerms, type Perms } from "../../../protocol/perms.js";
import { isQuotaName, type QuotaName } from "../../store/quota.js";
import type { DomainRecord, Introduction } from "../../store/root.js";

export const VALUE_FILE = ".value";
export const PERMS_FILE = ".perms";
export const SPECIAL_FILE = ".special";
export const QUOTAS_FILE = ".quotas";
/** The key of the directory of domain records. */
export const DOMAINS_DIRECTORY = ".domains/";

/** What a `.perms` file says. */
export interface DirectoryPerms {
  readonly own: Perms;
  /** Perms of the childless children that differ from `own`, by name. */
  readonly exceptions: ReadonlyMap<string, Perms>;
}

const NO_EXCEPTIONS: ReadonlyMap<string, Perms> = new Map();

/** Writes a `.perms` file. */
export function serializePermsFile(own: Perms, exceptions: ReadonlyMap<string, Perms> = NO_EXCEPTIONS): ByteString {
  let text = `. ${serializePerms(own)}\n`;
  if (exceptions.size === 0) return text;
  for (const name of [...exceptions.keys()].sort()) {
    text += `${name} ${serializePerms(exceptions.get(name) as Perms)}\n`;
  }
  return text;
}

/** Reads a `.perms` file. */
export function parsePermsFile(text: ByteString): DirectoryPerms | undefined {
  const lines = linesOf(text);
  if (lines === undefined) return undefined;
  let own: Perms | undefined;
  let exceptions: Map<string, Perms> | undefined;
  for (const line of lines) {
    const [name = "", ...entries] = line.split(" ");
    const perms = parsePerms(entries);
    if (perms === undefined) return undefined;
    if (name === ".") {
      if (own !== undefined) return undefined;
      own = perms;
    } else {
      exceptions ??= new Map<string, Perms>();
      if (!isNodeName(name) || exceptions.has(name)) return undefined;
      exceptions.set(name, perms);
    }
  }
  return own === undefined ? undefined : { own, exceptions: exceptions ?? NO_EXCEPTIONS };
}

/** Writes the `.special` file. */
export function serializeSpecialFile(special: ReadonlyMap<SpecialPath, Perms>): ByteString {
  let text = "";
  for (const path of SPECIAL_PATHS) {
    const perms = special.get(path);
    if (perms === undefined) throw new Error(`a root must have perms for ${path}`);
    text += `${path} ${serializePerms(perms)}\n`;
  }
  return text;
}

/** Reads the `.special` file. */
export function parseSpecialFile(text: ByteString): Map<SpecialPath, Perms> | undefined {
  const lines = linesOf(text);
  if (lines === undefined) return undefined;
  const special = new Map<SpecialPath, Perms>();
  for (const line of lines) {
    const [path = "", ...entries] = line.split(" ");
    const perms = parsePerms(entries);
    if (perms === undefined || !isSpecialPath(path) || special.has(path)) return undefined;
    special.set(path, perms);
  }
  return special.size === SPECIAL_PATHS.length ? special : undefined;
}

/** Writes the `.quotas` file; empty when there is nothing to write, and then the file is left out. */
export function serializeQuotasFile(quotas: ReadonlyMap<QuotaName, number>): ByteString {
  return quotaLines("", quotas);
}

/** Reads the `.quotas` file. */
export function parseQuotasFile(text: ByteString): Map<QuotaName, number> | undefined {
  const facts = factsOf(text);
  if (facts === undefined) return undefined;
  const quotas = new Map<QuotaName, number>();
  for (const [name, limit] of facts) {
    if (!isQuotaName(name)) return undefined;
    quotas.set(name, limit);
  }
  return quotas;
}

/** Writes a domain's record; empty for an empty record, and then the file is left out. */
export function serializeDomainFile(record: DomainRecord): ByteString {
  const { introduction, target, features, shutdown, quotas } = record;
  let text = "";
  if (introduction !== undefined) {
    const { gfn, port, commit } = introduction;
    text += `gfn ${String(gfn)}\nport ${String(port)}\n`;
    if (commit !== undefined) text += `seq ${String(commit.seq)}\ntime ${String(commit.time)}\n`;
  }
  if (target !== undefined) text += `target ${String(target)}\n`;
  if (features !== undefined) text += `features ${String(features)}\n`;
  if (shutdown) text += "shutdown 1\n";
  return text + quotaLines("quota.", quotas);
}

const DOMAIN_KEYS: ReadonlySet<string> = new Set(["gfn", "port", "seq", "time", "target", "features", "shutdown"]);

/** Reads a domain's record. */
export function parseDomainFile(text: ByteString): DomainRecord | undefined {
  const facts = factsOf(text);
  if (facts === undefined) return undefined;
  const quotas = new Map<QuotaName, number>();
  for (const [key, number] of facts) {
    if (key === "shutdown" && number !== 1) return undefined;
    if (DOMAIN_KEYS.has(key)) continue;
    const name = key.startsWith("quota.") ? key.slice("quota.".length) : "";
    if (!isQuotaName(name)) return undefined;
    quotas.set(name, number);
  }
  const introduction = introductionOf(facts);
  const target = facts.get("target");
  if (introduction === undefined) return undefined;
  if (target !== undefined && parseDomid(String(target)) === undefined) return undefined;
  return {
    introduction: introduction ?? undefined,
    target: target as Domid | undefined,
    features: facts.get("features"),
    shutdown: facts.has("shutdown"),
    quotas,
  };
}

/** Null where there is none; undefined for a part of one. */
function introductionOf(facts: ReadonlyMap<string, number>): Introduction | null | undefined {
  const [gfn, port, seq, time] = ["gfn", "port", "seq", "time"].map((key) => facts.get(key));
  if ((gfn === undefined) !== (port === undefined) || (seq === undefined) !== (time === undefined)) return undefined;
  if (gfn === undefined || port === undefined) return seq === undefined ? null : undefined;
  if (seq === undefined || time === undefined) return { gfn, port };
  return seq < 1 || time < 0 ? undefined : { gfn, port, commit: { seq: seq as Seq, time: time as Microseconds } };
}

function quotaLines(prefix: string, quotas: ReadonlyMap<QuotaName, number>): string {
  let text = "";
  for (const name of [...quotas.keys()].sort()) text += `${prefix}${name} ${String(quotas.get(name))}\n`;
  return text;
}

/** The lines without their newlines; undefined when the last one has none. */
function linesOf(text: ByteString): string[] | undefined {
  if (text === "" || !text.endsWith("\n")) return undefined;
  return text.slice(0, -1).split("\n");
}

const FACT = /^([a-z][a-z.-]*) (-?(?:0|[1-9][0-9]*))$/;

/** Lines of `key number`, each key once. */
function factsOf(text: ByteString): Map<string, number> | undefined {
  const lines = linesOf(text);
  if (lines === undefined) return undefined;
  const facts = new Map<string, number>();
  for (const line of lines) {
    const [, key, digits] = FACT.exec(line) ?? [];
    if (key === undefined || digits === undefined || facts.has(key)) return undefined;
    const number = Number(digits);
    if (!Number.isSafeInteger(number)) return undefined;
    facts.set(key, number);
  }
  return facts;
}
