/**
 * What went wrong, where it went wrong.
 */
import type { JSX } from "preact";
import { ApiError, messageOf } from "../api/client.js";

/** An error in words, with its conflicts; nothing where there is none. */
export function Trouble({ error }: { readonly error: unknown }): JSX.Element | null {
  if (error === undefined) return null;
  const conflicts = error instanceof ApiError ? error.conflicts : [];
  return (
    <div class="trouble" role="alert">
      <p>{messageOf(error)}</p>
      {conflicts.length > 0 && (
        <ul>
          {conflicts.map((conflict) => (
            <li key={conflict}>{conflict}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
