/**
 * How commits look, for people and as JSON.
 *
 * Owns the lines of `xs log` and `xs show`. Values are in the notation of the xenstore-* tools, within quotation marks.
 */
import type { CommitSummary } from "../../daemon/history/query/commit-summary.js";
import type { ShownCommit } from "../../daemon/history/query/show.js";
import { textFromBytes, type ByteString } from "../../protocol/bytes.js";
import { isoTime } from "../../protocol/iso-time.js";
import type { Perms } from "../../protocol/perms.js";
import { escapeValue } from "./escape.js";
import { permsJson, permsText, valueJson } from "./format.js";

type Change = NonNullable<ShownCommit["changes"]>[number];
type NodeChange = Extract<Change, { readonly kind: "node" }>;
type NodeState = NonNullable<NodeChange["after"]>;
type DomainRecord = NonNullable<Extract<Change, { readonly kind: "domain" }>["after"]>;

const OID_DIGITS_SHOWN = 10;

/** A commit on one line: `@{253}  2026-11-28T12:45:55.522192Z  8ac34e11cd  dom0: WRITE /a/b`. */
export function summaryLine({ oid, seq, time, subject }: CommitSummary): ByteString {
  const parts = [seq === undefined ? "" : `@{${String(seq)}}`, time === undefined ? "" : isoTime(time)];
  return `${[...parts, oid.slice(0, OID_DIGITS_SHOWN), printable(subject)].filter((part) => part !== "").join("  ")}\n`;
}

/** Messages of ours are printable; somebody else's must not reach the terminal as they are. */
function printable(text: ByteString): string {
  return text.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** A commit as JSON, without its changes. */
export function summaryJson({ oid, seq, time, domain, connection, transaction, subject }: CommitSummary): object {
  return {
    oid,
    seq,
    time: time === undefined ? undefined : isoTime(time),
    domain,
    connection,
    transaction,
    subject: textFromBytes(subject),
  };
}

/** A commit in full. */
export function commitText(commit: ShownCommit): ByteString {
  const { requests, changes } = commit;
  const asked = requests.map((request) => `    ${printable(request)}\n`);
  return [
    ...headerLines(commit),
    "\n",
    ...(asked.length === 0 ? [`    ${printable(commit.subject)}\n`] : asked),
    "\n",
    ...changesText(changes),
    ...meanwhileLines(commit),
  ].join("");
}

function changesText(changes: ShownCommit["changes"]): readonly string[] {
  if (changes === undefined) return ["the history was cut here: what this commit changed is not known any more\n"];
  return changes.length === 0 ? ["nothing changed: watches fired\n"] : changes.map(changeText);
}

function* headerLines({ oid, parents, seq, time, domain, connection, transaction }: ShownCommit): Generator<string> {
  yield `commit      ${oid}\n`;
  const [, ...merged] = parents;
  for (const parent of merged) yield `merged      ${parent}\n`;
  if (seq !== undefined) yield `seq         @{${String(seq)}}\n`;
  if (time !== undefined) yield `time        ${isoTime(time)}\n`;
  if (domain !== undefined) yield `domain      ${String(domain)}\n`;
  if (connection !== undefined) yield `connection  ${connection}\n`;
  if (transaction !== undefined) yield `transaction ${String(transaction)}\n`;
}

function* meanwhileLines({ meanwhile }: ShownCommit): Generator<string> {
  if (meanwhile === undefined) return;
  const { base, count, commits } = meanwhile;
  const commitsCame = count === 1 ? "1 commit came" : `${String(count)} commits came`;
  yield `\nit was made from @{${String(base)}}; ${commitsCame} in between\n`;
  for (const commit of commits) yield `    ${summaryLine(commit)}`;
  if (commits.length < count) yield `    ... ${String(count - commits.length)} more\n`;
}

/** A change: `+` came, `-` went, `~` is another. */
function changeText(change: Change): string {
  switch (change.kind) {
    case "node":
      return nodeText(change);
    case "special":
      return differenceText(change.path, permsPart(change.before), permsPart(change.after));
    case "quota":
      return differenceText(`quota ${change.name}`, limitPart(change.before), limitPart(change.after));
    case "domain":
      return differenceText(`domain ${String(change.domid)}`, recordPart(change.before), recordPart(change.after));
  }
}

function nodeText({ path, before, after }: NodeChange): string {
  const name = escapeValue(path);
  if (before === undefined) return after === undefined ? "" : `+ ${name} = ${statePart(after)}\n`;
  if (after === undefined) return `- ${name} = ${statePart(before)}\n`;
  const [was, is] =
    before.value === after.value ? [permsPart(before.perms), permsPart(after.perms)] : valueParts(before, after);
  return differenceText(name, was, is);
}

/** Perms stand only where they differ too. */
function valueParts(before: NodeState, after: NodeState): readonly [string, string] {
  if (permsText(before.perms) !== permsText(after.perms)) return [statePart(before), statePart(after)];
  return [valuePart(before.value), valuePart(after.value)];
}

function differenceText(name: string, before: string, after: string): string {
  return `~ ${name}\n    - ${before}\n    + ${after}\n`;
}

function statePart({ value, perms }: NodeState): string {
  return `${valuePart(value)}  ${permsPart(perms)}`;
}

function valuePart(value: ByteString): string {
  return `"${escapeValue(value)}"`;
}

function permsPart(perms: Perms): string {
  return `(${permsText(perms)})`;
}

function limitPart(limit: number | undefined): string {
  if (limit === undefined) return "the default";
  return limit === 0 ? "unlimited" : String(limit);
}

function recordPart(record: DomainRecord | undefined): string {
  if (record === undefined) return "unknown";
  const { introduction, target, features, shutdown, quotas } = record;
  const facts = [introduction === undefined ? "not introduced" : "introduced"];
  if (introduction !== undefined) facts.push(`gfn ${String(introduction.gfn)}`, `port ${String(introduction.port)}`);
  if (target !== undefined) facts.push(`target ${String(target)}`);
  if (features !== undefined) facts.push(`features ${String(features)}`);
  if (shutdown) facts.push("shut down");
  for (const [name, limit] of quotas) facts.push(`quota ${name} ${limitPart(limit)}`);
  return facts.join(", ");
}

/** A commit in full, as JSON. */
export function commitJson(commit: ShownCommit): object {
  const { parents, requests, changes, meanwhile } = commit;
  return {
    ...summaryJson(commit),
    parents,
    requests: requests.map(textFromBytes),
    changes: changes?.map(changeJson),
    meanwhile: meanwhile && { ...meanwhile, commits: meanwhile.commits.map(summaryJson) },
  };
}

function changeJson(change: Change): object {
  switch (change.kind) {
    case "node": {
      const { kind, path, before, after } = change;
      return { kind, path: textFromBytes(path), before: stateJson(before), after: stateJson(after) };
    }
    case "special":
      return { ...change, before: permsJson(change.before), after: permsJson(change.after) };
    case "quota":
      return change;
    case "domain":
      return { ...change, before: recordJson(change.before), after: recordJson(change.after) };
  }
}

function stateJson(state: NodeState | undefined): object | undefined {
  return state === undefined ? undefined : { ...valueJson(state.value), perms: permsJson(state.perms) };
}

function recordJson(record: DomainRecord | undefined): object | undefined {
  return record === undefined ? undefined : { ...record, quotas: Object.fromEntries(record.quotas) };
}
