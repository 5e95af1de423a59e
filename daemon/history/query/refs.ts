/**
 * Branches and tags, with the commits that they name.
 */
import type { RefJson, RefsJson } from "../../../protocol/http-api/history-queries.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { ifPresent, peel } from "../repository/peel.js";
import type { Ref } from "../repository/ref-store.js";
import { summaryJson } from "./commit-json.js";
import { summarizeCommit } from "./commit-summary.js";
import type { HistoryView } from "./history.js";

export { MAIN_BRANCH, MAIN_REF, refOfBranch } from "../repository/layout.js";

const BRANCH_PREFIX = "refs/heads/";
export const TAG_PREFIX = "refs/tags/";

/** All branches and tags, by name. A tag of something else than a commit, or of one that is gone, is left out. */
export function listRefs(view: HistoryView): RefsJson {
  return { branches: refsBelow(view, BRANCH_PREFIX), tags: refsBelow(view, TAG_PREFIX) };
}

/** Whether a branch ends with a commit: where the history is behind, there may be newer ones. */
export function isTip({ refs }: HistoryView, { oid }: FoundCommit): boolean {
  return refs.some((ref) => ref.oid === oid && ref.name.startsWith(BRANCH_PREFIX));
}

function refsBelow(view: HistoryView, prefix: string): RefJson[] {
  return view.refs.flatMap((ref) => {
    if (!ref.name.startsWith(prefix)) return [];
    const commit = commitOf(view, ref);
    return commit === undefined ? [] : [{ name: ref.name.slice(prefix.length), ...commit }];
  });
}

function commitOf(view: HistoryView, { oid, name }: Ref): ReturnType<typeof summaryJson> | undefined {
  return ifPresent(() => {
    const { type, oid: peeled } = peel(view.reader, { name, oid });
    return type === "commit" ? summaryJson(summarizeCommit(view.commit(peeled))) : undefined;
  });
}
