/**
 * One commit: who, when, what was asked and what became of it, as `xs show` tells it.
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { CommitJson } from "../../../protocol/http-api/commit.js";
import { useLatest } from "../api/use-latest.js";
import { RevertPanel } from "../change/revert-panel.js";
import { loadMoment, nameOf, neighbourOf, type Moment } from "../shell/moment.js";
import { goTo, linkTo, place } from "../shell/navigation.js";
import { TextForm } from "../shell/text-form.js";
import { Trouble } from "../shell/trouble.js";
import { domainInWords } from "../words/perms.js";
import { counted, timeInWords } from "../words/times.js";
import { ChangeList } from "./change-list.js";
import { CommitLink } from "./commit-link.js";

const CHANGES_SHOWN = 500;

/** The view. */
export function CommitView(): JSX.Element {
  const { revision, at } = place.value.members;
  const asked = revision ?? at ?? "HEAD";
  const { answer, error } = useLatest(asked, (ended) => loadMoment(asked, ended));
  return (
    <>
      <TextForm
        label="Commit"
        text={asked}
        placeholder="@{1234}, @{5 minutes ago}, a tag, an object id"
        verb="Show"
        submit={(text) => {
          goTo("commit", { revision: text });
        }}
      >
        {error === undefined && answer !== undefined && <Neighbours commit={answer} />}
      </TextForm>
      <Trouble error={error} />
      {error === undefined && answer !== undefined && <Shown key={answer.oid} commit={answer} />}
    </>
  );
}

function Neighbours({ commit }: { readonly commit: Moment }): JSX.Element {
  const [previous, next] = [previousOf(commit), neighbourOf(commit, 1)];
  const step = (revision: string | undefined, words: string): JSX.Element => (
    <button
      type="button"
      disabled={revision === undefined}
      onClick={() => {
        goTo("commit", { revision });
      }}
    >
      {words}
    </button>
  );
  return (
    <span class="buttons">
      {step(previous, "Previous")}
      {step(next, "Next")}
    </span>
  );
}

/** Undefined where there is none, or it has been given up. */
function previousOf(commit: Moment): string | undefined {
  return commit.parents.length === 0 || commit.changes === undefined ? undefined : neighbourOf(commit, -1);
}

function Shown({ commit }: { readonly commit: Moment }): JSX.Element {
  const [isReverting, setIsReverting] = useState(false);
  const revision = nameOf(commit);
  const before = previousOf(commit);
  return (
    <div class="columns">
      <div class="column scroll">
        <section class="panel">
          <h2>{commit.subject}</h2>
          <Facts commit={commit} />
          <p class="toolbar">
            <a href={linkTo("tree", { at: revision })}>The tree at this moment</a>
            <a href={linkTo("boot", { at: revision })}>What went on around it</a>
            {before !== undefined && <a href={linkTo("rollback", { at: before })}>Roll back to before it</a>}
            <button
              type="button"
              aria-expanded={isReverting}
              onClick={() => {
                setIsReverting(!isReverting);
              }}
            >
              Undo this commit …
            </button>
          </p>
          {isReverting && <RevertPanel revision={commit.oid} name={revision} />}
        </section>
        <section class="panel">
          <h2>{counted(commit.requests.length, "request")}</h2>
          <ol class="mono requests">
            {commit.requests.map((request, index) => (
              <li key={index}>{request}</li>
            ))}
          </ol>
        </section>
        <Meanwhile commit={commit} />
      </div>
      <section class="panel scroll column">
        <h2>{commit.changes === undefined ? "Changes" : counted(commit.changes.length, "change")}</h2>
        {commit.changes === undefined ? (
          <p class="muted">What was before this commit has been given up, so what it changed is not known any more.</p>
        ) : (
          <ChangeList changes={commit.changes} most={CHANGES_SHOWN} others="xs show has them all" at={revision} />
        )}
      </section>
    </div>
  );
}

function Facts({ commit }: { readonly commit: CommitJson }): JSX.Element {
  const { oid, seq, time, domain, connection, transaction, parents } = commit;
  return (
    <dl>
      <dt>Number</dt>
      <dd>{seq ?? "none: it is not the daemon's"}</dd>
      <dt>Object</dt>
      <dd>
        <code>{oid}</code>
      </dd>
      <dt>When</dt>
      <dd>
        {timeInWords(time)} <span class="muted">{time}</span>
      </dd>
      <dt>Who</dt>
      <dd>
        {domain === undefined ? "nobody that is told" : domainInWords(domain)}
        {connection !== undefined && ` on ${connection}`}
        {transaction !== undefined && `, in transaction ${String(transaction)}`}
      </dd>
      {parents.length > 1 && (
        <>
          <dt>Merges</dt>
          <dd>
            {parents.slice(1).map((parent) => (
              <a key={parent} href={linkTo("commit", { revision: parent })}>
                {parent.slice(0, 12)}
              </a>
            ))}
          </dd>
        </>
      )}
    </dl>
  );
}

function Meanwhile({ commit: { meanwhile } }: { readonly commit: CommitJson }): JSX.Element | null {
  if (meanwhile === undefined) return null;
  return (
    <section class="panel">
      <h2>
        {counted(meanwhile.count, "commit")} of others between its beginning, at commit {meanwhile.base}, and its end
      </h2>
      <ol class="commits">
        {meanwhile.commits.map((each) => (
          <li key={each.oid}>
            <CommitLink commit={each} />
          </li>
        ))}
      </ol>
    </section>
  );
}
