/**
 * The colours and letters of what is painted, from the style sheet.
 */
import { colour } from "../shell/theme.js";
import type { ArrowKind } from "./scene.js";

/** What is painted with. */
export interface Palette {
  readonly background: string;
  readonly raised: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly bad: string;
  readonly warn: string;
  readonly selected: string;
  readonly accent: string;
  readonly arrows: Readonly<Record<ArrowKind, string>>;
  /** By number. */
  readonly states: readonly string[];
  readonly onState: string;
}

const STATE_COUNT = 9;

/** The colours as they are now. */
export function currentPalette(): Palette {
  return {
    background: colour("--surface"),
    raised: colour("--raised"),
    text: colour("--text"),
    muted: colour("--muted"),
    line: colour("--line"),
    bad: colour("--bad"),
    warn: colour("--warn"),
    selected: colour("--selected"),
    accent: colour("--accent"),
    arrows: {
      change: colour("--write"),
      read: colour("--read"),
      event: colour("--event"),
      failed: colour("--warn"),
      conflict: colour("--bad"),
    },
    states: Array.from({ length: STATE_COUNT }, (_none, state) => colour(`--state-${String(state)}`)),
    onState: colour("--on-state"),
  };
}
