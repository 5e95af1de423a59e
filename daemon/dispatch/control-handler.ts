/**
 * The handler of CONTROL: what an operator asks of the daemon.
 *
 * Owns the table of commands; `help` is made from it. Replies are text for people, cut to fit a message. An unknown command
 * or bad parameters are EINVAL, as in C.
 */
import { bytesFromText, flattenBytes, textFromBytes } from "../../protocol/bytes.js";
import { parseDecimal, parseDomid } from "../../protocol/identifiers.js";
import { XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import { REQUEST_CODECS } from "../../protocol/payload.js";
import { QUOTA_NAMES } from "../store/quota.js";
import { defaultQuota, quotaOf } from "../store/quota-limit.js";
import type { Call, Handler } from "./call.js";
import { coreFigures } from "./core-figures.js";
import { destroyDomain, shutDownDomain } from "./domain-handlers.js";
import { DEFERRED, fail, OK, type Outcome } from "./outcome.js";
import { setQuota } from "./quota-handlers.js";
import type { CoreState, WaitingRequest } from "./state.js";
import { transactionsHeld } from "./transaction-handlers.js";
import { watchesHeld } from "./watch-handlers.js";

interface Command {
  readonly usage: string;
  readonly purpose: string;
  run(call: Call, parameters: readonly string[]): Outcome;
}

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["check", { usage: "check", purpose: "recount nodes, perms, watches and transactions, and compare", run: check }],
  ["compact", { usage: "compact REV", purpose: "drop the history before a commit, then answer", run: compact }],
  ["conflicts", { usage: "conflicts", purpose: "why the last transactions ended in EAGAIN", run: conflicts }],
  ["domain", { usage: "domain shutdown|destroy DOMID", purpose: "what a hypervisor would report", run: domain }],
  ["flush", { usage: "flush", purpose: "write all history to Git, then answer", run: flush }],
  ["help", { usage: "help", purpose: "list the commands", run: help }],
  ["history", { usage: "history", purpose: "tip, beginning and lag of the Git history", run: history }],
  ["log", { usage: "log on|off", purpose: "turn the access log on or off", run: log }],
  ["memreport", { usage: "memreport", purpose: "memory of the daemon", run: memoryReport }],
  ["print", { usage: "print TEXT", purpose: "write a line to the daemon's log", run: print }],
  ["quota", { usage: "quota [set NAME VALUE | DOMID]", purpose: "show or change quotas", run: quota }],
]);

/** CONTROL. */
export const handleControl: Handler = (call) => {
  const request = REQUEST_CODECS.CONTROL.parse(call.payload);
  if (request === undefined) return fail("EINVAL");
  const command = COMMANDS.get(request.command);
  return command === undefined ? fail("EINVAL") : command.run(call, request.parameters);
};

/** A reply of text that fits a message, with its NUL. */
function text(content: string): string {
  const bytes = bytesFromText(content);
  if (bytes.length < XENSTORE_PAYLOAD_MAX) return `${bytes}\0`;
  const mark = "...\n";
  return `${bytes.slice(0, XENSTORE_PAYLOAD_MAX - mark.length - 1)}${mark}\0`;
}

function help(): Outcome {
  return text([...COMMANDS.values()].map(({ usage, purpose }) => `${usage.padEnd(32)} ${purpose}\n`).join(""));
}

/** Answers OK, or what is wrong; a discrepancy is a mistake in the daemon, so it is logged too. */
function check({ state }: Call): Outcome {
  const problems = state.store.accounts.verify(state.store.root);
  let watches = 0;
  for (const connection of state.connections) watches += connection.watches.size;
  if (watches !== state.watches.count) {
    problems.push(`${String(watches)} watches on connections, ${String(state.watches.count)} in the table`);
  }
  for (const problem of problems) state.ports.log("error", problem, `check: ${problem}`);
  return problems.length === 0 ? OK : text(problems.map((problem) => `${problem}\n`).join(""));
}

function conflicts({ state }: Call): Outcome {
  const lines = state.conflicts.toReversed().map((conflict) => {
    const { connection, transaction, base, operation, path, commit, culprit } = conflict;
    const cause =
      commit === undefined ? "a commit that cannot be told" : `commit ${String(commit)} of dom${String(culprit)}`;
    const who = `${connection} transaction ${String(transaction)} based on ${String(base)}`;
    return `${who}: ${operation} ${textFromBytes(path)} was changed by ${cause}\n`;
  });
  return text(lines.join(""));
}

