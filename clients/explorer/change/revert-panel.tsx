/**
 * Undoes one commit.
 */
import type { JSX } from "preact";
import { CHANGE_ROUTES } from "../../../protocol/http-api/changes.js";
import { Preview } from "./preview.js";

/** The panel. */
export function RevertPanel({ revision }: { readonly revision: string }): JSX.Element {
  return (
    <Preview
      route={CHANGE_ROUTES.revert}
      body={{ revision }}
      verb="Undo it"
      deed={`This undoes ${revision} and keeps what came since.`}
    />
  );
}
