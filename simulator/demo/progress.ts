/**
 * Progress for people.
 *
 * Owns the lines of the phases: on a terminal a bar that grows in its place, elsewhere one line when a phase is done, so
 * that a log holds no control characters.
 */

/** What is done for people to see; only `write` is called. */
export interface Output {
  write(text: string): void;
}

/** What a phase came to. */
export interface PhaseFigures {
  readonly requests: number;
  readonly events: number;
}

/** A phase to show. */
export interface ShownPhase {
  readonly name: string;
  readonly purpose: string;
  /** How many steps it has. */
  readonly steps: number;
}

const BAR_CELLS = 20;
const NAME_WIDTH = 11;

/** Shows the phases, one after the other. */
export class Progress {
  readonly #output: Output;
  readonly #isTerminal: boolean;
  #phase: ShownPhase = { name: "", purpose: "", steps: 0 };
  #done = 0;
  #cells = 0;

  constructor(output: Output, isTerminal: boolean) {
    this.#output = output;
    this.#isTerminal = isTerminal;
  }

  /** A phase begins. */
  start(phase: ShownPhase): void {
    this.#phase = phase;
    this.#done = 0;
    this.#cells = 0;
    if (this.#isTerminal) this.#output.write(`${this.#line()} ${phase.purpose}`);
  }

  /** One more step of the phase is done. */
  step(): void {
    this.#done++;
    const cells = Math.floor((BAR_CELLS * this.#done) / this.#phase.steps);
    if (!this.#isTerminal || cells === this.#cells) return;
    this.#cells = cells;
    this.#output.write(`\r${this.#line()} ${this.#phase.purpose}`);
  }

  /** The phase is done. */
  end({ requests, events }: PhaseFigures): void {
    const figures = `${String(requests).padStart(3)} requests ${String(events).padStart(3)} events`;
    const start = this.#isTerminal ? "\r\u001b[K" : "";
    this.#output.write(`${start}${this.#line()} ${figures}  ${this.#phase.purpose}\n`);
  }

  /** The line is left as it is, for a message to follow. */
  breakOff(): void {
    if (this.#isTerminal) this.#output.write("\n");
  }

  #line(): string {
    const name = `  ${this.#phase.name.padEnd(NAME_WIDTH)}`;
    return this.#isTerminal ? `${name} [${"#".repeat(this.#cells).padEnd(BAR_CELLS, ".")}]` : name;
  }
}