function domain(call: Call, parameters: readonly string[]): Outcome {
  const [event, name, ...rest] = parameters;
  const domid = parseDomid(name ?? "");
  if (domid === undefined || rest.length > 0) return fail("EINVAL");
  if (event === "shutdown") return shutDownDomain(call.state, call.connection, domid);
  if (event === "destroy") return destroyDomain(call.state, call.connection, domid);
  return fail("EINVAL");
}

/** REV is a tag, a branch, an object id, or `@{N}`: the commit with the sequence number N. */
function compact(call: Call, parameters: readonly string[]): Outcome {
  const [revision] = parameters;
  if (revision === undefined || revision === "" || parameters.length !== 1) return fail("EINVAL");
  call.state.effects.push({
    kind: "compact-history",
    revision: textFromBytes(revision),
    waiting: letWait(call),
  });
  return DEFERRED;
}

function flush(call: Call): Outcome {
  call.state.effects.push({ kind: "flush-history", waiting: letWait(call) });
  return DEFERRED;
}

/** Nothing more of the connection is dispatched until the request is answered. */
function letWait({ state, connection, message }: Call): WaitingRequest {
  const { type, requestId, txId } = message;
  const payload = flattenBytes(message.payload);
  connection.waiting = true;
  state.undo.push(() => {
    connection.waiting = false;
  });
  return { connection, type, requestId, txId, payload, asked: state.now };
}

function history({ state }: Call): Outcome {
  return text(state.ports.describeHistory());
}

function log({ state }: Call, parameters: readonly string[]): Outcome {
  const [setting] = parameters;
  if (parameters.length !== 1 || (setting !== "on" && setting !== "off")) return fail("EINVAL");
  state.ports.setAccessLog(setting === "on");
  return OK;
}

function memoryReport({ state }: Call): Outcome {
  const figures = coreFigures(state);
  const { turns } = figures;
  const counts: readonly (readonly [string, number])[] = [
    ["nodes", figures.nodes],
    ["domains", figures.domains],
    ["connections", figures.dom0Connections + figures.guestConnections],
    ["watches", figures.watches],
    ["transactions", figures.transactions],
    ["transaction log bytes", figures.transactionLogBytes],
    ["unread output bytes", figures.outboxBytes],
    ["events dropped for clients that are connected", figures.droppedEvents],
    ["events collapsed for clients that are connected", figures.collapsedEvents],
    ["contended transactions that wait for their turn", turns.waiting],
    ["turns of contended transactions", turns.turns],
    ["waits for a turn", turns.waits],
    ["waits for a turn that were ended", turns.waitsEnded],
    ["turns lost by who was slow", turns.turnsLost],
    ["longest wait for a turn, in milliseconds", Math.round(turns.longestWaitMilliseconds)],
  ];
  const lines = counts.map(([name, count]) => `${name}: ${String(count)}\n`).join("");
  return text(`${lines}${state.ports.describeMemory()}`);
}

function print({ state }: Call, parameters: readonly string[]): Outcome {
  if (parameters.length !== 1) return fail("EINVAL");
  const line = `control: ${textFromBytes(parameters[0] ?? "")}`;
  state.ports.log("info", line, line);
  return OK;
}

function quota(call: Call, parameters: readonly string[]): Outcome {
  const { state } = call;
  const [first, name, value] = parameters;
  if (first === undefined) {
    return text(QUOTA_NAMES.map((each) => quotaLine(each, defaultQuota(state.store.root, each))).join(""));
  }
  if (first === "set" && parameters.length === 3) {
    const parsed = parseDecimal(value ?? "");
    return parsed === undefined
      ? fail("EINVAL")
      : setQuota(state, call.connection, { quota: name ?? "", value: parsed });
  }
  const domid = parseDomid(first);
  if (domid === undefined || parameters.length !== 1) return fail("EINVAL");
  return text(describeDomain(state, domid));
}

function quotaLine(name: string, value: number): string {
  return `${name.padEnd(18)} ${value === 0 ? "unlimited" : String(value)}\n`;
}

function describeDomain(state: CoreState, domid: NonNullable<ReturnType<typeof parseDomid>>): string {
  const { accounts, root } = state.store;
  const held = [
    `nodes held: ${String(accounts.nodesOwned(domid))}`,
    `watches held: ${String(watchesHeld(state, domid))}`,
    `transactions held: ${String(transactionsHeld(state, domid))}`,
  ];
  const limits = QUOTA_NAMES.map((each) => quotaLine(each, quotaOf(root, domid, each)));
  return `domain ${String(domid)}\n${held.join("\n")}\n${limits.join("")}`;
}
