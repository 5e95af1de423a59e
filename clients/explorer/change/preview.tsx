/**
 * What would change, before somebody has it changed; and what became of it.
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
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
  /** `hasMoved`: the store is another than when it was looked at last. */
  | { readonly kind: "planned"; readonly plan: ChangesAnswer; readonly hasMoved?: boolean }
  | { readonly kind: "sure"; readonly plan: ChangesAnswer }
  | { readonly kind: "doing"; readonly plan: ChangesAnswer }
  | { readonly kind: "done"; readonly answer: ChangesAnswer }
  | { readonly kind: "failed"; readonly error: unknown };

/** The preview, with the way to have it done. Something else that is to be done takes another one (`key`). */
export function Preview({ route, body, verb, deed }: PreviewProps): JSX.Element {
  const [stage, setStage] = useState<Stage>({ kind: "asking" });
  // Then the keyboard was on a button that has gone.
  const wasAsked = useRef(false);
  const plan = async (): Promise<ChangesAnswer> => await send("POST", route, { ...body, dryRun: true });
  const tell = (told: Promise<Stage>): void => {
    told.then(setStage, (error: unknown) => {
      setStage({ kind: "failed", error });
    });
  };
  useEffect(() => {
    tell(plan().then((planned) => ({ kind: "planned", plan: planned })));
  }, []);
  const act = async (seen: ChangesAnswer): Promise<Stage> => {
    // Nothing is done that nobody has seen, but for what is committed in the moment between the two.
    const now = await plan();
    if (JSON.stringify(now) !== JSON.stringify(seen)) return { kind: "planned", plan: now, hasMoved: true };
    const answer = await send<ChangesAnswer>("POST", route, body);
    stepTip();
    return { kind: "done", answer };
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
          takesFocus={wasAsked.current}
          ask={() => {
            wasAsked.current = true;
            setStage({ kind: "sure", plan: stage.plan });
          }}
          leave={() => {
            setStage({ kind: "planned", plan: stage.plan });
          }}
          act={() => {
            setStage({ kind: "doing", plan: stage.plan });
            tell(act(stage.plan));
          }}
        />
      );
  }
}

interface PlannedProps {
  readonly stage: Extract<Stage, { readonly plan: ChangesAnswer }>;
  readonly verb: string;
  readonly deed: string;
  readonly takesFocus: boolean;
  readonly ask: () => void;
  readonly leave: () => void;
  readonly act: () => void;
}

function Planned({ stage, verb, deed, takesFocus, ask, leave, act }: PlannedProps): JSX.Element {
  const { changes, changeCount, target } = stage.plan;
  if (changeCount === 0) {
    return (
      <p class="done" role="status">
        Nothing would change: the store is so already.
      </p>
    );
  }
  const removes = changes.some((change) => change.kind === "node" && change.after === undefined);
  return (
    <>
      {stage.kind === "planned" && stage.hasMoved === true && (
        <p class="notice" role="alert">
          The store has changed since you looked: this is what would change now, and nothing was done.
        </p>
      )}
      <p role="status">
        {counted(changeCount, "change")} to be made, as of <CommitLink commit={target} />
        {removes ? "; what goes takes with it all that is below" : ""}:
      </p>
      {stage.kind === "planned" ? (
        <FocusedButton words={`${verb} …`} takesFocus={takesFocus} act={ask} />
      ) : (
        <div class="notice" role="alertdialog" aria-label="Are you sure?">
          <p>
            {deed} A commit records it, watches fire for what differs, and who runs on what is there now will notice.
          </p>
          <span class="buttons">
            <FocusedButton
              words={`${verb} now`}
              takesFocus={takesFocus}
              isDisabled={stage.kind === "doing"}
              act={act}
            />
            <button type="button" disabled={stage.kind === "doing"} onClick={leave}>
              Leave it
            </button>
          </span>
        </div>
      )}
      <ChangeList changes={changes} count={changeCount} most={CHANGES_SHOWN} at={target.oid} />
    </>
  );
}

interface FocusedButtonProps {
  readonly words: string;
  readonly takesFocus: boolean;
  readonly isDisabled?: boolean;
  readonly act: () => void;
}

/** A button that may take the keyboard when it comes in the place of another one. */
function FocusedButton({ words, takesFocus, isDisabled = false, act }: FocusedButtonProps): JSX.Element {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (takesFocus) button.current?.focus();
  }, []);
  return (
    <button ref={button} type="button" class="primary" disabled={isDisabled} onClick={act}>
      {words}
    </button>
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
