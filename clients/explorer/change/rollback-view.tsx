/**
 * Rollback: make the store, or a part of it, as it was at a moment.
 */
import type { JSX } from "preact";
import { CHANGE_ROUTES } from "../../../protocol/http-api/changes.js";
import { isAtTip, moment, nameOf } from "../shell/moment.js";
import { place, show } from "../shell/navigation.js";
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
        <form
          class="toolbar"
          onSubmit={(event) => {
            event.preventDefault();
            const text = new FormData(event.currentTarget).get("path");
            if (typeof text === "string") show({ path: text.trim() });
          }}
        >
          <label class="grow">
            At and below
            <input key={path} class="grow mono" name="path" defaultValue={path} />
          </label>
          <button type="submit">Preview</button>
        </form>
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
