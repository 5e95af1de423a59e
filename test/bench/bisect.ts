/**
 * `npm run bench -- bisect [--commits N] [--rounds N]`: finding the commit that made a predicate true, by us and by
 * `git bisect run`.
 *
 * Owns the history (100,000 commits over 100 domains unless told, each of which writes a value, and one of which, in the last
 * third, breaks something for good) and the comparison, in turns: our answer to the question that `xs bisect` asks, with the flips
 * that it looks for in that time, on a history that was just opened and then once more, as the daemon answers it; and `git bisect run` on a clone, with a script that
 * asks `git cat-file` for the same value of the same node and checks nothing out (`--no-checkout`). Git reads all commits in
 * question before its first step; where there are more than `GIT_COMMITS_MAX` it is given that many around the one that is
 * looked for, and the figures say so.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localHistory } from "../../daemon/history/query/local-history.js";
import { openHistory } from "../../daemon/history/query/history.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { createNodeClock } from "../../daemon/platform/node-clock.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { Commit } from "../../daemon/store/commit.js";
import type { BisectAnswer } from "../../protocol/http-api/bisect.js";
import type { Path } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { streamCommit, streamCommits, type CommitStream } from "../support/commit-stream.js";
import { median, type BenchmarkOptions, type Figures } from "./figures.js";

const COMMITS = 100_000;
const ROUNDS = 5;
const INDEXED_AT_ONCE = 4096;
const STREAM: CommitStream = { domains: 100 };
const GIT_COMMITS_MAX = 1_000_000;
/** The disk of a domain breaks. */
const BROKEN_NODE = "/local/domain/7/device/vbd/51712/error";
const BROKEN_PART = 0.7;
const PREDICATE = "value /local/domain/$D/device/vbd/51712/error = broken";

/** Runs it. */
export async function benchBisect({ commits = COMMITS, rounds = ROUNDS }: BenchmarkOptions): Promise<Figures> {
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "xenstore-bisect-"));
  try {
    return await compare(directory, commits, rounds);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function compare(directory: string, commits: number, rounds: number): Promise<Figures> {
  const repository = join(directory, "store.git");
  const broken = Math.round(commits * BROKEN_PART);
  record(repository, commits, broken);
  const clone = join(directory, "clone");
  git(directory, ["clone", "--quiet", "--no-checkout", `file://${repository}`, clone]);
  const script = join(directory, "is-good");
  const node = BROKEN_NODE.slice(1);
  writeFileSync(script, `#!/bin/sh\n[ "$(git cat-file blob BISECT_HEAD:${node} 2>/dev/null)" != broken ]\n`, {
    mode: 0o755,
  });
  const gitCommits = Math.min(commits, GIT_COMMITS_MAX);
  const gitGood = Math.max(1, Math.min(broken - Math.round(gitCommits * BROKEN_PART), commits - gitCommits));
  const gitBad = Math.min(commits, gitGood + gitCommits);

  const ours: number[] = [];
  const warm: number[] = [];
  const gits: number[] = [];
  const ratios: number[] = [];
  let answer: BisectAnswer | undefined;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const history = openHistory(nodeFileSystem, repository);
    const question = { predicate: PREDICATE, domain: 7, good: "@{1}", bad: "main" };
    const queries = localHistory(history, createNodeClock());
    answer = await queries.ask("bisect", question);
    const milliseconds = performance.now() - start;
    await queries.ask("bisect", question);
    warm.push(performance.now() - start - milliseconds);
    history.close();
    if (answer.first.seq !== broken) throw new Error(`found @{${String(answer.first.seq)}} and not ${String(broken)}`);
    const gitMilliseconds = bisectByGit(clone, { good: gitGood, bad: gitBad, tip: commits, script }, answer.first.oid);
    ours.push(milliseconds);
    gits.push(gitMilliseconds);
    ratios.push(gitMilliseconds / milliseconds);
    process.stderr.write(
      `round ${String(round + 1)}: ${milliseconds.toFixed(1)} ms, again ${String(warm.at(-1)?.toFixed(1))} ms, git bisect run ${gitMilliseconds.toFixed(0)} ms\n`,
    );
  }
  return {
    commits,
    gitCommits: gitBad - gitGood,
    steps: answer?.steps ?? 0,
    flipsLookedForInCommits: answer?.flips.looked ?? 0,
    medianMilliseconds: Number(median(ours).toFixed(1)),
    mostMilliseconds: Number(Math.max(...ours).toFixed(1)),
    againMedianMilliseconds: Number(median(warm).toFixed(1)),
    againMostMilliseconds: Number(Math.max(...warm).toFixed(1)),
    gitMedianMilliseconds: Math.round(median(gits)),
    // The median of the rounds' ratios: how many times as long git takes.
    ratio: Number(median(ratios).toFixed(1)),
  };
}

function bisectByGit(
  clone: string,
  { good, bad, tip, script }: { good: number; bad: number; tip: number; script: string },
  first: string,
): number {
  const start = performance.now();
  git(clone, [
    "bisect",
    "start",
    "--no-checkout",
    "--first-parent",
    `main~${String(tip - bad)}`,
    `main~${String(tip - good)}`,
  ]);
  const output = git(clone, ["bisect", "run", script]);
  const milliseconds = performance.now() - start;
  if (!output.includes(`${first} is the first bad commit`)) throw new Error(`git found another commit:\n${output}`);
  git(clone, ["bisect", "reset"]);
  return milliseconds;
}

/** Records as the daemon does, packs of many commits, and the indexes. */
function record(repositoryDirectory: string, commits: number, broken: number): void {
  createRepository(nodeFileSystem, repositoryDirectory);
  const place = { repositoryDirectory, ref: MAIN_REF, hostName: "bench" };
  const recorder = new HistoryRecorder({ fileSystem: nodeFileSystem, ...place });
  for (const commit of streamCommits(STREAM, 1, commits)) {
    recorder.record(commit.seq === broken ? breaking(commit.seq) : commit);
    if (recorder.isFull) recorder.seal();
  }
  recorder.seal();
  // As a daemon does that has a moment of rest.
  while (recorder.isIndexIncomplete) recorder.repairIndex(INDEXED_AT_ONCE);
  recorder.close();
}

function breaking(seq: number): Commit {
  const after = { value: "broken", perms: parsePerms(["n0"]) as Perms };
  const changes = [{ kind: "node", path: BROKEN_NODE as Path, before: undefined, after }] as const;
  return { ...streamCommit(STREAM, seq), changes };
}

function git(directory: string, args: readonly string[]): string {
  return execFileSync("git", args, {
    cwd: directory,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 26,
  });
}
