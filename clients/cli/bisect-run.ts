/**
 * A bisection by a command, which is run at a commit with its state served on a socket.
 *
 * Owns the course of it: what the command's exit code says (as for `git bisect run`), that both ends are what they are said
 * to be, the progress that is told, and that nothing is left when it ends, however it ends.
 */
import { commitJson, summaryJson } from "../../daemon/history/query/commit-json.js";
import { summarizeCommit } from "../../daemon/history/query/commit-summary.js";
import type { BisectRange, BisectRevisions } from "../../daemon/history/query/bisect-ends.js";
import { resolveEnds } from "../../daemon/history/query/bisect-ends.js";
import { Bisection, type Verdict } from "../../daemon/history/query/bisection.js";
import type { Question } from "../../daemon/history/query/question.js";
import { showCommit } from "../../daemon/history/query/show.js";
import { mountCommit } from "../../daemon/read-only-mount.js";
import type { CommitJson, CommitSummaryJson } from "../../protocol/http-api/commit.js";
import { QueryError } from "../../protocol/http-api/history-queries.js";
import { counted } from "./bisect-text.js";
import { ExitError, EXIT_FAILURE } from "./exit.js";
import { withMountDirectory } from "./mount-directory.js";
import { runCommand } from "./run-command.js";

/** The command cannot tell. */
const SKIPPED = 125;
/** What a shell answers for a command that it cannot run; from here on nothing is said of the state. */
const FAILED_MIN = 126;

/** What to run, and where. */
export interface CommandBisection extends BisectRevisions {
  readonly command: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends it; it rejects with the signal's reason then. */
  readonly signal: AbortSignal;
  /** Takes lines for people. */
  readonly progress: (line: string) => void;
}

/** What was found: the first bad commit, or, where the command could not tell, those among which it is. */
export interface CommandAnswer {
  readonly command: string;
  readonly good: CommitSummaryJson;
  readonly bad: CommitSummaryJson;
  readonly first?: CommitJson;
  readonly candidates?: readonly CommitSummaryJson[];
  readonly steps: number;
}

/** Bisects. @throws QueryError, RevisionError, and an ExitError when the command cannot be run */
export async function bisectByCommand(question: Question, bisection: CommandBisection): Promise<CommandAnswer> {
  const range = resolveEnds(question, bisection);
  return withMountDirectory(async (directory) => search(question, range, { ...bisection, directory }));
}

interface MountedBisection extends CommandBisection {
  readonly directory: string;
}

async function search(question: Question, range: BisectRange, mounted: MountedBisection): Promise<CommandAnswer> {
  const { good, bad, line } = range;
  const { command, progress } = mounted;
  const judge = async (seq: number): Promise<Judgement> => judgeCommit(question, { range, seq }, mounted);
  progress(`is good, ${good.name}, good?`);
  const atGood = await judge(good.seq);
  progress(`  ${wordsOf(atGood)}\nis bad, ${bad.name}, bad?`);
  const atBad = await judge(bad.seq);
  progress(`  ${wordsOf(atBad)}`);
  if (atGood.verdict !== "good" || atBad.verdict !== "bad") {
    throw new QueryError(
      `the command must end with 0 at good, ${good.name}, and with 1 to 124 at bad, ${bad.name}; ` +
        `it ended with ${String(atGood.code)} at good and with ${String(atBad.code)} at bad`,
    );
  }
  const bisection = new Bisection({ good: good.seq, bad: bad.seq });
  for (let seq = bisection.next(); seq !== undefined; seq = bisection.next()) {
    const step = bisection.steps + 1;
    progress(`step ${String(step)} of about ${String(bisection.steps + bisection.stepsLeft)}: @{${String(seq)}}`);
    const judgement = await judge(seq);
    progress(`  ${wordsOf(judgement)}`);
    bisection.take(seq, judgement.verdict);
  }
  const { end, steps } = bisection;
  const answer = {
    command,
    good: summaryJson(summarizeCommit(good.found)),
    bad: summaryJson(summarizeCommit(bad.found)),
    steps,
  };
  const commits = (end.kind === "found" ? [end.seq] : end.candidates).map((seq) => mustFind(line.find(seq)));
  if (end.kind === "skipped") {
    return { ...answer, candidates: commits.map((found) => summaryJson(summarizeCommit(found))) };
  }
  const [first] = commits;
  return { ...answer, first: commitJson(showCommit(question.view, mustFind(first))) };
}

interface Judgement {
  readonly verdict: Verdict;
  readonly code: number;
}

async function judgeCommit(
  { view }: Question,
  { range, seq }: { readonly range: BisectRange; readonly seq: number },
  { command, environment, signal, directory }: MountedBisection,
): Promise<Judgement> {
  const mount = await mountCommit(view, mustFind(range.line.find(seq)), directory);
  try {
    const code = await runCommand({
      command,
      environment: { ...environment, XENSTORED_PATH: mount.socketPath },
      signal,
    });
    signal.throwIfAborted();
    if (code >= FAILED_MIN) {
      throw new ExitError(
        EXIT_FAILURE,
        `the command ended with ${String(code)} at @{${String(seq)}}${meaningOf(code)}, which judges nothing: ` +
          "0 is good, 1 to 124 bad, 125 cannot tell",
      );
    }
    if (code === SKIPPED) return { verdict: "skip", code };
    return { verdict: code === 0 ? "good" : "bad", code };
  } finally {
    mount.close();
  }
}

/** What a shell means by a code that judges nothing. */
function meaningOf(code: number): string {
  if (code === 126) return " (it cannot be executed)";
  if (code === 127) return " (it was not found)";
  return code > 128 ? ` (signal ${String(code - 128)} ended it)` : "";
}

function wordsOf({ verdict, code }: Judgement): string {
  return verdict === "skip" ? "skipped: it cannot tell (125)" : `${verdict} (${String(code)})`;
}

function mustFind<T>(found: T | undefined): T {
  if (found === undefined) throw new Error("a commit that was there is gone: the history was cut meanwhile");
  return found;
}

/** The end of the answer where the command could not tell, without the commits. */
export function skippedText({ steps, candidates = [] }: CommandAnswer): string {
  return (
    `the first bad commit is one of these ${counted(candidates.length, "commit")}; at all but the last the command could not ` +
    `tell (found in ${counted(steps, "step")})`
  );
}
