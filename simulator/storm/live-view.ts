/**
 * What a storm looks like while it goes on.
 *
 * Owns the lines: on a terminal a few that are drawn over and over in their place, elsewhere one every few seconds, so that a
 * log holds no control characters.
 */
import type { Storm } from "./storm.js";
import type { Traffic } from "./traffic-meter.js";

/** Where the view is shown. */
export interface ViewOutput {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width of the terminal. */
  readonly columns: number;
}

/** What a view shows. */
export interface ViewSources {
  readonly storm: Pick<Storm, "plan" | "count" | "slowest">;
  readonly traffic: () => Traffic;
  /** Commits of the daemon so far; undefined where it does not tell. */
  readonly commits: () => number | undefined;
  readonly monotonicMilliseconds: () => number;
}

const TERMINAL_MILLISECONDS = 200;
const LOG_MILLISECONDS = 5000;
const BAR_CELLS = 40;

interface Sample {
  readonly milliseconds: number;
  readonly traffic: Traffic;
  readonly commits: number | undefined;
}

/** Shows a storm until it is stopped. */
export class LiveView {
  readonly #output: ViewOutput;
  readonly #sources: ViewSources;
  readonly #timer: NodeJS.Timeout;
  readonly #start: number;
  #last: Sample;
  #linesShown = 0;

  constructor(output: ViewOutput, sources: ViewSources) {
    this.#output = output;
    this.#sources = sources;
    this.#start = sources.monotonicMilliseconds();
    this.#last = this.#sample();
    const milliseconds = output.isTerminal ? TERMINAL_MILLISECONDS : LOG_MILLISECONDS;
    this.#timer = setInterval(() => {
      this.#show();
    }, milliseconds);
  }

  /** Ends it; what was drawn last is taken away. */
  stop(): void {
    clearInterval(this.#timer);
    if (this.#output.isTerminal) this.#output.write(this.#clear());
  }

  #sample(): Sample {
    const { traffic, commits, monotonicMilliseconds } = this.#sources;
    return { milliseconds: monotonicMilliseconds(), traffic: traffic(), commits: commits() };
  }

  #show(): void {
    const now = this.#sample();
    const lines = viewLines(this.#sources.storm, {
      elapsedSeconds: (now.milliseconds - this.#start) / 1000,
      now,
      before: this.#last,
    });
    this.#last = now;
    if (!this.#output.isTerminal) {
      this.#output.write(`${lines.join("; ")}\n`);
      return;
    }
    // A line that the terminal wraps would be two to take away.
    const width = Math.max(20, this.#output.columns - 1);
    const shown = [bar(this.#sources.storm), ...lines].map((line) => line.slice(0, width));
    this.#output.write(`${this.#clear()}${shown.join("\n")}\n`);
    this.#linesShown = shown.length;
  }

  #clear(): string {
    return this.#linesShown === 0 ? "" : `\u001b[${String(this.#linesShown)}A\u001b[J`;
  }
}

function bar(storm: ViewSources["storm"]): string {
  const { vms } = storm.plan;
  const cells = (count: number): number => Math.round((BAR_CELLS * count) / vms);
  const over = cells(storm.count("done") + storm.count("failed"));
  const alive = Math.min(BAR_CELLS - over, cells(storm.count("running") + storm.count("ending")));
  const booting = Math.min(BAR_CELLS - over - alive, cells(storm.count("booting")));
  return `[${"#".repeat(over)}${"=".repeat(alive)}${"-".repeat(booting)}${".".repeat(BAR_CELLS - over - alive - booting)}]`;
}

/** The lines of a moment. */
function viewLines(
  storm: ViewSources["storm"],
  { elapsedSeconds, now, before }: { readonly elapsedSeconds: number; readonly now: Sample; readonly before: Sample },
): readonly string[] {
  const seconds = Math.max(0.001, (now.milliseconds - before.milliseconds) / 1000);
  const perSecond = (count: (sample: Sample) => number): string =>
    String(Math.round((count(now) - count(before)) / seconds));
  const { slowest } = storm;
  const counts = (["booting", "running", "ending", "done", "failed"] as const)
    .map((stage) => `${String(storm.count(stage))} ${stage}`)
    .join(", ");
  const commits = now.commits === undefined ? "" : `, ${perSecond((sample) => sample.commits ?? 0)} commits/s`;
  return [
    `${elapsedSeconds.toFixed(0)} s: ${counts} of ${String(storm.plan.vms)} machines`,
    `${perSecond(({ traffic }) => traffic.requests)} requests/s${commits}, ${perSecond(({ traffic }) => traffic.events)} events/s, ${String(now.traffic.conflicts)} EAGAIN`,
    slowest === undefined
      ? "no machine has booted yet"
      : `slowest boot: ${slowest.vm}, ${(slowest.milliseconds / 1000).toFixed(2)} s`,
  ];
}
