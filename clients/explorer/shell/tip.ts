/**
 * Where the tip is, while somebody follows it.
 */
import { signal } from "@preact/signals";
import { followCommits } from "../live/commit-stream.js";

/** So often at most the page moves on with the tip. */
const STEP_MILLISECONDS = 500;

/** Counts the tip's steps; what is shown of the tip is asked anew with each. */
export const tipSteps = signal(0);

let users = 0;
let stop: (() => void) | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Follows the tip until the answer is called. */
export function followTip(): () => void {
  if (users++ === 0) {
    stop = followCommits({
      came: step,
      // What was committed before it follows, or while it could not, is not told.
      stands: (trouble) => {
        if (trouble === undefined) step();
      },
    });
  }
  let isUsed = true;
  return () => {
    if (!isUsed) return;
    isUsed = false;
    if (--users === 0) stop?.();
  };
}

/** Asks for the tip anew, at once: after something was done from here. */
export function stepTip(): void {
  tipSteps.value++;
}

function step(): void {
  timer ??= setTimeout(() => {
    timer = undefined;
    stepTip();
  }, STEP_MILLISECONDS);
}
