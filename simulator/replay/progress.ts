/**
 * How far a replay is, while it goes on.
 *
 * Owns the line: on a terminal drawn over and over in its place, elsewhere a new one every few seconds.
 */
import type { ViewOutput } from "../storm/live-view.js";
import type { ReplayTally } from "./tally.js";

const TERMINAL_MILLISECONDS = 200;
const LOG_MILLISECONDS = 5000;

/** Shows a replay's progress until it is stopped. */
export class ReplayProgress {
  readonly #output: ViewOutput;
  readonly #timer: NodeJS.Timeout;

  /** `requests` is how many there are in all. */
  constructor(output: ViewOutput, tally: ReplayTally, requests: number) {
    this.#output = output;
    const { isTerminal } = output;
    this.#timer = setInterval(
      () => {
        // Transactions that are run again are more than was planned.
        const percent = requests === 0 ? 100 : Math.min(100, Math.floor((100 * tally.requests) / requests));
        const text = `${String(tally.requests)} of ${String(requests)} requests (${String(percent)}%), ${String(tally.differenceCount)} differences`;
        output.write(isTerminal ? `\r\u001b[K${text.slice(0, Math.max(20, output.columns - 1))}` : `${text}\n`);
      },
      isTerminal ? TERMINAL_MILLISECONDS : LOG_MILLISECONDS,
    );
  }

  /** Ends it; a line on a terminal is taken away. */
  stop(): void {
    clearInterval(this.#timer);
    if (this.#output.isTerminal) this.#output.write("\r\u001b[K");
  }
}
