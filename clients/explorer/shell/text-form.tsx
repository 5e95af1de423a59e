/**
 * A text that is taken when it is whole: a path, a revision.
 */
import type { ComponentChildren, JSX } from "preact";

interface TextFormProps {
  readonly label: string;
  /** What it is now. */
  readonly text: string;
  readonly placeholder?: string;
  /** What the button says. */
  readonly verb: string;
  readonly submit: (text: string) => void;
  /** Stands behind the button. */
  readonly children?: ComponentChildren;
}

/** The form. */
export function TextForm({ label, text, placeholder, verb, submit, children }: TextFormProps): JSX.Element {
  return (
    <form
      class="toolbar"
      onSubmit={(event) => {
        event.preventDefault();
        const given = new FormData(event.currentTarget).get("text");
        if (typeof given === "string") submit(given.trim());
      }}
    >
      <label class="grow">
        {label}
        <input key={text} class="grow mono" name="text" defaultValue={text} placeholder={placeholder ?? ""} />
      </label>
      <button type="submit">{verb}</button>
      {children}
    </form>
  );
}
