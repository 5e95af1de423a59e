/**
 * Bisection: which commit broke it? Good and bad are chosen on the timeline, the predicate is typed or chosen, and the halving can be
 * watched.
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { BisectAnswer } from "../../../protocol/http-api/bisect.js";
import { FAULT_NAMES, FAULTS } from "../../../protocol/predicate/faults.js";
import { ask } from "../api/client.js";
import { ChangeList } from "../commit/change-list.js";
import { CommitLink } from "../commit/commit-link.js";
import { moment, nameOf } from "../shell/moment.js";
import { place, show } from "../shell/navigation.js";
import { Trouble } from "../shell/trouble.js";
import { Timeline, type Mark } from "../timeline/timeline.js";
import { counted } from "../words/times.js";
import { halvingSteps, type HalvingStep } from "./halving.js";

const STEP_MILLISECONDS = 250;
const CHANGES_SHOWN = 50;

type Found =
  | { readonly kind: "nothing" }
  | { readonly kind: "searching" }
  | { readonly kind: "found"; readonly answer: BisectAnswer; readonly steps: readonly HalvingStep[] }
  | { readonly kind: "failed"; readonly error: unknown };

/** The view. */
export function BisectView(): JSX.Element {
  const { good, bad, predicate = "", domain = "" } = place.value.members;
  const [found, setFound] = useState<Found>({ kind: "nothing" });
  const shown = useShownSteps(found);
  const asked = useRef<AbortController | undefined>(undefined);
  useEffect(() => {
    setFound({ kind: "nothing" });
    // An answer to what was asked before would stand under another question.
    return () => asked.current?.abort();
  }, [good, bad, predicate, domain]);
  const search = (): void => {
    asked.current?.abort();
    const { signal } = (asked.current = new AbortController());
    const tell = (told: Found): void => {
      if (!signal.aborted) setFound(told);
    };
    tell({ kind: "searching" });
    const query = { predicate, good, bad, domain: domain === "" ? undefined : Number(domain) };
    ask("bisect", query, signal).then(
      (answer) => {
        tell({ kind: "found", answer, steps: halvingSteps(answer) });
      },
      (error: unknown) => {
        tell({ kind: "failed", error });
      },
    );
  };
  return (
    <>
      <Timeline marks={marksOf(found, shown, { good, bad })} />
      <section class="panel column">
        <Ends good={good} bad={bad} />
        <PredicateForm predicate={predicate} domain={domain} search={search} isSearching={found.kind === "searching"} />
      </section>
      <p class="for-screen-readers" role="status">
        {found.kind === "found" && shown >= found.steps.length ? `found: ${found.answer.first.subject}` : ""}
      </p>
      <div class="fill scroll column">
        {found.kind === "failed" && <Trouble error={found.error} />}
        {found.kind === "found" && <Halving steps={found.steps} shown={shown} />}
        {found.kind === "found" && shown >= found.steps.length && <Answer answer={found.answer} />}
      </div>
    </>
  );
}

/** How many steps are to be seen yet: one more each moment, or all at once where the reader wants no motion. */
function useShownSteps(found: Found): number {
  const [shown, setShown] = useState(0);
  const count = found.kind === "found" ? found.steps.length : 0;
  useEffect(() => {
    if (count === 0) {
      setShown(0);
      return undefined;
    }
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      setShown(count);
      return undefined;
    }
    const timer = setInterval(() => {
      setShown((before) => Math.min(before + 1, count));
    }, STEP_MILLISECONDS);
    return () => {
      clearInterval(timer);
    };
  }, [found]);
  return shown;
}

function Ends({ good, bad }: { readonly good: string | undefined; readonly bad: string | undefined }): JSX.Element {
  const { answer } = moment.value;
  const here = answer === undefined ? undefined : nameOf(answer);
  return (
    <div class="toolbar">
      <button
        type="button"
        disabled={here === undefined}
        onClick={() => {
          show({ good: here });
        }}
      >
        Good at the cursor
      </button>
      <output class="mono">{good ?? "the first commit"}</output>
      <button
        type="button"
        disabled={here === undefined}
        onClick={() => {
          show({ bad: here });
        }}
      >
        Bad at the cursor
      </button>
      <output class="mono">{bad ?? "the tip"}</output>
      <button
        type="button"
        disabled={good === undefined && bad === undefined}
        onClick={() => {
          show({ good: undefined, bad: undefined });
        }}
      >
        From first to last
      </button>
    </div>
  );
}

