/**
 * The command line of `xs-sim import`.
 *
 * Owns its flags and the exit codes: 0 when there is a history, also where lines were skipped, 2 when there is none.
 */
import { Command, Option } from "commander";
import type { LogFormat } from "./log-entry.js";
import { describeImport } from "./report.js";
import { runImport } from "./run-import.js";

interface ImportFlags {
  readonly into: string;
  readonly format?: LogFormat;
  readonly json?: boolean;
}

const AFTER = `
FILE is the access log of oxenstored or the trace of C xenstored (-T). Each change that it tells of becomes a commit with its
time, its domain and its connection, a transaction one commit at its end. DIR is then what \`xenstored-tng --dir DIR\` opens;
what an import that was interrupted leaves there, \`state.incomplete\`, the next one removes.

A log knows only what changed, and only while it was written: nodes and domains from before that its requests needed are made
just before those, empty, by the connection \`import\`, and missing parents as WRITE makes them. Oxenstored's values are cut at 180 characters and end in \`..\`, and C's trace does not say to which transaction a request
belongs (the newest that its connection has open).

Exit codes: 0 there is a history (lines that could not be used are listed), 2 there is none, also where nothing in FILE
changes the store.

Examples:
  xs-sim import xenstored-access.log --into incident
  git -C incident/state/store.git log -p -- local/domain/5
  xenstored-tng --dir incident`;

/** The command \`import\`. */
export function importCommand(): Command {
  return new Command("import")
    .description("Make a Git history of another daemon's log.")
    .argument("<file>", "the log")
    .addOption(new Option("--into <dir>", "new directory for the history").makeOptionMandatory())
    .addOption(new Option("--format <format>", "told apart by its lines when left out").choices(["oxenstored", "c"]))
    .option("--json", "print the report as JSON, and nothing else")
    .addHelpText("after", AFTER)
    .allowExcessArguments(false)
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    })
    .action(async (file: string, flags: ImportFlags) => {
      process.exitCode = await execute(file, flags);
    });
}

async function execute(file: string, { into, format, json }: ImportFlags): Promise<number> {
  try {
    const report = await runImport({
      file,
      directory: into,
      format,
      progress:
        json === true
          ? undefined
          : (done, of) => {
              process.stderr.write(`${String(done)} of ${String(of)} changes\n`);
            },
    });
    process.stdout.write(json === true ? `${JSON.stringify(report, undefined, 2)}\n` : describeImport(report));
    return 0;
  } catch (error) {
    process.stderr.write(`xs-sim: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}
