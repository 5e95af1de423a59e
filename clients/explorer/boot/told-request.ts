/**
 * Requests as commits and the trace tell them.
 *
 * Owns the reading of both: the lines of a commit's message (`WRITE /a "b"`, see daemon/history/object/commit-object.ts) and the payloads of
 * the wire, whose parts end in NUL. Relative paths become those that they stand for.
 */
import type { TraceRequestJson } from "../../../protocol/http-api/trace.js";
import { OPERATIONS } from "../../../protocol/operation.js";

/** What was asked, of what. */
export interface ToldRequest {
  readonly operation: string;
  /** An absolute path, `@releaseDomain` or the like, or a domain's number; empty where it is about nothing in particular. */
  readonly subject: string;
  /** The value of a WRITE, the perms of a SET_PERMS, the token of a WATCH; perhaps its beginning only. */
  readonly detail: string;
}

const LINE = /^([A-Z_]+)(?: (\S+))?(?: (.*))?$/s;
const QUOTED = /^"(.*)"(\.\.\. \(\d+ bytes\))?$/s;
const NUL = "\0";

const PATH_OPERATIONS: ReadonlySet<string> = new Set(
  OPERATIONS.filter(({ request }) => /^<w?path>/.test(request)).map(({ name }) => name),
);
const CHANGING_OPERATIONS: ReadonlySet<string> = new Set([
  ...OPERATIONS.filter(({ mutates, privilege }) => mutates && privilege === "dom0").map(({ name }) => name),
  ...["WRITE", "MKDIR", "RM", "SET_PERMS"],
]);

/** Whether a request of this kind changes what is stored. That of a TRANSACTION_END depends on its commit. */
export function changesStore(operation: string): boolean {
  return CHANGING_OPERATIONS.has(operation);
}

/** Whether a request of this kind is about a node. */
export function isAboutPath(operation: string): boolean {
  return PATH_OPERATIONS.has(operation);
}

/** The request that a line of a commit's message tells; undefined for one that tells of none. */
export function requestOfLine(line: string): ToldRequest | undefined {
  const [, operation, subject = "", detail = ""] = LINE.exec(line) ?? [];
  if (operation === undefined) return undefined;
  const [, value, cut] = operation === "WRITE" ? (QUOTED.exec(detail) ?? []) : [];
  return { operation, subject, detail: value === undefined ? detail : `${value}${cut === undefined ? "" : "…"}` };
}

/** The request that a line of the trace tells. */
export function requestOfTrace({ operation, payload = "", domain }: TraceRequestJson): ToldRequest {
  const [first = "", ...others] = payload.split(NUL);
  const subject = PATH_OPERATIONS.has(operation) ? absolutePath(first, domain) : first;
  const rest = operation === "WRITE" ? others.join(NUL) : others.filter((part) => part !== "").join(" ");
  if (operation === "TRANSACTION_START") return { operation, subject: "", detail: "" };
  if (operation === "TRANSACTION_END") return { operation, subject: "", detail: first };
  return { operation, subject, detail: rest };
}

/** The path that a connection of a domain means. */
export function absolutePath(path: string, domain: number): string {
  return path === "" || path.startsWith("/") || path.startsWith("@") ? path : `/local/domain/${String(domain)}/${path}`;
}
