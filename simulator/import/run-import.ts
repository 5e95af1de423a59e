/**
 * An import from a file into a new state directory.
 *
 * Owns reading the file, telling the formats apart, and what is left in DIR when it fails: nothing. What is left of an import
 * that was killed is no state yet, and the next one removes it.
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, join, resolve } from "node:path";
import { createHistory } from "../../daemon/history-writer.js";
import { importLog, type ImportOutcome } from "./import-log.js";
import { parseCLog } from "./c-log.js";
import { LOG_FORMATS, type LogFormat, type ParsedLog, type SkippedLine } from "./log-entry.js";
import { parseOxenstoredLog } from "./oxenstored-log.js";

const PARSERS: Readonly<Record<LogFormat, (lines: readonly string[]) => ParsedLog>> = {
  oxenstored: parseOxenstoredLog,
  c: parseCLog,
};
/** The progress is told after so many entries. */
const PROGRESS_ENTRIES = 5000;

/** What to import, and whereto. */
export interface RunImportOptions {
  readonly file: string;
  /** As a daemon's `--dir`: the history is in `state/store.git`. */
  readonly directory: string;
  /** Told apart by the lines when undefined. */
  readonly format: LogFormat | undefined;
  readonly progress: ((done: number, of: number) => void) | undefined;
}

/** What `--json` prints. */
export interface ImportReport extends ImportOutcome {
  readonly file: string;
  readonly format: LogFormat;
  readonly repository: string;
  readonly lines: number;
  readonly conflicts: number;
  readonly abandoned: number;
  readonly skipped: readonly SkippedLine[];
  readonly notes: readonly string[];
}

/** It cannot be imported; the message is for people. */
export class ImportError extends Error {
  override readonly name = "ImportError";
}

/** Runs it; rejects with an ImportError where nothing can be read, and with what the disk says. */
export async function runImport({ file, directory, format, progress }: RunImportOptions): Promise<ImportReport> {
  const lines = readLines(file);
  const { log, format: found } = parse(file, lines, format);
  const stateDirectory = join(resolve(directory), "state");
  let writer;
  try {
    writer = createHistory({ stateDirectory, hostName: hostname() });
  } catch (error) {
    throw new ImportError(messageOf(error), { cause: error });
  }
  try {
    const outcome = await importLog({
      log,
      source: `import of ${basename(file)}`,
      committed: writer.record.bind(writer),
      progress: (done) => {
        if (done % PROGRESS_ENTRIES === 0) progress?.(done, log.entries.length);
      },
    });
    if (outcome.changes === 0) throw new ImportError(describeNothing(file, found, outcome));
    writer.finish();
    const { skipped, conflicts, abandoned } = log;
    return {
      file,
      format: found,
      repository: writer.repository,
      lines: lines.length,
      conflicts,
      abandoned,
      skipped,
      notes: [...log.notes, ...notesOf(log, outcome)],
      ...outcome,
    };
  } finally {
    writer.abandon();
  }
}

/** What the history says of the time before the log. */
function notesOf({ tellsMissing }: ParsedLog, { earlierNodes }: ImportOutcome): readonly string[] {
  const notes = [
    "of what there was before the log begins the history has what a request needed, without values: it is made just before that, by the connection `import`; the rest comes when the log first tells of it, or never",
  ];
  if (earlierNodes > 0 && !tellsMissing) {
    notes.push(
      "the log does not tell which requests failed because there was no node, so some of the nodes that `import` made may never have been: oxenstored tells it with access-log-read-ops = true",
    );
  }
  return notes;
}

function describeNothing(file: string, format: LogFormat, { refused, emptyRemovals }: ImportOutcome): string {
  const [first] = [...refused, ...emptyRemovals];
  const example = first === undefined ? "" : `, such as line ${String(first.line)}: ${first.reason}`;
  return `nothing that ${file}, ${LOG_FORMATS[format]}, tells of changes the store${example}: there is nothing to import`;
}

function readLines(file: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch (error) {
    throw new ImportError(`${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

interface Parsed {
  readonly log: ParsedLog;
  readonly format: LogFormat;
}

function parse(file: string, lines: readonly string[], format: LogFormat | undefined): Parsed {
  const formats = format === undefined ? (Object.keys(PARSERS) as readonly LogFormat[]) : [format];
  const parsed = formats.map((each): Parsed => ({ format: each, log: PARSERS[each](lines) }));
  const [best] = [...parsed].sort((left, right) => right.log.understood - left.log.understood);
  if (best === undefined || best.log.understood === 0) {
    const wanted = formats.map((each) => LOG_FORMATS[each]).join(" nor ");
    const [first] = best?.log.skipped ?? [];
    const where =
      first === undefined ? "it has no lines" : `its first line that is no comment is ${String(first.line)}`;
    throw new ImportError(
      `${file} is ${formats.length > 1 ? "neither " : "not "}${wanted}: no line of it can be read (${where})`,
    );
  }
  if (best.log.entries.every(({ action }) => action.kind === "closed")) {
    throw new ImportError(
      `${file}, ${LOG_FORMATS[best.format]} of ${String(lines.length)} lines, tells of no change of the store: there is nothing to import`,
    );
  }
  return best;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
