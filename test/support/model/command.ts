/**
 * Random traffic, as commands of five small numbers.
 *
 * Owns what the numbers mean. The alphabets are small on purpose, so that clients collide; numbers shrink well, and a
 * command that cannot apply (a guest that is not introduced, a transaction that is not open) does the next best thing, so
 * that a shrunk sequence stays meaningful.
 */
import * as fc from "fast-check";
import type { Domid } from "../../../protocol/identifiers.js";
import type { OperationName } from "../../../protocol/operation.js";
import { operationNamed } from "../../../protocol/operation.js";
import { REQUEST_CODECS, type RequestPayloads } from "../../../protocol/payload.js";
import { parsePerms, type Perms } from "../../../protocol/perms.js";

/** A command: action, client, path, and two numbers whose meaning depends on the action. */
export type Command = readonly [action: string, client: number, path: number, detail: number, transaction: number];

/** What a command does. */
export type Act =
  | { readonly kind: "end tick" }
  /** Ends the tick as the server does when the journal cannot be written. */
  | { readonly kind: "fail tick" }
  | { readonly kind: "disconnect" }
  /** Removes one of the watches that the client has. */
  | { readonly kind: "unwatch"; readonly watch: number }
  | { readonly kind: "send"; readonly type: number; readonly payload: string; readonly tx: TransactionChoice };

/** Which transaction a message names: none, one of those that are open, or one that is not. */
export type TransactionChoice = "none" | "unknown" | { readonly open: number };

/** Whom the clients speak for, two of them for dom0 and two for domain 1. */
export const CLIENT_DOMIDS = [0, 1, 2, 3, 0, 1] as const;

const PATHS = [
  "/a",
  "/a/b",
  "/a/b/c",
  "/a/d",
  "/a/d/e",
  "/",
  "/local/domain/1",
  "/local/domain/1/a",
  "/local/domain/1/a/b",
  "/local/domain/2",
  "/local/domain/2/a",
  "/local/domain/3/__proto__",
  "a",
  "a/b",
  "/local/domain",
  "/f",
] as const;

/** So many of the paths are used by runs with a subject. */
const FEW_PATHS = 9;

const BAD_PATHS = [
  "",
  "//",
  "/a/",
  "/a//b",
  "/a b",
  "@a",
  "/\u00e9",
  `/${"x".repeat(3072)}`,
  "a/",
  "@ ",
  "y".repeat(2049),
];
const SPECIAL_PATHS = ["@releaseDomain", "@introduceDomain", "@releaseDomain/1", "@releaseDomain/2"] as const;
const VALUES = ["", "v", "w", "0123456789", "01234567890123456789012345", "\0\u00ff"] as const;
const DOMIDS = [1, 2, 3, 0, 7] as const;
const TOKENS = ["t", "u", ""] as const;
const QUOTAS = ["nodes", "watches", "transactions", "transaction-nodes", "node-size", "permissions"] as const;

const PERMS: readonly Perms[] = [
  ["n1"],
  ["b0"],
  ["n0"],
  ["r1"],
  ["n1", "r2"],
  ["n2", "b1"],
  ["b2"],
  ["n3", "r1", "w2"],
  ["n1", "r7", "b3"],
  ["r0", "n1", "b1"],
  ["w0", "r2", "b3", "n1"],
  ["n2", "r9"],
].map((texts) => parsePerms(texts) as Perms);

