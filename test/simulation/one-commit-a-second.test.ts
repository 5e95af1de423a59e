/** Consolidation in the long run, in virtual time; `npm run bench -- consolidation` runs it for 1,000,000 commits. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { runSlowStream } from "../support/slow-stream.js";

const COMMITS = 5000;

describe("one commit a second over 1,000 domains", () => {
  it("costs at most 3 KB a commit once consolidated, in at most 50 packs at any moment", async () => {
    const fileSystem = createMemoryFileSystem();
    fileSystem.makeDirectory("/state");
    const figures = await runSlowStream({
      fileSystem,
      repositoryDirectory: join("/state", "store.git"),
      commits: COMMITS,
      domains: 1000,
    });
    expect(figures.commits).toBe(COMMITS);
    expect(figures.sealedBytesPerCommit).toBeGreaterThan(30_000);
    expect(figures.bytesPerCommit).toBeLessThanOrEqual(3000);
    expect(figures.packFilesMax).toBeLessThanOrEqual(50);
  }, 180_000);
});
