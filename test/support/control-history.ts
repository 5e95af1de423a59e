/**
 * What CONTROL `history` answers, as values.
 *
 * Owns the reading of its lines, `name: value`, for tests and benchmarks.
 */

/** Where the history is. */
export interface HistoryStatus {
  readonly seq: number;
  readonly sealed: number;
  readonly lagCommits: number;
  readonly lagBytes: number;
  readonly lagSeconds: number;
  readonly journalBytes: number;
  /** `not slowed`, `slowed`, `held`, or `refused with` an error. */
  readonly writers: string;
  /** `running`, or what keeps it from sealing. */
  readonly recorder: string;
}

/** Reads the answer. Throws when a line is missing. */
export function parseHistoryStatus(text: string): HistoryStatus {
  const field = (name: string, value: RegExp): string => {
    const line = new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1];
    const found = line === undefined ? undefined : value.exec(line)?.[1];
    if (found === undefined) throw new Error(`CONTROL history tells no ${name}: ${text}`);
    return found;
  };
  const number = (name: string, value = /^([0-9]+)/): number => Number(field(name, value));
  return {
    seq: number("seq"),
    sealed: number("sealed"),
    lagCommits: number("lag", /([0-9]+) commits/),
    lagBytes: number("lag", /([0-9]+) bytes/),
    lagSeconds: number("lag", /([0-9.]+) seconds/),
    journalBytes: number("journal bytes"),
    writers: field("writers", /^(.*)$/),
    recorder: field("recorder", /^(.*)$/),
  };
}
