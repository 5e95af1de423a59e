/**
 * What consolidation costs and gains: one commit a second over 1,000 domains, each sealed alone, in virtual time.
 *
 * Runs for `--commits` commits (50,000 unless told) or `--seconds` (1,200), whichever comes first. In memory (`/dev/shm`)
 * where there is one: it measures the processor's work, not a disk's.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { BenchmarkOptions, Figures } from "./figures.js";
import { runSlowStream } from "../support/slow-stream.js";

const COMMITS = 50_000;
const SECONDS = 1200;
const SHARED_MEMORY = "/dev/shm";

/** Runs it. */
export async function benchConsolidation({ commits = COMMITS, seconds = SECONDS }: BenchmarkOptions): Promise<Figures> {
  const directory = mkdtempSync(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), "xenstore-bench-"));
  const end = performance.now() + seconds * 1000;
  try {
    const figures = await runSlowStream({
      fileSystem: nodeFileSystem,
      repositoryDirectory: join(directory, "store.git"),
      commits,
      domains: 1000,
      isOver: () => performance.now() > end,
    });
    return { ...figures };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
