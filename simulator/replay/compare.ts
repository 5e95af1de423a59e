/**
 * Comparing an answer with that in the trace.
 *
 * Owns which differences say something about the daemon, and which come from what no replay can repeat.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { directoryPartReply, directoryReply } from "../../protocol/payload.js";
import type { TracedReply, TracedRequest } from "../../protocol/request-trace.js";
import type { Answer } from "./raw-session.js";

/** A difference that says something: another error, a success instead of one or the reverse; other data; no answer at all. */
export const DIFFERENCE_KINDS = ["error", "data", "lost"] as const;
/** See `DIFFERENCE_KINDS`. */
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

/** Differences that are harmless, with what they are for people. */
export const HARMLESS_KINDS = {
  transactionId: "another transaction id",
  order: "the same children in another order",
  generation: "another generation count of DIRECTORY_PART",
  conflict: "EAGAIN for another transaction; what it wrote was written again",
  race: "another connection changed the same place at the same time",
  shared: "a node that all copies share",
  controlText: "another text of a CONTROL command that reports",
  privilege: "a guest's request, which the one socket cannot tell from dom0's",
} as const;
/** See `HARMLESS_KINDS`. */
export type HarmlessKind = keyof typeof HARMLESS_KINDS;

/** What two answers have in common: nothing to tell, something harmless, or a difference. */
export type Comparison = "same" | HarmlessKind | DifferenceKind;

/** CONTROL commands whose reply is about the daemon itself and may be anything. */
const REPORTS: ReadonlySet<ByteString> = new Set([
  "check",
  "compact",
  "conflicts",
  "help",
  "history",
  "log",
  "logfile",
  "memreport",
  "print",
  "quota",
]);

/** Compares what came with what the trace has; `undefined` is a reply that was redacted, which any success equals. */
export function compareAnswers(
  { operation }: Pick<TracedRequest, "operation">,
  payload: ByteString,
  { expected, got }: { readonly expected: TracedReply | undefined; readonly got: Answer },
): Comparison {
  if (typeof got === "object" && "lost" in got) return "lost";
  if (expected === undefined) return typeof got === "object" ? "error" : "same";
  if (typeof expected === "object" || typeof got === "object") {
    const [left, right] = [expected, got].map((each) => (typeof each === "object" ? each.error : "success"));
    if (left === right) return "same";
    return operation === "TRANSACTION_END" && (left === "EAGAIN" || right === "EAGAIN") ? "conflict" : "error";
  }
  if (expected === got) return "same";
  return compareData(operation, payload, { expected, got });
}

function compareData(
  operation: TracedRequest["operation"],
  payload: ByteString,
  { expected, got }: { readonly expected: ByteString; readonly got: ByteString },
): Comparison {
  if (operation === "TRANSACTION_START") return "transactionId";
  if (operation === "DIRECTORY") {
    return haveSameNames(directoryReply.parse(expected), directoryReply.parse(got)) ? "order" : "data";
  }
  if (operation === "DIRECTORY_PART") {
    const [left, right] = [directoryPartReply.parse(expected), directoryPartReply.parse(got)];
    if (left?.last !== right?.last || !haveSameNames(left?.names, right?.names)) return "data";
    return left?.names.join("/") === right?.names.join("/") ? "generation" : "order";
  }
  const isReport = operation === "CONTROL" && REPORTS.has(payload.split("\0")[0] ?? "");
  return isReport ? "controlText" : "data";
}

function haveSameNames(left: readonly ByteString[] | undefined, right: readonly ByteString[] | undefined): boolean {
  if (left === undefined || right === undefined) return false;
  return left.length === right.length && [...left].sort().join("\0") === [...right].sort().join("\0");
}

/** Whether a comparison is a difference that counts. */
export function isDifference(comparison: Comparison): comparison is DifferenceKind {
  return (DIFFERENCE_KINDS as readonly string[]).includes(comparison);
}
