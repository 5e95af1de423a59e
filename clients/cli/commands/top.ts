/**
 * `xs top`: what a daemon does, as it does it.
 *
 * Owns the loop: a look at the daemon each interval, and a screen that is painted over where a person reads it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { InvalidArgumentError, Option, type Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import { HISTORY_ROUTES, type LogPage } from "../../../protocol/http-api/history-queries.js";
import type { AdminClient } from "../admin-client.js";
import type { CliContext } from "../context.js";
import { ExitError } from "../exit.js";
import { jsonLine } from "../format.js";
import { ADMIN_EXITS, examples, exitCodes } from "../help-text.js";
import { withAdmin } from "../history-source.js";
import { ScrapedMetrics } from "../scraped-metrics.js";
import { topFigures, type TopSample } from "../top-figures.js";
import { topScreen } from "../top-screen.js";
import { parseNumber } from "./parse-number.js";

interface TopOptions {
  readonly count?: number;
  readonly interval: number;
}

/** So many of the commits of an interval are looked at. */
const COMMITS_LOOKED = 1000;
const INTERVAL_SECONDS_MIN = 0.1;
/** Where the cursor was; the lines below go. */
const REPAINT = "\x1b[H\x1b[J";
const CLEAR = "\x1b[2J";

/** Adds `xs top`. */
export function addTop(program: Command, context: CliContext): void {
  program
    .command("top")
    .summary("show what the daemon does: requests, conflicts, busiest paths and domains")
    .description(
      "Shows how many requests, commits and conflicts there were in the last interval, how far the history is behind, which " +
        "operations took the time, and which domains and paths the commits were of (the newest 1,000 of an interval). Until " +
        "Ctrl-C. It needs a daemon that counts (not --no-metrics), and is about main.",
    )
    .addOption(new Option("-i, --interval <seconds>", "how often").default(1).argParser(parseInterval))
    .addOption(new Option("-n, --count <count>", "end after so many intervals").argParser(parseNumber))
    .addHelpText("after", exitCodes({ ...ADMIN_EXITS, 130: "ended by Ctrl-C" }))
    .addHelpText("after", examples(["xs top", "xs top -i 5", "xs top -n 1 --json | jq .operations"]))
    .action(async (options: TopOptions) => {
      await withAdmin(context, (admin) => showTop(admin, options, context));
    });
}

function parseInterval(text: string): number {
  const seconds = /^[0-9]{1,6}(?:\.[0-9]{1,3})?$/.test(text) ? Number(text) : NaN;
  if (seconds >= INTERVAL_SECONDS_MIN) return seconds;
  throw new InvalidArgumentError(`It is a number of seconds, at least ${String(INTERVAL_SECONDS_MIN)}.`);
}

async function showTop(
  admin: AdminClient,
  { interval, count = Infinity }: TopOptions,
  context: CliContext,
): Promise<void> {
  const { io } = context;
  const interrupted = new AbortController();
  const forget = io.onInterrupt((exitCode) => {
    interrupted.abort(new ExitError(exitCode));
  });
  const isPainted = io.isTerminal && !context.isJson();
  try {
    if (isPainted) await io.out(CLEAR);
    let before = await takeSample(admin, undefined);
    for (let shown = 0; shown < count; shown++) {
      await delay(interval * 1000, undefined, { signal: interrupted.signal });
      const after = await takeSample(admin, before);
      const figures = topFigures(before, after);
      before = after;
      if (context.isJson()) await io.out(jsonLine(figures));
      else {
        const lines = topScreen(figures, io.columns ?? Infinity);
        await io.out(bytesFromText(`${isPainted ? REPAINT : shown > 0 ? "\n" : ""}${lines.join("\n")}\n`));
      }
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    forget();
  }
  interrupted.signal.throwIfAborted();
}

interface SampleSince extends TopSample {
  /** The newest commit there was. */
  readonly tip: CommitSummaryJson | undefined;
}

/** @param before - the sample before; undefined for the first, which has no commits */
async function takeSample(admin: AdminClient, before: SampleSince | undefined): Promise<SampleSince> {
  const metrics = new ScrapedMetrics(await admin.text("/metrics"));
  const milliseconds = performance.now();
  const limit = before === undefined ? 1 : COMMITS_LOOKED;
  const { commits } = await admin.get<LogPage>(HISTORY_ROUTES.log, { limit });
  const last = before?.tip?.seq ?? Infinity;
  return {
    milliseconds,
    metrics,
    tip: commits[0],
    commits: commits.filter(({ seq = 0 }) => seq > last),
  };
}
