/**
 * Rollback: make the store, or a part of it, as it was at a moment.
 */
import type { JSX } from "preact";
import { CHANGE_ROUTES } from "../../../protocol/http-api/changes.js";
import { isAtTip, moment, nameOf } from "../shell/moment.js";
import { place, show } from "../shell/navigation.js";
import { TextForm } from "../shell/text-form.js";
import { Trouble } from "../shell/trouble.js";
import { timeInWords } from "../words/times.js";
import { Timeline } from "../timeline/timeline.js";
import { Preview } from "./preview.js";

/** The view. */
export function RollbackView(): JSX.Element {
  const { path = "/" } = place.value.members;
  const { answer: commit, error } = moment.value;
  return (
    <>
      <Timeline />
      <Trouble error={error} />
      <section class="panel scroll fill column">
        <h2>Make it as it was</h2>
        <TextForm
          label="At and below"
          text={path}
          verb="Preview"
          submit={(text) => {
            show({ path: text });
          }}
        />
        {isAtTip.value || commit === undefined ? (
          <p>
            Choose a moment on the timeline: drag the cursor, or step with the arrow keys. Nothing is done before you
            say so twice.
          </p>
        ) : (
          <>
            <p>
              As it was at {nameOf(commit)}, {timeInWords(commit.time)}:
            </p>
            <Preview
              key={`${commit.oid} ${path}`}
              route={CHANGE_ROUTES.rollback}
              body={{ revision: commit.oid, path: path === "/" ? undefined : path }}
              verb="Roll back"
              deed={`This makes ${path === "/" ? "the whole store" : path} as it was at ${nameOf(commit)}.`}
            />
          </>
        )}
      </section>
    </>
  );
}
