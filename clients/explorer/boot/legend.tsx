/**
 * What the signs of the picture mean, in words.
 */
import type { JSX } from "preact";
import { ARROW_SIGNS, ARROW_WORDS, stateInWords } from "./entry-words.js";
import { ARROW_KINDS } from "./scene.js";

const STATES = ["0", "1", "2", "3", "4", "5", "6", "7", "8"] as const;
const WAYS = {
  change: "solid, up to the store",
  read: "dashed, up to the store",
  event: "dotted, down from the store",
  failed: "up to the store",
  conflict: "up to the store",
} as const;

/** The legend; it can be folded away. */
export function Legend(): JSX.Element {
  return (
    <details class="boot-legend">
      <summary>What the signs mean</summary>
      <ul class="boot-signs">
        {ARROW_KINDS.map((kind) => (
          <li key={kind}>
            <span class={`boot-sign boot-sign-${kind}`} aria-hidden="true">
              {ARROW_SIGNS[kind]}
            </span>{" "}
            {ARROW_WORDS[kind]} ({WAYS[kind]})
          </li>
        ))}
        <li>▮ so many of one kind that they stand together: the higher, the more</li>
        <li>[─] transaction, dashed where its begin is not known</li>
        <li>•┈[ the commit that it began on</li>
        <li>
          <span class="boot-sign-conflict">[─⊠</span> it ended in EAGAIN, or failed; ─○ aborted; no end while it is open
        </li>
      </ul>
      <ul class="boot-signs">
        <li>
          States of devices&apos; ends; low lanes have the lowest one of all, thin lanes too, where it is the higher the
          further it is:
        </li>
        {STATES.map((state) => (
          <li key={state}>
            <span class="boot-state" data-state={state}>
              {stateInWords(state)}
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
