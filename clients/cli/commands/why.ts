/**
 * `xs why` and `xs why-not`: why a transaction ended in EAGAIN, why a watch did not fire.
 */
import { InvalidArgumentError, Option, type Command } from "commander";
import {
  FAILURE_ROUTES,
  type FailureJson,
  type WhyAnswer,
  type WhyNotAnswer,
  type WhyNotQuery,
  type WhyQuery,
} from "../../../protocol/http-api/failures.js";
import { valueFromJson, type ValueJson } from "../../../protocol/http-api/value.js";
import { summaryLine } from "../commit-text.js";
import type { CliContext } from "../context.js";
import { ADMIN_EXITS, examples, exitCodes } from "../help-text.js";
import { escapeValue } from "../../../protocol/escape.js";
import { jsonLine, shown } from "../format.js";
import { withAdmin } from "../history-source.js";
import { recordedPath } from "../recorded-path.js";
import { parseDomain, parseTransactionId } from "./parse-number.js";

/** Adds `xs why`. */
export function addWhy(program: Command, context: CliContext): void {
  program
    .command("why")
    .summary("tell why a transaction ended in EAGAIN")
    .description(
      "Tells of the last transaction with this id that ended in EAGAIN: the first of its requests that would have been answered " +
        "otherwise at its end, and the commit that made it so. Every connection counts its own transactions, so --connection or " +
        "--domain may be needed. Below stand the paths over which transactions failed, with how often. The daemon remembers the " +
        "last 1,000 failures of each domain, the rarer errors longest, also from before its last start: `xs log --failures` lists " +
        "them.",
    )
    .argument("<tx>", "the transaction's id", parseTransactionId)
    .addOption(new Option("--domain <domid>", "only of this domain").argParser(parseDomain))
    .addOption(
      new Option("--connection <name>", "only on this connection, such as socket-17").argParser(parseConnection),
    )
    .addHelpText("after", exitCodes({ ...ADMIN_EXITS, 2: "a bad command line, no such transaction, or no daemon" }))
    .addHelpText("after", examples(["xs why 5", "xs why 5 --connection socket-17", "xs log --failures --error EAGAIN"]))
    .action(async (tx: number, options: Omit<WhyQuery, "tx">) => {
      const { domain, connection } = options;
      const query: WhyQuery = { tx, domain, connection, branch: context.fork() };
      const answer = await withAdmin(context, (admin) => admin.get<WhyAnswer>(FAILURE_ROUTES.why, query));
      await context.io.out(context.isJson() ? jsonLine(answer) : whyText(answer));
    });
}

function parseConnection(text: string): string {
  if (text === "") throw new InvalidArgumentError("It is a connection's name, such as socket-17.");
  return text;
}

function whyText({ failure, commit, others, paths }: WhyAnswer): string {
  const { transaction, connection, domain, time, conflict } = failure;
  const base = conflict === undefined ? "" : `@{${String(conflict.base)}}`;
  const lines = [
    `transaction ${String(transaction)} of ${connection} (domain ${String(domain)}) ended in EAGAIN at ${time}\n`,
    `it was made from ${base}; at its end this would have been answered otherwise:\n`,
    `    ${conflict?.operation ?? ""} ${shown(conflict?.path ?? "")}\n`,
    ...causeLines(conflict, commit),
    ...(others === 0 ? [] : [`${String(others)} more with this id are remembered: see xs log --failures\n`]),
    "\ntransactions that failed, by what they had asked for\n",
    ...paths.map(({ path, count }) => `    ${String(count).padStart(6)}  ${shown(path)}\n`),
  ];
  return lines.join("");
}

function causeLines(conflict: FailureJson["conflict"], commit: WhyAnswer["commit"]): string[] {
  if (commit !== undefined) return ["because of\n", `    ${summaryLine(commit)}`];
  if (conflict?.commit === undefined) return ["the commit that changed it could not be told\n"];
  return [`because of\n    @{${String(conflict.commit)}}, which the history has no more\n`];
}

