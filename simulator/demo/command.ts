/**
 * The command line of the demo, for `npm run demo` and for `xs-sim demo`.
 *
 * Owns its flags, its exit codes (0 as expected, 1 not, 2 when it could not be run, 130 interrupted) and what it takes from the
 * process: terminal and signals.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Command } from "commander";
import { exitCodeOf } from "../cannot-run-error.js";
import { runDemo } from "./run-demo.js";

const AFTER_HELP = `
Examples:
  npm run demo                 # twenty machines boot, one fails, its commit is found; on a terminal it serves until Enter
  npm run demo -- --keep       # the Git repository stays for you to look at`;

/** The command \`demo\`. */
export function demoCommand(): Command {
  return new Command("demo")
    .description(
      "Start a daemon in a temporary directory, boot 20 machines, one of them faulty, and find the commit that broke it.",
    )
    .option("--keep", "keep the directory, and say where it is")
    .addHelpText("after", AFTER_HELP)
    .allowExcessArguments(false)
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    })
    .action(async (flags: { keep?: boolean }) => {
      process.exitCode = await execute(flags.keep === true);
    });
}

async function execute(keep: boolean): Promise<number> {
  const output = process.stdout;
  const interruption = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => {
      interruption.abort(new Error(`interrupted by ${name}`));
    });
  }
  // Whoever read the output has gone; without a listener, the process would end and leave the daemon behind.
  output.on("error", (error) => {
    interruption.abort(error);
  });
  const { signal } = interruption;
  const isTerminal = process.stdin.isTTY && output.isTTY;
  try {
    const asExpected = await runDemo({
      keep,
      output,
      isTerminal,
      waitForUser: () => waitForUser(signal),
      signal,
    });
    return asExpected ? 0 : 1;
  } catch (error) {
    // Control-C reaches the daemon too, and its end may have been noticed first.
    if (signal.aborted) {
      output.write("\n");
      return 130;
    }
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCodeOf(error);
  }
}

/** Resolves when somebody presses Enter, or nobody will. */
async function waitForUser(signal: AbortSignal): Promise<void> {
  const input = createInterface({ input: process.stdin, signal });
  // An open standard input would keep the process alive.
  input.once("line", () => {
    input.close();
  });
  await once(input, "close");
}
