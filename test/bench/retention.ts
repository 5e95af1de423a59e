/**
 * What dropping history costs and frees: a long history over 1,000 domains, of which the newest tenth stays.
 *
 * Owns the run: commits are recorded, sealed and merged as fast as they come, then all before the boundary is dropped at a
 * stroke: 50,000 of them unless `--commits` says otherwise. In memory (`/dev/shm`) where there is one: it measures the
 * processor's work, not a disk's.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Maintenance } from "../../daemon/history/recorder/maintenance.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import type { CompactionAnswer } from "../../daemon/history/recorder/retention.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { packDirectory } from "../../daemon/history/repository/pack-file.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { BenchmarkOptions, Figures } from "./figures.js";
import { streamCommits } from "../support/commit-stream.js";

const COMMITS = 50_000;
const DOMAINS = 1000;
const KEPT_PART = 0.1;
const RETIREMENT_MILLISECONDS = 1000;
const SHARED_MEMORY = "/dev/shm";

/** Runs it. */
export function benchRetention({ commits = COMMITS }: BenchmarkOptions): Promise<Figures> {
  const directory = mkdtempSync(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), "xenstore-bench-"));
  try {
    return Promise.resolve(run(join(directory, "store.git"), commits));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(repositoryDirectory: string, commits: number): Record<string, number> {
  const fileSystem = nodeFileSystem;
  createRepository(fileSystem, repositoryDirectory);
  const recorder = new HistoryRecorder({ fileSystem, repositoryDirectory, ref: MAIN_REF, hostName: "host" });
  let skippedMilliseconds = 0;
  const maintenance = new Maintenance({
    fileSystem,
    repositoryDirectory,
    monotonicMilliseconds: () => performance.now() + skippedMilliseconds,
    retirementMillisecondsMin: RETIREMENT_MILLISECONDS,
    retirementMilliseconds: RETIREMENT_MILLISECONDS,
    isInUse: () => false,
    onFailure: (reason) => {
      throw new Error(reason);
    },
  });
  const work = (): void => {
    while (maintenance.isDue) maintenance.step();
  };
  const settle = (): void => {
    work();
    skippedMilliseconds += RETIREMENT_MILLISECONDS;
    work();
  };
  const seal = (): void => {
    const pack = recorder.seal();
    if (pack === undefined) return;
    maintenance.noteSeal(pack);
    settle();
  };
  for (const commit of streamCommits({ domains: DOMAINS }, 1, commits)) {
    recorder.record(commit);
    if (recorder.isFull) seal();
  }
  seal();
  const bytesBefore = bytesIn(packDirectory(repositoryDirectory));
  const answers: CompactionAnswer[] = [];
  let stepMillisecondsMax = 0;
  const start = performance.now();
  maintenance.compact(`@{${String(Math.round(commits * (1 - KEPT_PART)))}}`, (answer) => {
    answers.push(answer);
  });
  while (answers.length === 0) {
    const before = performance.now();
    maintenance.step();
    stepMillisecondsMax = Math.max(stepMillisecondsMax, performance.now() - before);
  }
  const seconds = (performance.now() - start) / 1000;
  settle();
  maintenance.close();
  if (JSON.stringify(answers) !== "[{}]") throw new Error(`the history was not dropped: ${JSON.stringify(answers)}`);
  const kept = execFileSync("git", ["--git-dir", repositoryDirectory, "rev-list", "--count", "main"]);
  return {
    commits,
    keptCommits: Number(kept.toString()),
    compactionSeconds: Number(seconds.toFixed(1)),
    stepMillisecondsMax: Math.round(stepMillisecondsMax),
    bytesBefore,
    bytesAfter: bytesIn(packDirectory(repositoryDirectory)),
  };
}

function bytesIn(directory: string): number {
  let bytes = 0;
  for (const name of nodeFileSystem.list(directory)) {
    const file = nodeFileSystem.open(`${directory}/${name}`, "read");
    bytes += file.size();
    file.close();
  }
  return bytes;
}
