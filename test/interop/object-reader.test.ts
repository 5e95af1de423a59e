/** Reading objects while git rewrites the packs under the reader. */
import { spawn } from "node:child_process";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { streamCommits } from "../support/commit-stream.js";
import { seed } from "../support/seed.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { objectsByGit } from "../unit/daemon/history/repository/repository-support.js";

/** Each round leaves other packs than the one before: whole objects, deltas, and two packs instead of one. */
const REPACKS = `
for round in 1 2 3 4 5 6; do
  git repack -adfq --depth=0 --window=0
  git repack -adfq --depth=$round --window=10
  git repack -adFq --max-pack-size=40k
  git gc --quiet --prune=now
done`;

test("ObjectReader reads every object rightly while git repacks in a loop (object-reader invariant 1)", async () => {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  const place = { repositoryDirectory: directory, ref: MAIN_REF, hostName: "host" };
  const recorder = new HistoryRecorder({ fileSystem: nodeFileSystem, ...place });
  for (const commit of streamCommits({ domains: 5 }, 1, 300)) {
    recorder.record(commit);
    if (commit.seq % 100 === 0) recorder.seal();
  }
  recorder.close();
  const objects = [...objectsByGit(directory)];

  const state = { isOver: false };
  const child = spawn("sh", ["-ec", REPACKS], { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
  const exit = new Promise<number | null>((resolve) => {
    child.once("exit", (code) => {
      state.isOver = true;
      resolve(code);
    });
  });
  // One keeps its files open, the other must open them again all the time.
  const readers = [64, 1].map(
    (openFilesMax) =>
      new ObjectReader(nodeFileSystem, directory, { verifyOids: true, openFilesMax, windowBytesMax: 32 * 1024 }),
  );
  let random = seed();
  for (let reads = 0; !state.isOver; reads++) {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    const [oid, { data }] = objects[(random >>> 8) % objects.length] as (typeof objects)[number];
    for (const reader of readers) expect(reader.read(oid).data.equals(data)).toBe(true);
    if (reads % 16 === 0) await setImmediate();
  }
  expect(await exit).toBe(0);
  for (const reader of readers) {
    for (const [oid, { data }] of objects) expect(reader.read(oid).data.equals(data)).toBe(true);
    reader.close();
  }
}, 60_000);