/** Actions and how often they come; the simplest first. */
const ACTIONS: readonly (readonly [name: string, weight: number])[] = [
  ["end tick", 8],
  ["READ", 5],
  ["WRITE", 9],
  ["RM", 5],
  ["MKDIR", 3],
  ["DIRECTORY", 3],
  ["SET_PERMS", 5],
  ["GET_PERMS", 2],
  ["DIRECTORY_PART", 2],
  ["WATCH", 6],
  ["UNWATCH", 2],
  ["TRANSACTION_START", 5],
  ["TRANSACTION_END", 6],
  ["INTRODUCE", 2],
  ["RELEASE", 1],
  ["SET_TARGET", 2],
  ["SET_QUOTA", 2],
  ["special WATCH", 2],
  ["special SET_PERMS", 1],
  ["special GET_PERMS", 1],
  ["shut down", 1],
  ["destroy", 1],
  ["RESUME", 1],
  ["RESET_WATCHES", 1],
  ["check", 1],
  ["IS_DOMAIN_INTRODUCED", 1],
  ["GET_DOMAIN_PATH", 1],
  ["GET_FEATURE", 1],
  ["SET_FEATURE", 1],
  ["GET_QUOTA", 1],
  ["disconnect", 1],
  ["bad path", 1],
  ["bad payload", 1],
];

/** What a run is about: everything, or a few things that then meet more often. */
const SUBJECTS: readonly (readonly string[] | undefined)[] = [
  undefined,
  ["end tick", "READ", "WRITE", "RM", "MKDIR", "DIRECTORY", "DIRECTORY_PART", "SET_PERMS", "TRANSACTION_START"].concat([
    "TRANSACTION_END",
    "special SET_PERMS",
    "SET_QUOTA",
    "SET_TARGET",
  ]),
  ["end tick", "WRITE", "RM", "MKDIR", "SET_PERMS", "WATCH", "UNWATCH", "TRANSACTION_START"].concat([
    "TRANSACTION_END",
    "RESET_WATCHES",
    "INTRODUCE",
  ]),
  ["end tick", "WRITE", "SET_PERMS", "special WATCH", "special SET_PERMS", "INTRODUCE", "RELEASE", "SET_TARGET"].concat(
    ["shut down", "destroy", "RESUME", "SET_FEATURE", "READ", "WATCH"],
  ),
];

/** How a run is made. */
export interface RunOptions {
  readonly commandsMax: number;
  /** Whether ticks fail now and then, because their commits could not be written. */
  readonly withFailures: boolean;
}

/** Makes the commands of a run. */
export function runArbitrary({ commandsMax, withFailures }: RunOptions): fc.Arbitrary<Command[]> {
  const failures: readonly (readonly [string, number])[] = withFailures ? [["fail tick", 6]] : [];
  const runs = SUBJECTS.map((subject) => {
    const actions = ACTIONS.filter(([name]) => subject === undefined || subject.includes(name)).concat(failures);
    const paths = subject === undefined ? PATHS.length : FEW_PATHS;
    const command: fc.Arbitrary<Command> = fc.tuple(
      fc.constantFrom(...actions.flatMap(([name, weight]) => Array.from({ length: weight }, () => name))),
      fc.nat(CLIENT_DOMIDS.length - 1),
      fc.nat(paths - 1),
      fc.nat(59),
      fc.nat(9),
    );
    return fc.array(command, { maxLength: commandsMax, size: "max" });
  });
  return fc.oneof(...runs);
}

function pick<T>(from: readonly T[], number: number): T {
  return from[number % from.length] as T;
}

/** What a command means. */
export function actOf(command: Command): Act {
  const [name, , pathNumber, detail, transaction] = command;
  if (name === "end tick" || name === "fail tick" || name === "disconnect") return { kind: name };
  const tx: TransactionChoice = transaction === 9 ? "unknown" : transaction < 4 ? "none" : { open: transaction - 4 };
  if (name === "UNWATCH" && detail % 4 !== 0) return { kind: "unwatch", watch: detail };
  const send = <Name extends OperationName>(operation: Name, request: RequestPayloads[Name]): Act => ({
    kind: "send",
    type: operationNamed(operation).number,
    payload: REQUEST_CODECS[operation].serialize(request),
    tx: operation === "TRANSACTION_END" && tx === "none" ? { open: transaction } : tx,
  });
  const raw = (type: number, payload: string): Act => ({ kind: "send", type, payload, tx });
  return treeAct(name, pick(PATHS, pathNumber), detail, send) ?? otherAct(name, { pathNumber, detail, send, raw });
}

type Send = <Name extends OperationName>(operation: Name, request: RequestPayloads[Name]) => Act;

