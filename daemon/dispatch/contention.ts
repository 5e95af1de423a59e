/**
 * Contention: which connections' transactions stand in each other's way, and about which path.
 *
 * Owns what the core tells of that to whoever decides when a transaction starts (`server/turnstile.ts`); it decides nothing
 * itself, and nothing that clients are answered depends on it.
 */
import { isAtOrBelow, parentPath } from "../../protocol/path.js";
import type { Path } from "../../protocol/identifiers.js";
import type { Connection } from "../connection/connection.js";
import type { Commit } from "../store/commit.js";
import type { Transaction } from "../store/transaction.js";

/** One transaction has made another one fail. */
export interface Contention {
  /** Whose transaction ended in EAGAIN. */
  readonly connection: Connection;
  /** Whose transaction was committed before it, if it was a transaction and its connection is there still. */
  readonly culprit: Connection | undefined;
  /** Where the first answer was no longer the same. */
  readonly path: string;
}

/**
 * Whether a transaction may stand in the way of others that ask about a path, or they in its: it asked about the path, or its
 * commit changed what that answers. Worked example: for the path /local/domain, to list that directory does, and to write
 * /local/domain/7/name where there was no domain 7; to write that once more does not.
 */
export function isAbout(path: string, { log }: Pick<Transaction, "log">, commit: Commit | undefined): boolean {
  if (log.some(({ request }) => request.path === path)) return true;
  return commit?.changes.some((change) => change.kind === "node" && isTouched(path, change.path)) === true;
}

/** Whether a change of a node may change what is answered about `path`. */
function isTouched(path: string, changed: Path): boolean {
  return parentPath(changed) === path || isAtOrBelow(path, changed);
}
