/**
 * A commit in a line.
 */
import type { JSX } from "preact";
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import { linkTo } from "../shell/navigation.js";
import { commitNumber } from "../words/commits.js";
import { timeInWords } from "../words/times.js";

/** The line, with links to the commit and to the tree as it left it. @param path - what the tree is opened at */
export function CommitLink({
  commit,
  path,
}: {
  readonly commit: CommitSummaryJson;
  readonly path?: string | undefined;
}): JSX.Element {
  const { oid: revision } = commit;
  return (
    <span class="commit-line">
      <a href={linkTo("commit", { revision })}>{commitNumber(commit)}</a>{" "}
      <a href={linkTo("tree", { at: revision, path })} title="the tree at this moment">
        {timeInWords(commit.time)}
      </a>{" "}
      <span>{commit.subject}</span>
    </span>
  );
}
