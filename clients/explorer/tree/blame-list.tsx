/**
 * The node and all below it, each with the last commit that changed it.
 */
import type { JSX } from "preact";
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import { ask } from "../api/client.js";
import { useLatest } from "../api/use-latest.js";
import { linkTo } from "../shell/navigation.js";
import { Trouble } from "../shell/trouble.js";
import { VirtualList } from "../shell/virtual-list.js";
import { commitNumber } from "../words/commits.js";
import { domainInWords } from "../words/perms.js";
import { timeInWords } from "../words/times.js";

/** The list. */
export function BlameList({
  commit,
  path,
}: {
  readonly commit: CommitSummaryJson;
  readonly path: string;
}): JSX.Element {
  const { answer, error, isLoading } = useLatest(`${commit.oid} ${path}`, (ended) =>
    ask("blame", { at: commit.oid, path }, ended),
  );
  const { nodes = [], commits = [] } = (error === undefined ? answer : undefined) ?? {};
  return (
    <>
      <Trouble error={error} />
      <VirtualList
        class="blame mono"
        role="list"
        aria-label="Nodes with their last commits"
        aria-busy={isLoading}
        tabIndex={0}
        count={nodes.length}
        row={(index) => {
          const node = nodes[index];
          return node && <BlameRow key={node.path} path={node.path} commit={commits[node.commit ?? -1]} />;
        }}
      />
    </>
  );
}

function BlameRow({
  path,
  commit,
}: {
  readonly path: string;
  readonly commit: CommitSummaryJson | undefined;
}): JSX.Element {
  return (
    <div class="row" role="listitem">
      {commit === undefined ? (
        <span class="muted">before the history begins</span>
      ) : (
        <>
          <a href={linkTo("commit", { revision: commit.oid })}>{commitNumber(commit)}</a>
          <span class="muted">{timeInWords(commit.time)}</span>
          <span>{commit.domain === undefined ? "" : domainInWords(commit.domain)}</span>
        </>
      )}
      <span class="text">{path}</span>
    </div>
  );
}
