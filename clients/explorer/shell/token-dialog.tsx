/**
 * Asks for the token, where the daemon wants one that is not known here.
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { keepToken } from "../api/token.js";

/** The dialog. */
export function TokenDialog(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState("");
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="token-title"
      onCancel={(event) => {
        event.preventDefault();
      }}
    >
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          keepToken(text.trim());
          location.reload();
        }}
      >
        <h2 id="token-title">This daemon wants its token</h2>
        <p>
          It is in <code>RUN/http-token</code> on the daemon's machine, and <code>xs url</code> prints an address that
          has it.
        </p>
        <label>
          Token
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            value={text}
            onInput={({ currentTarget }) => {
              setText(currentTarget.value);
            }}
          />
        </label>
        <button type="submit" class="primary" disabled={!/^\s*[0-9a-f]{32}\s*$/.test(text)}>
          Go on
        </button>
      </form>
    </dialog>
  );
}
