/**
 * What is told of a change that the core made, or would not make.
 */
import type { CommitSummaryJson } from "../../protocol/http-api/commit.js";
import { ConflictError } from "../../protocol/http-api/history-queries.js";
import type { Seq } from "../../protocol/identifiers.js";
import { summaryJson } from "../history/query/commit-json.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import { refOfBranch } from "../history/query/refs.js";
import { linkOf } from "./branch-link.js";
import type { ConsolePorts } from "./console-ports.js";

/** The commit that was made; undefined where the history cannot be brought so far. */
export async function madeCommit(
  ports: Pick<ConsolePorts, "daemon" | "history">,
  { branch, seq }: { readonly branch: string; readonly seq: Seq },
): Promise<CommitSummaryJson | undefined> {
  await linkOf(ports, branch).ask("flush", undefined);
  const commit = ports.history.view().commitWithSeq(refOfBranch(branch), seq);
  return commit === undefined ? undefined : summaryJson(summarizeCommit(commit));
}

/** @param error - with which the daemon refuses commits */
export function refusedChange(error: string): ConflictError {
  return new ConflictError(`the daemon accepts no changes now (${error}); its log says why`, []);
}
