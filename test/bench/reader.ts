/**
 * `npm run bench -- reader [--commits N]`: what one value at one commit costs.
 *
 * Records N commits (50,000 unless told) of the stream with one value each, then reads random values of random commits: seq → oid →
 * commit → one tree a level → blob. Cold is the first reads of a new reader, warm are those after 20,000 others.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCommit } from "../../daemon/history/repository/find-commit.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { PackRanges } from "../../daemon/history/repository/pack-ranges.js";
import { readPath } from "../../daemon/history/repository/read-path.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import { SeqIndex } from "../../daemon/history/repository/seq-index.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { BenchmarkOptions, Figures } from "./figures.js";
import { streamCommits, streamPath, streamValue, type CommitStream } from "../support/commit-stream.js";

const COMMITS = 50_000;
const COLD_READS = 200;
const WARMING_READS = 20_000;
const WARM_READS = 20_000;

/** Records the stream into a new repository; returns its directory. */
function record(directory: string, stream: CommitStream, commits: number): string {
  const repositoryDirectory = join(directory, `${String(stream.domains)}.git`);
  createRepository(nodeFileSystem, repositoryDirectory);
  const place = { repositoryDirectory, ref: MAIN_REF, hostName: "bench" };
  const recorder = new HistoryRecorder({ fileSystem: nodeFileSystem, ...place });
  for (const commit of streamCommits(stream, 1, commits)) {
    recorder.record(commit);
    if (recorder.isFull) recorder.seal();
  }
  recorder.seal();
  recorder.close();
  return repositoryDirectory;
}

/** Microseconds of each of so many reads of random values; checks what it reads. */
function measure(read: (seq: number) => string | undefined, reads: number, commits: number): Float64Array {
  const times = new Float64Array(reads);
  for (let index = 0; index < reads; index++) {
    const seq = 2 + Math.floor(Math.random() * (commits - 1));
    const start = performance.now();
    const value = read(seq);
    times[index] = (performance.now() - start) * 1000;
    if (value !== streamValue(seq)) throw new Error(`commit ${String(seq)} has ${String(value)}`);
  }
  return times.sort();
}

function quantile(sorted: Float64Array, part: number): number {
  return Number((sorted[Math.floor((sorted.length - 1) * part)] as number).toFixed(1));
}

/** The reader's figures, by name; times are in microseconds. */
function measureReader(options: { commits: number; domains: number }): Record<string, number> {
  const { commits, domains } = options;
  const directory = mkdtempSync(join(tmpdir(), "xenstore-bench-"));
  try {
    const stream = { domains };
    const repositoryDirectory = record(directory, stream, commits);
    const index = new SeqIndex({ fileSystem: nodeFileSystem, repositoryDirectory, ref: MAIN_REF });
    const tip = new RefStore(nodeFileSystem, repositoryDirectory).read(MAIN_REF);
    if (tip === undefined) throw new Error("nothing was recorded");
    const readerOf =
      (reader: ObjectReader, packs = new PackRanges()) =>
      (seq: number): string | undefined => {
        const found = findCommit({ reader, index, tip, givenUp: new Set(), packs }, seq);
        return found === undefined ? undefined : readPath(reader, found.commit.tree, streamPath(stream, seq))?.value;
      };
    const cold = new Float64Array(COLD_READS);
    for (let round = 0; round < COLD_READS; round++) {
      const reader = new ObjectReader(nodeFileSystem, repositoryDirectory);
      cold.set(measure(readerOf(reader), 1, commits), round);
      reader.close();
    }
    cold.sort();
    const reader = new ObjectReader(nodeFileSystem, repositoryDirectory);
    const read = readerOf(reader);
    measure(read, WARMING_READS, commits);
    const warm = measure(read, WARM_READS, commits);
    const packs = nodeFileSystem.list(`${repositoryDirectory}/objects/pack`).filter((name) => name.endsWith(".pack"));
    const bytes = packs.reduce((sum, name) => sum + statSync(`${repositoryDirectory}/objects/pack/${name}`).size, 0);
    return {
      commits,
      domains,
      packs: packs.length,
      packMebibytes: Math.round(bytes / 1024 / 1024),
      coldMedianMicroseconds: quantile(cold, 0.5),
      coldP99Microseconds: quantile(cold, 0.99),
      warmMedianMicroseconds: quantile(warm, 0.5),
      warmP99Microseconds: quantile(warm, 0.99),
      cacheMebibytes: Number((reader.cachedBytes / 1024 / 1024).toFixed(1)),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `npm run bench -- reader [--commits N]`, with 10 domains and with 1,000. */
export function benchReader({ commits = COMMITS }: BenchmarkOptions): Promise<Figures> {
  return Promise.resolve({
    "10 domains": measureReader({ commits, domains: 10 }),
    "1000 domains": measureReader({ commits, domains: 1000 }),
  });
}
