/**
 * What is known of the thing that was chosen, with the ways to its commit and to the tree at that moment.
 */
import type { ComponentChildren, JSX } from "preact";
import { revisionOfNumber } from "../shell/moment.js";
import { linkTo } from "../shell/navigation.js";
import { domainInWords } from "../words/perms.js";
import { counted, isoOf, spanInWords, timeInWords } from "../words/times.js";
import { escaped } from "../words/values.js";
import { domainOfPath } from "./about-domain.js";
import { ARROW_WORDS, offsetInWords, stateInWords } from "./entry-words.js";
import { bracketEntryOf, endName, type Arrow, type Bracket, type Entry, type Scene, type StateBar } from "./scene.js";

interface DetailsProps {
  readonly scene: Scene;
  readonly selected: Entry | undefined;
  readonly select: (entry: Entry) => void;
  /** Shows only what is about a domain. */
  readonly choose: (domain: number) => void;
}

/** The panel. */
export function Details({ scene, selected, select, choose }: DetailsProps): JSX.Element {
  return (
    <section class="panel scroll boot-details" aria-label="Details" aria-live="polite">
      {selected === undefined ? (
        <p class="muted">Choose something in the picture or in the list: here stands what is known of it.</p>
      ) : (
        <Facts scene={scene} selected={selected} select={select} choose={choose} />
      )}
    </section>
  );
}

function Facts({
  scene,
  selected: { kind, index, time },
  select,
  choose,
}: DetailsProps & { readonly selected: Entry }): JSX.Element | null {
  const when = `${offsetInWords(time - scene.from)}, ${timeInWords(isoOf(time))}`;
  const [arrow, bracket, bar] = [scene.arrows[index], scene.brackets[index], scene.bars[index]];
  if (kind === "arrow" && arrow !== undefined) {
    const of = bracketEntryOf(scene, arrow);
    const transaction =
      of === undefined
        ? undefined
        : () => {
            select(of);
          };
    return <ArrowFacts arrow={arrow} when={when} choose={choose} showTransaction={transaction} />;
  }
  if (kind === "bracket" && bracket !== undefined) return <BracketFacts bracket={bracket} when={when} />;
  if (kind === "bar" && bar !== undefined) return <BarFacts bar={bar} when={when} choose={choose} />;
  return null;
}

function Fact({ name, children }: { readonly name: string; readonly children?: ComponentChildren }): JSX.Element {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

interface ArrowFactsProps {
  readonly arrow: Arrow;
  readonly when: string;
  readonly choose: (domain: number) => void;
  /** Shows its transaction; undefined where there is none. */
  readonly showTransaction: (() => void) | undefined;
}

function ArrowFacts({ arrow, when, choose, showTransaction }: ArrowFactsProps): JSX.Element {
  const { operation, subject, detail, connection, domain, tx, seq, error, count } = arrow;
  const about = domainOfPath(subject) ?? (domain === 0 ? undefined : domain);
  return (
    <>
      <h2>
        {operation} <span class="muted">({ARROW_WORDS[arrow.arrow]})</span>
      </h2>
      <dl>
        <Fact name="when">{when}</Fact>
        {subject !== "" && (
          <Fact name="of">
            <code>{subject}</code>
          </Fact>
        )}
        {detail !== "" && (
          <Fact name={DETAIL_NAMES[operation] ?? "with"}>
            <code>{escaped(detail)}</code>
          </Fact>
        )}
        <Fact name="by">{`${connection} of ${domainInWords(domain)}`}</Fact>
        {tx !== undefined && (
          <Fact name="transaction">
            {showTransaction === undefined ? (
              tx
            ) : (
              <button type="button" onClick={showTransaction}>
                Transaction {tx}: from its begin to its end
              </button>
            )}
          </Fact>
        )}
        {error !== undefined && (
          <Fact name="failed">
            <strong class="boot-error">✕ {error}</strong>
            {count > 1 ? `, ${counted(count, "time")} in a row, the last one here` : ""}
          </Fact>
        )}
        {seq !== undefined && <CommitFact seq={seq} path={subject.startsWith("/") ? subject : undefined} />}
      </dl>
      {about !== undefined && about !== 0 && (
        <button
          type="button"
          onClick={() => {
            choose(about);
          }}
        >
          Only what is about {domainInWords(about)}
        </button>
      )}
    </>
  );
}

const DETAIL_NAMES: Readonly<Record<string, string>> = {
  WRITE: "value",
  SET_PERMS: "perms",
  WATCH: "token",
  UNWATCH: "token",
  WATCH_EVENT: "token",
};

function CommitFact({ seq, path }: { readonly seq: number; readonly path: string | undefined }): JSX.Element {
  const at = revisionOfNumber(seq);
  return (
    <Fact name="made">
      <a href={linkTo("commit", { revision: at })}>commit {seq}</a>,{" "}
      <a href={linkTo("tree", { at, path })}>the tree then</a>
    </Fact>
  );
}

function BracketFacts({ bracket, when }: { readonly bracket: Bracket; readonly when: string }): JSX.Element {
  const { id, connection, domain, start, end, isStartKnown, outcome, error, seq, base, conflict } = bracket;
  const hasFailed = outcome === "EAGAIN" || outcome === "failed";
  return (
    <>
      <h2>Transaction {id}</h2>
      <dl>
        <Fact name={end === undefined ? "begun" : "ended"}>{when}</Fact>
        <Fact name="by">{`${connection} of ${domainInWords(domain)}`}</Fact>
        <Fact name="took">
          {end === undefined
            ? "it is still open"
            : isStartKnown
              ? spanInWords(end - start)
              : "not known: no trace tells when it began"}
        </Fact>
        <Fact name="outcome">{hasFailed ? <strong class="boot-error">✕ {error ?? outcome}</strong> : outcome}</Fact>
        {base !== undefined && (
          <Fact name="base">
            <a href={linkTo("commit", { revision: revisionOfNumber(base) })}>commit {base}</a>: what it read was as of
            that
          </Fact>
        )}
        {seq !== undefined && <CommitFact seq={seq} path={undefined} />}
        {conflict !== undefined && (
          <Fact name="conflict">
            {conflict.operation} <code>{conflict.path}</code> had another answer by then:{" "}
            <a href={linkTo("tree", { at: revisionOfNumber(conflict.base), path: conflict.path })}>as it had read it</a>
          </Fact>
        )}
      </dl>
    </>
  );
}

interface BarFactsProps {
  readonly bar: StateBar;
  readonly when: string;
  readonly choose: (domain: number) => void;
}

function BarFacts({ bar, when, choose }: BarFactsProps): JSX.Element {
  const { state, path, from, to, seq, domain } = bar;
  return (
    <>
      <h2>
        {endName(bar)}: {stateInWords(state)}
      </h2>
      <dl>
        <Fact name="of">{domainInWords(domain)}</Fact>
        <Fact name="since">{seq === undefined ? `before ${when}` : when}</Fact>
        <Fact name="for">{to === undefined ? "it lasts on" : spanInWords(to - from)}</Fact>
        <Fact name="node">
          <code>{path}</code>
        </Fact>
        {seq !== undefined && <CommitFact seq={seq} path={path} />}
      </dl>
      <button
        type="button"
        onClick={() => {
          choose(domain);
        }}
      >
        Only what is about {domainInWords(domain)}
      </button>
    </>
  );
}
