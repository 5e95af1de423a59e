/**
 * What would change, before somebody has it changed; and what became of it.
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ChangesAnswer } from "../../../protocol/http-api/changes.js";
import { send } from "../api/client.js";
import { ChangeList } from "../commit/change-list.js";
import { CommitLink } from "../commit/commit-link.js";
import { stepTip } from "../shell/tip.js";
import { Trouble } from "../shell/trouble.js";
import { counted } from "../words/times.js";

const CHANGES_SHOWN = 300;

/** What is to be done. */
export interface PreviewProps {
  /** Where it is asked for; it must know `dryRun`. */
  readonly route: string;
  readonly body: Readonly<Record<string, string | undefined>>;
  /** What the button says. */
  readonly verb: string;
  /** What is done, for the question whether to do it. */
  readonly deed: string;
}

type Stage =
  | { readonly kind: "asking" }
  | { readonly kind: "planned"; readonly plan: ChangesAnswer }
  | { readonly kind: "sure"; readonly plan: ChangesAnswer }
  | { readonly kind: "doing"; readonly plan: ChangesAnswer }
  | { readonly kind: "done"; readonly answer: ChangesAnswer }
  | { readonly kind: "failed"; readonly error: unknown };

/** The preview, with the way to have it done. It is asked anew whenever something else is to be done. */
export function Preview(props: PreviewProps): JSX.Element {
  const { route, body, verb, deed } = props;
  const [stage, setStage] = useState<Stage>({ kind: "asking" });
  useEffect(() => {
    const ended = new AbortController();
    setStage({ kind: "asking" });
    send<ChangesAnswer>("POST", route, { ...body, dryRun: true }).then(
      (plan) => {
        if (!ended.signal.aborted) setStage({ kind: "planned", plan });
      },
      (error: unknown) => {
        if (!ended.signal.aborted) setStage({ kind: "failed", error });
      },
    );
    return () => {
      ended.abort();
    };
  }, [route, JSON.stringify(body)]);
  const act = (plan: ChangesAnswer): void => {
    setStage({ kind: "doing", plan });
    // The commit that was looked at, whatever its name has come to mean since.
    send<ChangesAnswer>("POST", route, { ...body, revision: plan.target.oid }).then(
      (answer) => {
        setStage({ kind: "done", answer });
        stepTip();
      },
      (error: unknown) => {
        setStage({ kind: "failed", error });
      },
    );
  };
  switch (stage.kind) {
    case "asking":
      return (
        <p class="muted" role="status">
          Working out what would change …
        </p>
      );
    case "failed":
      return <Trouble error={stage.error} />;
    case "done":
      return <Done answer={stage.answer} />;
    case "planned":
    case "sure":
    case "doing":
      return (
        <Planned
          {...{ stage, verb, deed }}
          ask={() => {
            setStage({ kind: "sure", plan: stage.plan });
          }}
          leave={() => {
            setStage({ kind: "planned", plan: stage.plan });
          }}
          act={() => {
            act(stage.plan);
          }}
        />
      );
  }
}

interface PlannedProps {
  readonly stage: Extract<Stage, { readonly plan: ChangesAnswer }>;
  readonly verb: string;
  readonly deed: string;
  readonly ask: () => void;
  readonly leave: () => void;
  readonly act: () => void;
}

function Planned({ stage, verb, deed, ask, leave, act }: PlannedProps): JSX.Element {
  const { changes, changeCount, target } = stage.plan;
  if (changeCount === 0)
    return (
      <p class="done" role="status">
        Nothing would change: the store is so already.
      </p>
    );
  return (
    <>
      <p role="status">
        {counted(changeCount, "change")} to be made, as of <CommitLink commit={target} />:
      </p>
      {stage.kind === "planned" ? (
        <button type="button" class="primary" onClick={ask}>
          {verb} …
        </button>
      ) : (
        <div class="notice" role="alertdialog" aria-label="Are you sure?">
          <p>
            {deed} A commit records it, watches fire for what differs, and who runs on what is there now will notice.
          </p>
          <span class="buttons">
            <button type="button" class="primary" disabled={stage.kind === "doing"} onClick={act}>
              {verb} now
            </button>
            <button type="button" disabled={stage.kind === "doing"} onClick={leave}>
              Leave it
            </button>
          </span>
        </div>
      )}
      <ChangeList changes={changes.slice(0, CHANGES_SHOWN)} at={target.oid} />
      {changeCount > CHANGES_SHOWN && (
        <p class="muted">and {counted(changeCount - CHANGES_SHOWN, "more change", "more changes")}</p>
      )}
    </>
  );
}

function Done({ answer }: { readonly answer: ChangesAnswer }): JSX.Element {
  const { outcome, commit, changeCount } = answer;
  if (outcome === "unchanged" || commit === undefined)
    return (
      <p class="done" role="status">
        The store was so already: nothing changed.
      </p>
    );
  return (
    <p class="done" role="status">
      Done, {counted(changeCount, "change")}: <CommitLink commit={commit} />
    </p>
  );
}