/** Adds `xs why-not`. */
export function addWhyNot(program: Command, context: CliContext): void {
  program
    .command("why-not")
    .summary("tell why a domain was not told of a node by a watch")
    .description(
      "Tells which watches of a domain would fire for a change of the node, as things are now, and what keeps the others from " +
        "it; who was told of its last changes, was refused, or lost the event; and the last commits that changed it. For " +
        "@releaseDomain and @introduceDomain it tells the same of domains that come and go.",
    )
    .argument("<path>", "the node, or a special path such as @releaseDomain")
    .addOption(new Option("--domain <domid>", "who was not told").argParser(parseDomain).makeOptionMandatory())
    .addHelpText("after", exitCodes({ ...ADMIN_EXITS, 2: "a bad command line, or no daemon" }))
    .addHelpText(
      "after",
      examples(["xs why-not /local/domain/7/device/vif/0/state --domain 7", "xs why-not @releaseDomain --domain 7"]),
    )
    .action(async (path: string, { domain }: { readonly domain: number }) => {
      const query: WhyNotQuery = { path: recordedPath(path), domain, branch: context.fork() };
      const answer = await withAdmin(context, (admin) => admin.get<WhyNotAnswer>(FAILURE_ROUTES.whyNot, query));
      await context.io.out(context.isJson() ? jsonLine(answer) : whyNotText(answer, query));
    });
}

function whyNotText(answer: WhyNotAnswer, query: WhyNotQuery): string {
  const { commits, events } = answer;
  const isSpecial = query.path.startsWith("@");
  const lines = [...watchLines(answer, query)];
  lines.push(
    isSpecial ? "\nthe last events about it\n" : "\nthe last events about it, or that the commits below caused\n",
  );
  for (const { seq, connection, watch, token, path, fate } of events) {
    const told = path === query.path ? "" : `, of ${shown(path)}`;
    lines.push(`    @{${String(seq)}}  ${watchText(connection, watch, token)}${told}: ${FATES[fate]}\n`);
  }
  if (events.length === 0) lines.push("    none is remembered\n");
  lines.push(
    isSpecial ? "\nthe commits that caused them\n" : "\nthe last commits that changed it, or what is below it\n",
  );
  lines.push(...commits.map((each) => `    ${summaryLine(each)}`));
  if (commits.length === 0) lines.push("    none\n");
  return lines.join("");
}

function watchText(connection: string, path: string, token: ValueJson, reach = ""): string {
  return `${connection} on ${shown(path)}${reach} with token ${escapeValue(valueFromJson(token))}`;
}

const FATES: Readonly<Record<WhyNotAnswer["events"][number]["fate"], string>> = {
  sent: "sent",
  refused: "refused, it may not know of it",
  collapsed: "left out, an equal event was waiting to be read",
  dropped: "lost, its client had left too much unread, or it was too long",
};

function* watchLines(answer: WhyNotAnswer, { path: asked, domain }: WhyNotQuery): Generator<string> {
  const { exists, connections, watches, watchesElsewhere } = answer;
  const name = `domain ${String(domain)}`;
  if (!exists) yield "there is no such node; what is told of watches is what they would do when it is made\n";
  if (connections === 0) {
    yield `${name} is not connected: it has no watches\n`;
    return;
  }
  const place = asked.startsWith("@") ? "on it" : "at or above this node";
  const elsewhere = `${String(watchesElsewhere)} elsewhere`;
  if (watches.length === 0) yield `${name} has no watch ${place} (${elsewhere})\n`;
  else yield `${name} has ${String(watches.length)} ${place} (${elsewhere})\n`;
  for (const { connection, path, token, depth, obstacle } of watches) {
    const reach = depth === undefined ? "" : `, ${String(depth)} deep`;
    const does = obstacleText(obstacle, { exists, isSpecial: asked.startsWith("@") });
    yield `    ${watchText(connection, path, token, reach)}: ${does}\n`;
  }
}

function obstacleText(
  obstacle: WhyNotAnswer["watches"][number]["obstacle"],
  { exists, isSpecial }: { readonly exists: boolean; readonly isSpecial: boolean },
): string {
  switch (obstacle) {
    case undefined:
      return exists ? "it fires" : "it would fire";
    case "depth":
      return "it does not reach so deep";
    case "perms":
      if (isSpecial) return "it is refused, the domain may not read this";
      return exists
        ? "it is refused, the domain may read neither the node nor its parent"
        : "it would be refused, the domain may not read the node above, whose perms this one would have";
    case "length":
      return "it is lost, the path and the token do not fit a message";
  }
}
