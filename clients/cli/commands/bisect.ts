/**
 * `xs bisect`: the commit that broke something.
 */
import { Option, type Command } from "commander";
import type { BisectQuery } from "../../../protocol/http-api/bisect.js";
import { bytesFromText } from "../../../protocol/bytes.js";
import type { Domid } from "../../../protocol/identifiers.js";
import { bisectByCommand, skippedText, type CommandAnswer } from "../bisect-run.js";
import { bisectText, counted, flipsWarning, numberOf } from "../bisect-text.js";
import { commitText, summaryLine } from "../commit-text.js";
import type { CliContext } from "../context.js";
import { examples, exitCodes, HISTORY_EXITS } from "../help-text.js";
import { ExitError, EXIT_FAILURE, usageError } from "../exit.js";
import { jsonLine } from "../format.js";
import { withHistory, withRepository } from "../history-source.js";
import { parseDomain, parseNumber } from "./parse-number.js";
import { repositoryOption } from "./repository-option.js";

interface BisectOptions {
  readonly repo?: string;
  readonly good?: string;
  readonly bad?: string;
  readonly domain?: Domid;
  readonly flips?: number;
  readonly run?: string;
}

/** Adds `xs bisect`. */
export function addBisect(program: Command, context: CliContext): void {
  program
    .command("bisect")
    .summary("find the commit that broke something, by halving")
    .description(
      "Finds the first bad commit between a good one and a bad one. PREDICATE tells the bad states: it is an expression, such " +
        "as 'value /local/domain/$D/device/vbd/51712/state = 6', or the name of a fault of the simulator (`xs-sim faults`). " +
        "It warns where the predicate flips more than once, for then there is more than one such commit. With --run a " +
        "command tells, as for `git bisect run`: 0 is good, 1 to 124 bad, 125 cannot tell, 126 and more end the bisection. " +
        "$XENSTORED_PATH is for it the socket of a XenStore that has the commit's state and refuses changes (EROFS), and its " +
        "output goes to standard error; what it leaves in the background is killed. Flips are not looked for.",
    )
    .argument("[predicate]", "what is true of bad states")
    .addOption(repositoryOption())
    .addOption(new Option("--good <revision>", "a commit that is good (default: the first)"))
    .addOption(
      new Option(
        "--bad <revision>",
        "a later one that is bad (default: HEAD; if a predicate holds no more there, the newest at which it does)",
      ),
    )
    .addOption(new Option("--domain <domid>", "what $D stands for in the predicate").argParser(parseDomain))
    .addOption(
      new Option(
        "--flips <commits>",
        "look for flips in so many commits, the newest; a daemon takes 10,000 at most (default: in as many as take a moment)",
      ).argParser(parseNumber),
    )
    .addOption(
      new Option("--run <command>", "a command that tells, instead of a predicate").conflicts(["domain", "flips"]),
    )
    .addHelpText(
      "after",
      exitCodes({
        ...HISTORY_EXITS,
        0: "the first bad commit was found",
        1: "only untold commits are left, --run ended with 126 or more, or no daemon",
        130: "ended by Ctrl-C",
      }),
    )
    .addHelpText(
      "after",
      examples([
        "xs bisect --domain 7 hotplug-script-fails",
        "xs bisect --good '@{10 minutes ago}' 'not exists /local/domain/7/device'",
        "xs bisect --run 'test \"$(xenstore-read /local/domain/7/state)\" != 6'",
      ]),
    )
    .action(async (predicate: string | undefined, options: BisectOptions) => {
      const { run } = options;
      if ((predicate === undefined) === (run === undefined)) {
        throw usageError(
          "say what is bad: either a predicate, such as 'exists /local/domain/7/error', or --run with a command",
        );
      }
      if (predicate !== undefined) await bisectByPredicate(predicate, options, context);
      else if (run !== undefined) await bisectByRunning(run, options, context);
    });
}

async function bisectByPredicate(predicate: string, options: BisectOptions, context: CliContext): Promise<void> {
  const { repo, good, bad, domain, flips } = options;
  const query: BisectQuery = { predicate, domain, good, bad, flips };
  await withHistory(context, repo, async (history) => {
    const answer = await history.ask("bisect", query);
    await context.io.out(context.isJson() ? jsonLine(answer) : bisectText(answer));
    // Who says how far is not told that it was no farther.
    const warning = flips === undefined || answer.flips.count > 1 ? flipsWarning(answer.flips) : undefined;
    if (warning !== undefined) context.io.err(`xs: warning: ${warning}\n`);
  });
}

async function bisectByRunning(command: string, options: BisectOptions, context: CliContext): Promise<void> {
  const { io } = context;
  const interruption = new AbortController();
  const forget = io.onInterrupt((exitCode) => {
    interruption.abort(new ExitError(exitCode));
  });
  try {
    const answer = await withRepository(context, options.repo, (question) =>
      bisectByCommand(question, {
        command,
        good: options.good,
        bad: options.bad,
        environment: io.environment,
        signal: interruption.signal,
        progress: (line) => {
          io.err(`${line}\n`);
        },
      }),
    );
    await io.out(context.isJson() ? jsonLine(answer) : commandText(answer));
    if (answer.first === undefined) throw new ExitError(EXIT_FAILURE);
  } finally {
    forget();
  }
}

function commandText(answer: CommandAnswer): string {
  const { good, bad, first, candidates = [], steps } = answer;
  if (first === undefined) {
    return `${bytesFromText(skippedText(answer))}\n\n${candidates.map((commit) => summaryLine(commit)).join("")}`;
  }
  const between = `between ${numberOf(good)} (good) and ${numberOf(bad)} (bad)`;
  const found = `${numberOf(first)} is the first bad commit, found in ${counted(steps, "step")} ${between}`;
  return bytesFromText(`${found}\nflips were not looked for: a command was asked\n\n`) + commitText(first);
}