function treeAct(name: string, path: string, detail: number, send: Send): Act | undefined {
  switch (name) {
    case "READ":
    case "DIRECTORY":
    case "GET_PERMS":
    case "MKDIR":
    case "RM":
      return send(name, { path });
    case "DIRECTORY_PART":
      return send(name, { path, offset: pick([0, 2, 1, 100], detail) });
    case "WRITE":
      return send(name, { path, value: pick(VALUES, detail) });
    case "SET_PERMS":
      return send(name, { path, perms: pick(PERMS, detail) });
    case "WATCH": {
      const token = pick(TOKENS, detail);
      return detail < 36 ? send(name, { path, token }) : send(name, { path, token, depth: detail % 4 });
    }
    case "UNWATCH":
      return send(name, { path, token: pick(TOKENS, detail) });
    default:
      return undefined;
  }
}

function otherAct(
  name: string,
  how: {
    readonly pathNumber: number;
    readonly detail: number;
    readonly send: Send;
    readonly raw: (type: number, payload: string) => Act;
  },
): Act {
  const { pathNumber, detail, send, raw } = how;
  const domid = pick(DOMIDS, detail) as Domid;
  switch (name) {
    case "special WATCH": {
      const path = pick(SPECIAL_PATHS, pathNumber);
      return send("WATCH", detail < 30 ? { path, token: "s" } : { path, token: "s", depth: detail % 3 });
    }
    case "special SET_PERMS":
      return send("SET_PERMS", { path: pick(SPECIAL_PATHS.slice(0, 2), pathNumber), perms: pick(PERMS, detail) });
    case "special GET_PERMS":
      return send("GET_PERMS", { path: pick(SPECIAL_PATHS.slice(0, 2), pathNumber) });
    case "TRANSACTION_START":
    case "RESET_WATCHES":
      return send(name, {});
    case "TRANSACTION_END":
      return detail < 3 ? raw(7, pick(["", "T", "T\0\0"], detail)) : send(name, { commit: detail % 6 !== 0 });
    case "INTRODUCE":
      return send(name, { domid, gfn: detail % 7, port: detail < 55 ? 1 + (detail % 3) : 0 });
    case "RELEASE":
    case "RESUME":
    case "IS_DOMAIN_INTRODUCED":
    case "GET_DOMAIN_PATH":
      return send(name, { domid });
    case "SET_TARGET":
      return send(name, { domid, target: pick(DOMIDS, pathNumber) as Domid });
    case "GET_FEATURE":
      return send(name, detail < 10 ? {} : { domid });
    case "SET_FEATURE":
      return send(name, { domid, features: pick([4, 0, 8], pathNumber) });
    case "GET_QUOTA":
      return send(name, detail < 5 ? {} : { domid, quota: pick(QUOTAS, pathNumber) });
    case "SET_QUOTA": {
      const quota = pick(QUOTAS, pathNumber);
      const value = quota === "node-size" ? (detail % 4) * 16 : detail % 6;
      return detail < 20
        ? send(name, { quota, value })
        : send(name, { domid: pick([1, 2, 3], detail) as Domid, quota, value });
    }
    case "check":
      return send("CONTROL", { command: "check", parameters: [] });
    case "shut down":
    case "destroy":
      return send("CONTROL", {
        command: "domain",
        parameters: [name === "destroy" ? "destroy" : "shutdown", String(domid)],
      });
    case "bad path":
      return raw(
        pick([2, 1, 3, 11, 12, 13, 4, 14], detail),
        `${pick(BAD_PATHS, pathNumber)}\0${detail % 8 === 6 ? "t\0" : detail % 8 === 7 ? "n1\0" : ""}`,
      );
    case "bad payload":
      return raw(
        detail % 30,
        pick(["", "\0", "/a", "/a\0b\0c\0d\0", "x\0y\0", "\0\0", "/a\0n1", "/a\0x1\0"], pathNumber),
      );
    default:
      throw new Error(`${name} is no action`);
  }
}
