/**
 * Git and our maintenance at the same time: neither disturbs the other, whatever a person runs when.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { Seq } from "../../protocol/identifiers.js";
import { hexFromOid } from "../../daemon/history/object/oid.js";
import { startRecorder } from "../../daemon/history/recorder/handle.js";
import { Maintenance } from "../../daemon/history/recorder/maintenance.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { openJournal } from "../../daemon/journal/journal.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { streamCommit, streamCommits } from "../support/commit-stream.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { fsckComplaints, git, objectsByGit } from "../unit/daemon/history/repository/repository-support.js";

const STREAM = { domains: 10 };
const GIT_MILLISECONDS = 5000;

/** A repository of 60 commits, each sealed alone. */
function recorded(): string {
  const repository = join(temporaryDirectory(), "store.git");
  createRepository(nodeFileSystem, repository);
  const recorder = new HistoryRecorder({
    fileSystem: nodeFileSystem,
    repositoryDirectory: repository,
    ref: MAIN_REF,
    hostName: "host",
  });
  for (const commit of streamCommits(STREAM, 1, 60)) {
    recorder.record(commit);
    recorder.seal();
  }
  return repository;
}

/** Merges all that the plan names, and removes the sources at once. */
function maintain(repository: string): Maintenance {
  const maintenance = new Maintenance({
    fileSystem: nodeFileSystem,
    repositoryDirectory: repository,
    monotonicMilliseconds: () => performance.now(),
    retirementMillisecondsMin: 0,
    retirementMilliseconds: 0,
    isInUse: () => false,
    onFailure: (reason) => expect.fail(reason),
  });
  while (maintenance.isDue) maintenance.step();
  return maintenance;
}

function packs(repository: string): string[] {
  return readdirSync(join(repository, "objects/pack")).filter((name) => name.endsWith(".pack"));
}

describe("maintenance beside git", () => {
  it("git gc, repack -adf and fsck --full --strict in a loop during recording are harmless", async () => {
    const directory = temporaryDirectory();
    const repository = join(directory, "store.git");
    const { journal } = openJournal({
      fileSystem: nodeFileSystem,
      directory: join(directory, "journal", "main"),
      after: 0 as Seq,
      durability: "process",
    });
    const failures: string[] = [];
    const recorder = await startRecorder({
      stateDirectory: directory,
      branch: "main",
      hostName: "host",
      sealMilliseconds: 10,
      retirementMillisecondsMin: 300,
      retirementMilliseconds: 60_000,
    });
    recorder.onFailure((error) => failures.push(error.message));
    let seq = 0;
    let isOver = false;
    const append = async (): Promise<void> => {
      for (const commit of streamCommits(STREAM, 1, 1)) recorder.publish(journal.append([commit]));
      for (seq = 2; !isOver; seq++) {
        recorder.publish(journal.append([streamCommit(STREAM, seq)]));
        // The next commit comes when this one is in a pack: as many packs as there can be.
        await recorder.flush();
      }
    };
    const load = append();
    await recorder.flush();
    const end = performance.now() + GIT_MILLISECONDS;
    const commands = [
      ["fsck", "--full", "--strict"],
      ["gc", "--quiet"],
      ["fsck", "--full", "--strict"],
      ["repack", "-adfq"],
    ];
    let runs = 0;
    for (; performance.now() < end || runs < commands.length; runs++) {
      await promisify(execFile)("git", ["--git-dir", repository, ...(commands[runs % commands.length] as string[])]);
    }
    isOver = true;
    await load;
    await recorder.close();
    journal.close();
    expect(failures).toEqual([]);
    expect(fsckComplaints(repository)).toBe("");
    expect(Number(git(repository, ["rev-list", "--count", "main"]))).toBe(seq - 1);
  }, 60_000);

  it("a git process that has the old packs open answers for all their objects when they are gone", async () => {
    const repository = recorded();
    const objects = objectsByGit(repository);
    const before = packs(repository);
    const batch = spawn("git", ["--git-dir", repository, "cat-file", "--batch"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let output = Buffer.alloc(0);
    batch.stdout.on("data", (chunk: Buffer) => {
      output = Buffer.concat([output, chunk]);
    });
    const oids = [...objects.keys()];
    const answered = async (bytes: number): Promise<void> => {
      while (output.length < bytes) await once(batch.stdout, "data");
    };
    const expected = (asked: typeof oids): Buffer =>
      Buffer.concat(
        asked.flatMap((oid) => {
          const { type, data } = objects.get(oid) ?? { type: "none", data: Buffer.alloc(0) };
          return [Buffer.from(`${hexFromOid(oid)} ${type} ${String(data.length)}\n`), data, Buffer.from("\n")];
        }),
      );
    const first = oids.slice(0, oids.length >> 1);
    batch.stdin.write(first.map((oid) => `${hexFromOid(oid)}\n`).join(""));
    await answered(expected(first).length);
    const maintenance = maintain(repository);
    expect(packs(repository).filter((name) => before.includes(name)).length).toBeLessThan(10);
    batch.stdin.end(oids.map((oid) => `${hexFromOid(oid)}\n`).join(""));
    await once(batch, "close");
    expect(output.equals(expected([...first, ...oids]))).toBe(true);
    maintenance.close();
  });

  it("packs that a multi-pack-index lists stay, and git multi-pack-index verify is content", () => {
    const repository = recorded();
    const before = packs(repository);
    git(repository, ["multi-pack-index", "write"]);
    maintain(repository).close();
    expect(packs(repository)).toEqual(expect.arrayContaining(before));
    git(repository, ["multi-pack-index", "verify"]);
    expect(fsckComplaints(repository)).toBe("");
    git(repository, ["multi-pack-index", "write"]);
    git(repository, ["repack", "-adq"]);
    expect(packs(repository)).toHaveLength(1);
    maintain(repository).close();
    expect(fsckComplaints(repository)).toBe("");
  });
});
