/**
 * A commit in a line: what lists of commits tell of each.
 */
import type { Domid, Microseconds, Seq, TxId } from "../../../protocol/identifiers.js";
import { hexFromOid } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";

/** A commit without its changes. What its trailers do not say, as those of a foreign commit, is undefined. */
export interface CommitSummary {
  /** In hexadecimal. */
  readonly oid: string;
  readonly seq: Seq | undefined;
  readonly time: Microseconds | undefined;
  readonly domain: Domid | undefined;
  readonly connection: string | undefined;
  readonly transaction: TxId | undefined;
  readonly subject: string;
}

/** What a list tells of a commit. */
export function summarizeCommit({ oid, commit }: FoundCommit): CommitSummary {
  const { seq, time, domain, connection, transaction } = commit.trailers;
  return { oid: hexFromOid(oid), seq, time, domain, connection, transaction, subject: commit.subject };
}
