/**
 * What is shown of each machine while all boot: a bar for each.
 *
 * Owns the lines: on a terminal a bar for each machine, drawn over and over in its place; elsewhere one line when a machine is
 * connected or has failed, so that a log holds no control characters.
 */
import type { Phase } from "../actors/toolstack/xl.js";

/** What is done for people to see; only `write` is called. */
export interface Output {
  write(text: string): void;
}

const PHASES: readonly Phase[] = [
  "make",
  "build",
  "vbd",
  "vbd-script",
  "console",
  "vif",
  "vif-script",
  "finish",
  "guest",
];
const NAME_WIDTH = 5;
const DRAW_MILLISECONDS = 100;

interface Row {
  cells: number;
  text: string;
}

/** Shows machines that boot. */
export class BootBoard {
  readonly #output: Output;
  readonly #isTerminal: boolean;
  readonly #rows: Map<string, Row>;
  readonly #now: () => number;
  #isDrawn = false;
  #drawnAt = -Infinity;

  /** @param now - milliseconds */
  constructor(output: Output, isTerminal: boolean, names: readonly string[], now: () => number) {
    this.#output = output;
    this.#isTerminal = isTerminal;
    this.#rows = new Map(names.map((name) => [name, { cells: 0, text: "waits" }]));
    this.#now = now;
  }

  /** A machine enters a phase. */
  phase(name: string, phase: Phase): void {
    const cells = PHASES.indexOf(phase);
    // After the boot comes the end, which is not shown.
    if (cells !== -1) this.#change(name, cells, phase);
  }

  /** A machine has all its devices. */
  connected(name: string, milliseconds: number): void {
    const text = `connected after ${(milliseconds / 1000).toFixed(2)} s`;
    this.#change(name, PHASES.length, text);
    if (!this.#isTerminal) this.#output.write(`  ${name.padEnd(NAME_WIDTH)} ${text}\n`);
  }

  /** A machine has failed. */
  failed(name: string, reason: string): void {
    const text = `FAILED: ${reason}`;
    this.#change(name, this.#rows.get(name)?.cells ?? 0, text);
    if (!this.#isTerminal) this.#output.write(`  ${name.padEnd(NAME_WIDTH)} ${text}\n`);
  }

  /** Draws what was not drawn yet. */
  finish(): void {
    if (this.#isTerminal) this.#draw();
  }

  #change(name: string, cells: number, text: string): void {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    row.cells = cells;
    row.text = text;
    if (this.#isTerminal && this.#now() - this.#drawnAt >= DRAW_MILLISECONDS) this.#draw();
  }

  #draw(): void {
    this.#drawnAt = this.#now();
    const lines = [...this.#rows].map(([name, { cells, text }]) => {
      const bar = `${"#".repeat(cells)}${".".repeat(PHASES.length - cells)}`;
      return `\u001b[K  ${name.padEnd(NAME_WIDTH)} [${bar}] ${text}\n`;
    });
    const back = this.#isDrawn ? `\u001b[${String(lines.length)}A` : "";
    this.#isDrawn = true;
    this.#output.write(`${back}${lines.join("")}`);
  }
}
