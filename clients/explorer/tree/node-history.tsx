/**
 * The commits that changed a node or something below it, newest first.
 */
import type { JSX } from "preact";
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import { ask } from "../api/client.js";
import { useLatest } from "../api/use-latest.js";
import { Trouble } from "../shell/trouble.js";
import { CommitLink } from "../commit/commit-link.js";

const COMMITS_SHOWN = 20;

/** The list. */
export function NodeHistory({
  commit,
  path,
}: {
  readonly commit: CommitSummaryJson;
  readonly path: string;
}): JSX.Element {
  const { answer, error } = useLatest(`${commit.oid} ${path}`, (ended) =>
    ask("log", { to: commit.oid, path, limit: COMMITS_SHOWN }, ended),
  );
  const shown = error === undefined ? answer : undefined;
  return (
    <>
      <Trouble error={error} />
      <ol class="commits">
        {shown?.commits.map((each) => (
          <li key={each.oid}>
            <CommitLink commit={each} path={path} />
          </li>
        ))}
      </ol>
      {shown?.commits.length === 0 && <p class="muted">No commit up to this moment changed it.</p>}
      {shown?.next !== undefined && <p class="muted">There are earlier ones: go back in time to see them.</p>}
    </>
  );
}
