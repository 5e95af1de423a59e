/**
 * What the commit of the moment changed.
 */
import type { JSX } from "preact";
import { ChangeList } from "../commit/change-list.js";
import { nameOf, type Moment } from "../shell/moment.js";
import { linkTo } from "../shell/navigation.js";
import { counted } from "../words/times.js";

const CHANGES_SHOWN = 50;

/** The panel. */
export function ChangedNodes({ commit }: { readonly commit: Moment }): JSX.Element {
  const { changes } = commit;
  return (
    <section class="panel">
      <h2>
        Changed at this moment{" "}
        <a href={linkTo("commit", { revision: nameOf(commit) })}>
          {commit.seq === undefined ? commit.oid.slice(0, 12) : `commit ${String(commit.seq)}`}
        </a>
      </h2>
      {changes === undefined ? (
        <p class="muted">What was before this commit has been given up.</p>
      ) : (
        <>
          <ChangeList changes={changes.slice(0, CHANGES_SHOWN)} at={nameOf(commit)} />
          {changes.length > CHANGES_SHOWN && (
            <p class="muted">
              and {counted(changes.length - CHANGES_SHOWN, "more change", "more changes")}: see the commit
            </p>
          )}
        </>
      )}
    </section>
  );
}
