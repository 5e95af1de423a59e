/**
 * Undoes one commit.
 */
import type { JSX } from "preact";
import { CHANGE_ROUTES } from "../../../protocol/http-api/changes.js";
import { Preview } from "./preview.js";

/** The panel. @param revision - an object's name: it is to be this commit, on whatever branch @param name - for people */
export function RevertPanel({ revision, name }: { readonly revision: string; readonly name: string }): JSX.Element {
  return (
    <Preview
      route={CHANGE_ROUTES.revert}
      body={{ revision }}
      verb="Undo it"
      deed={`This undoes ${name} and keeps what came since.`}
    />
  );
}
