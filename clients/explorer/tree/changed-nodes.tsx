/**
 * What the commit of the moment changed.
 */
import type { JSX } from "preact";
import { ChangeList } from "../commit/change-list.js";
import { nameOf, type Moment } from "../shell/moment.js";
import { linkTo } from "../shell/navigation.js";
import { commitInWords } from "../words/commits.js";

const CHANGES_SHOWN = 50;

/** The panel. */
export function ChangedNodes({ commit }: { readonly commit: Moment }): JSX.Element {
  const { changes } = commit;
  return (
    <section class="panel">
      <h2>
        Changed at this moment <a href={linkTo("commit", { revision: nameOf(commit) })}>{commitInWords(commit)}</a>
      </h2>
      {changes === undefined ? (
        <p class="muted">What was before this commit has been given up.</p>
      ) : (
        <ChangeList changes={changes} most={CHANGES_SHOWN} others="see the commit" at={nameOf(commit)} />
      )}
    </section>
  );
}