interface PredicateFormProps {
  readonly predicate: string;
  readonly domain: string;
  readonly isSearching: boolean;
  readonly search: () => void;
}

function PredicateForm({ predicate, domain, isSearching, search }: PredicateFormProps): JSX.Element {
  const fault = FAULT_NAMES.find((name) => name === predicate.trim());
  return (
    <form
      class="toolbar"
      onSubmit={(event) => {
        event.preventDefault();
        search();
      }}
    >
      <label class="grow">
        Bad where
        <input
          class="grow mono"
          list="faults"
          required
          placeholder="exists /local/domain/5/error, or a fault's name"
          value={predicate}
          onInput={({ currentTarget }) => {
            show({ predicate: currentTarget.value }, false);
          }}
        />
      </label>
      <datalist id="faults">
        {FAULT_NAMES.map((name) => (
          <option key={name} value={name}>
            {FAULTS[name].description}
          </option>
        ))}
      </datalist>
      <label>
        Domain ($D)
        <input
          type="number"
          min={0}
          max={65_535}
          value={domain}
          onInput={({ currentTarget }) => {
            show({ domain: currentTarget.value }, false);
          }}
        />
      </label>
      <button type="submit" class="primary" disabled={predicate.trim() === "" || isSearching}>
        Find the first bad commit
      </button>
      {fault !== undefined && <span class="muted">{FAULTS[fault].description}</span>}
    </form>
  );
}

function Halving({ steps, shown }: { readonly steps: readonly HalvingStep[]; readonly shown: number }): JSX.Element {
  return (
    <section class="panel">
      <h2>{counted(steps.length, "step")}</h2>
      <ol class="halving">
        {steps.slice(0, shown).map(({ seq, isBad, good, bad }) => (
          <li key={seq}>
            commit {seq} is <strong class={isBad ? "word-bad" : "word-good"}>{isBad ? "bad" : "good"}</strong>
            <span class="muted">
              {" "}
              · {counted(bad - good - 1, "commit")} left between {good} and {bad}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Answer({ answer }: { readonly answer: BisectAnswer }): JSX.Element {
  const { first, predicate, flips, bad, tip } = answer;
  return (
    <section class="panel">
      <h2>The first bad commit</h2>
      <p>
        <CommitLink commit={first} />
      </p>
      <p class="muted">
        From it on: <code>{predicate}</code>
      </p>
      {tip !== undefined && (
        <p class="notice">
          It is over at the tip: the newest bad commit is <CommitLink commit={bad} />
        </p>
      )}
      {flips.count > 1 && (
        <p class="notice">
          The predicate turns over {flips.count} times in the newest {counted(flips.looked, "commit")} of{" "}
          {flips.commits.toLocaleString("en")}: this is one commit that broke it, and there are others.
        </p>
      )}
      {first.changes !== undefined && (
        <ChangeList changes={first.changes} most={CHANGES_SHOWN} others="see the commit" at={first.oid} />
      )}
    </section>
  );
}

function marksOf(
  found: Found,
  shown: number,
  ends: { readonly good: string | undefined; readonly bad: string | undefined },
): readonly Mark[] {
  if (found.kind !== "found") {
    const [good, bad] = [seqOf(ends.good), seqOf(ends.bad)];
    return [
      ...(good === undefined ? [] : [{ seq: good, label: "good", kind: "good" } as const]),
      ...(bad === undefined ? [] : [{ seq: bad, label: "bad", kind: "bad" } as const]),
    ];
  }
  const { answer, steps } = found;
  const left = steps[shown - 1] ?? { good: answer.good.seq ?? 0, bad: answer.bad.seq ?? 0 };
  return [
    { seq: left.good, label: "good", kind: "good" },
    { seq: left.bad, label: shown >= steps.length ? "first bad" : "bad", kind: "bad" },
  ];
}

function seqOf(revision: string | undefined): number | undefined {
  const [, digits] = /^@\{([0-9]+)\}$/.exec(revision ?? "") ?? [];
  return digits === undefined ? undefined : Number(digits);
}
