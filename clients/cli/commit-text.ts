/**
 * How commits look, for people.
 *
 * Owns the lines of `xs log`, `xs show` and `xs diff`. Values are in the notation of the xenstore-* tools, within quotation marks.
 */
import { bytesFromText, type ByteString } from "../../protocol/bytes.js";
import type {
  ChangeJson,
  CommitJson,
  CommitSummaryJson,
  DomainRecordJson,
  NodeStateJson,
} from "../../protocol/http-api/commit.js";
import type { DiffPage } from "../../protocol/http-api/history-queries.js";
import { valueFromJson, type ValueJson } from "../../protocol/http-api/value.js";
import { shortOid } from "../../protocol/short-oid.js";
import { escapeValue } from "../../protocol/escape.js";

type NodeChange = Extract<ChangeJson, { readonly kind: "node" }>;
type Perms = readonly string[];

/** A commit on one line: `@{253}  2026-11-28T12:45:55.522192Z  8ac34e11cd  dom0: WRITE /a/b`. */
export function summaryLine({ oid, seq, time, subject, historyBegins }: CommitSummaryJson): ByteString {
  const parts = [seq === undefined ? "" : `@{${String(seq)}}`, time ?? ""];
  const mark = historyBegins === true ? "(the history begins here)" : "";
  return `${[...parts, shortOid(oid), printable(subject), mark].filter((part) => part !== "").join("  ")}\n`;
}

/** Messages of ours are printable; somebody else's must not reach the terminal as they are. */
function printable(text: string): string {
  return bytesFromText(text).replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** A branch's or a tag's name, in any script; of what somebody else's has that a terminal would obey, the bytes are shown. */
export function refText(name: string): ByteString {
  return bytesFromText(name.replace(/\p{Cc}/gu, printable));
}

/** A commit in full. */
export function commitText(commit: CommitJson): ByteString {
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

/** A difference, all of it. */
export function diffText({ from, to, changes }: DiffPage): ByteString {
  const commits = `from  ${summaryLine(from)}to    ${summaryLine(to)}\n`;
  return commits + (changes.length === 0 ? "no difference\n" : changes.map(changeText).join(""));
}

function changesText(changes: CommitJson["changes"]): readonly string[] {
  if (changes === undefined) return ["the history was cut here: what this commit changed is not known any more\n"];
  return changes.length === 0 ? ["nothing changed: watches fired\n"] : changes.map(changeText);
}

function* headerLines({ oid, parents, seq, time, domain, connection, transaction }: CommitJson): Generator<string> {
  yield `commit      ${oid}\n`;
  const [, ...merged] = parents;
  for (const parent of merged) yield `merged      ${parent}\n`;
  if (seq !== undefined) yield `seq         @{${String(seq)}}\n`;
  if (time !== undefined) yield `time        ${time}\n`;
  if (domain !== undefined) yield `domain      ${String(domain)}\n`;
  if (connection !== undefined) yield `connection  ${connection}\n`;
  if (transaction !== undefined) yield `transaction ${String(transaction)}\n`;
}

function* meanwhileLines({ meanwhile }: CommitJson): Generator<string> {
  if (meanwhile === undefined) return;
  const { base, count, commits } = meanwhile;
  const commitsCame = count === 1 ? "1 commit came" : `${String(count)} commits came`;
  yield `\nit was made from @{${String(base)}}; ${commitsCame} in between\n`;
  for (const commit of commits) yield `    ${summaryLine(commit)}`;
  if (commits.length < count) yield `    ... ${String(count - commits.length)} more\n`;
}

/** Changes that were not made: the first of them, and how many there are. */
export function plannedText(changes: readonly ChangeJson[], count: number): ByteString {
  const more = count - changes.length;
  const rest = more > 0 ? `... ${String(more)} more\n` : "";
  return `${changes.map(changeText).join("")}${rest}${countText(count)}, none made\n`;
}

/** So many changes, in words. */
export function countText(count: number): string {
  return count === 1 ? "1 change" : `${String(count)} changes`;
}

/** A change, with its line feed: `+` came, `-` went, `~` is another. */
function changeText(change: ChangeJson): string {
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
  const name = escapeValue(bytesFromText(path));
  if (before === undefined) return after === undefined ? "" : `+ ${name} = ${statePart(after)}\n`;
  if (after === undefined) return `- ${name} = ${statePart(before)}\n`;
  const [was, is] =
    valueFromJson(before) === valueFromJson(after)
      ? [permsPart(before.perms), permsPart(after.perms)]
      : valueParts(before, after);
  return differenceText(name, was, is);
}

/** Perms stand only where they differ too. */
function valueParts(before: NodeStateJson, after: NodeStateJson): readonly [string, string] {
  if (before.perms.join(" ") !== after.perms.join(" ")) return [statePart(before), statePart(after)];
  return [valuePart(before), valuePart(after)];
}

function differenceText(name: string, before: string, after: string): string {
  return `~ ${name}\n    - ${before}\n    + ${after}\n`;
}

function statePart(state: NodeStateJson): string {
  return `${valuePart(state)}  ${permsPart(state.perms)}`;
}

function valuePart(value: ValueJson): string {
  return `"${escapeValue(valueFromJson(value))}"`;
}

function permsPart(perms: Perms): string {
  return `(${perms.join(" ")})`;
}

function limitPart(limit: number | undefined): string {
  if (limit === undefined) return "the default";
  return limit === 0 ? "unlimited" : String(limit);
}

function recordPart(record: DomainRecordJson | undefined): string {
  if (record === undefined) return "unknown";
  const { introduction, target, features, shutdown, quotas } = record;
  const facts = [introduction === undefined ? "not introduced" : "introduced"];
  if (introduction !== undefined) {
    const { gfn, port, seq } = introduction;
    if (seq !== undefined) facts[0] = `introduced by @{${String(seq)}}`;
    facts.push(`gfn ${String(gfn)}`, `port ${String(port)}`);
  }
  if (target !== undefined) facts.push(`target ${String(target)}`);
  if (features !== undefined) facts.push(`features ${String(features)}`);
  if (shutdown) facts.push("shut down");
  for (const [name, limit] of Object.entries(quotas)) facts.push(`quota ${name} ${limitPart(limit)}`);
  return facts.join(", ");
}
