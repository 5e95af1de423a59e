/**
 * One commit a second for a long time, in virtual time: what consolidation makes of the packs that hold one commit each.
 *
 * Owns the run and its figures; the bench prints them, a test compares them with the promise (at most 3 KB a commit with the
 * index, at most 50 packs). Every commit is sealed alone, and maintenance runs until it has nothing to do, as it does in
 * the recorder's thread within the second.
 */
import { setImmediate } from "node:timers/promises";
import { Maintenance } from "../../daemon/history/recorder/maintenance.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { packDirectory } from "../../daemon/history/repository/pack-file.js";
import type { FileSystem } from "../../daemon/platform/file-system.js";
import { streamCommits } from "./commit-stream.js";

/** What to run. */
export interface SlowStream {
  readonly fileSystem: FileSystem;
  /** Absolute; made. */
  readonly repositoryDirectory: string;
  readonly commits: number;
  readonly domains: number;
  /** Ends the run early, after the commit under way; never unless told. */
  readonly isOver?: () => boolean;
}

/** What came of it. */
export interface SlowStreamFigures {
  readonly commits: number;
  /** Bytes of the packs as they were sealed. */
  readonly sealedBytesPerCommit: number;
  /** Bytes of packs and indexes in the end. */
  readonly bytesPerCommit: number;
  /** Packs in use, at most and in the end. */
  readonly packsMax: number;
  readonly packs: number;
  /** Packs in the directory, those on their way out included, at most. */
  readonly packFilesMax: number;
  /** Processor time per commit. */
  readonly recordingMicroseconds: number;
  readonly maintenanceMicroseconds: number;
  /** The longest step, in wall-clock time. */
  readonly stepMillisecondsMax: number;
}

const RETIREMENT_MILLISECONDS = 10_000;

/** What Node frees only between two turns of its loop (streams of zlib) would pile up. */
const COMMITS_PER_TURN = 64;

/** Runs it. */
export async function runSlowStream(options: SlowStream): Promise<SlowStreamFigures> {
  const { fileSystem, repositoryDirectory, domains } = options;
  createRepository(fileSystem, repositoryDirectory);
  const recorder = new HistoryRecorder({ fileSystem, repositoryDirectory, ref: MAIN_REF, hostName: "host" });
  // The steps take real time, the seconds between the commits none.
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
  let [commits, packsMax, packFilesMax, recording, maintaining, stepMillisecondsMax] = [0, 0, 0, 0, 0, 0];
  const maintain = (): void => {
    const start = processorMicroseconds();
    while (maintenance.isDue) {
      const before = performance.now();
      maintenance.step();
      stepMillisecondsMax = Math.max(stepMillisecondsMax, performance.now() - before);
    }
    maintaining += processorMicroseconds() - start;
  };
  for (const commit of streamCommits({ domains, intervalMicroseconds: 1_000_000 }, 1, options.commits)) {
    const start = processorMicroseconds();
    recorder.record(commit);
    const pack = recorder.seal();
    recording += processorMicroseconds() - start;
    if (pack !== undefined) maintenance.noteSeal(pack);
    skippedMilliseconds += 1000;
    maintain();
    const { packs, packsRetired } = maintenance.progress();
    packsMax = Math.max(packsMax, packs);
    packFilesMax = Math.max(packFilesMax, packs + packsRetired);
    commits = commit.seq;
    if (commits % COMMITS_PER_TURN === 0) await setImmediate();
    if (options.isOver?.() === true) break;
  }
  skippedMilliseconds += RETIREMENT_MILLISECONDS;
  maintain();
  const { packs } = maintenance.progress();
  maintenance.close();
  return {
    commits,
    sealedBytesPerCommit: Math.round(recorder.progress().bytesSealed / commits),
    bytesPerCommit: Math.round(bytesIn(fileSystem, packDirectory(repositoryDirectory)) / commits),
    packsMax,
    packs,
    packFilesMax,
    recordingMicroseconds: Math.round(recording / commits),
    maintenanceMicroseconds: Math.round(maintaining / commits),
    stepMillisecondsMax: Math.round(stepMillisecondsMax),
  };
}

function processorMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function bytesIn(fileSystem: FileSystem, directory: string): number {
  let bytes = 0;
  for (const name of fileSystem.list(directory)) {
    const file = fileSystem.open(`${directory}/${name}`, "read");
    bytes += file.size();
    file.close();
  }
  return bytes;
}
