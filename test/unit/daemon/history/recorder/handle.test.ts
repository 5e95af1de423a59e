/** The recorder's thread: real threads, a real disk, a real journal. */
import { execFileSync } from "node:child_process";
import { EventEmitter } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import {
  RecorderError,
  startRecorder,
  WorkerRecorder,
  type Recorder,
  type RecorderStatus,
} from "../../../../../daemon/history/recorder/handle.js";
import { openJournal, type Journal } from "../../../../../daemon/journal/journal.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import type { Commit } from "../../../../../daemon/store/commit.js";
import { emptyRoot } from "../../../../../daemon/store/root.js";
import { commitBetween, editRoot } from "../../../../property/history-generator.js";
import { withTemporaryDirectory } from "../../../../support/temporary-directory.js";

function commits(from: number, to: number): Commit[] {
  const made: Commit[] = [];
  let root = emptyRoot();
  for (let seq = 1; seq <= to; seq++) {
    const before = root;
    root = editRoot(
      before,
      { kind: "set", names: ["a", String(seq % 10)], value: String(seq), perms: before.node.perms },
      seq as Seq,
    );
    if (seq >= from) made.push(commitBetween(before, root, seq));
  }
  return made;
}

function journalIn(directory: string, after = 0): Journal {
  return openJournal({
    fileSystem: nodeFileSystem,
    directory: join(directory, "journal", "main"),
    after: after as Seq,
    durability: "process",
  }).journal;
}

function start(stateDirectory: string, sealMilliseconds: number): Promise<Recorder> {
  return startRecorder({ stateDirectory, branch: "main", hostName: "host", sealMilliseconds });
}

function commitCount(directory: string): number {
  const repository = join(directory, "store.git");
  return Number(execFileSync("git", ["--git-dir", repository, "rev-list", "--count", "main"], { encoding: "utf8" }));
}

/** The seals from now on, in order. */
function nextSealed(recorder: Recorder, seq: number): Promise<RecorderStatus> {
  return new Promise((resolve) => {
    recorder.onSealed((status) => {
      if (status.sealedSeq >= seq) resolve(status);
    });
  });
}

const NEVER_MILLISECONDS = 1_000_000;

describe("startRecorder", () => {
  it("flush resolves when all that was published before is in Git (loop invariant 2)", async () => {
    await withTemporaryDirectory(async (directory) => {
      const journal = journalIn(directory);
      const recorder = await start(directory, NEVER_MILLISECONDS);
      expect((await recorder.flush()).tip).toBeUndefined();
      for (const commit of commits(1, 50)) recorder.publish(journal.append([commit]));
      const status = await recorder.flush();
      expect(status).toMatchObject({ sealedSeq: 50, recordedSeq: 50, publishedSeq: 50 });
      expect(status.tip).toMatch(/^[0-9a-f]{40}$/);
      expect(commitCount(directory)).toBe(50);
      expect(recorder.status().sealedSeq).toBe(50);
      expect(recorder.sealedSeq).toBe(50);
      await recorder.close();
      journal.close();
    });
  });

  it("seals by itself after sealMilliseconds (loop invariant 1), each time there is something new", async () => {
    await withTemporaryDirectory(async (directory) => {
      const journal = journalIn(directory);
      const recorder = await start(directory, 5);
      for (const to of [3, 6]) {
        const sealed = nextSealed(recorder, to);
        recorder.publish(journal.append(commits(to - 2, to)));
        expect((await sealed).sealedSeq).toBe(to);
        expect(commitCount(directory)).toBe(to);
      }
      await recorder.close();
      journal.close();
    });
  });

  it("close seals what is left, may be repeated, and a new recorder goes on from there", async () => {
    await withTemporaryDirectory(async (directory) => {
      const journal = journalIn(directory);
      const first = await start(directory, NEVER_MILLISECONDS);
      first.publish(journal.append(commits(1, 7)));
      await Promise.all([first.close(), first.close()]);
      await expect(first.flush()).rejects.toThrow(RecorderError);
      expect(commitCount(directory)).toBe(7);
      const end = journal.append(commits(8, 20));
      const second = await start(directory, NEVER_MILLISECONDS);
      expect(second.status()).toMatchObject({ sealedSeq: 7, recordedSeq: 7 });
      second.publish(end);
      expect((await second.flush()).sealedSeq).toBe(20);
      expect(commitCount(directory)).toBe(20);
      await second.close();
      journal.close();
    });
  });

  it("records a long journal in batches, over segments, and hears a flush meanwhile", async () => {
    await withTemporaryDirectory(async (directory) => {
      const journal = openJournal({
        fileSystem: nodeFileSystem,
        directory: join(directory, "journal", "main"),
        after: 0 as Seq,
        durability: "process",
        segmentBytesMax: 20_000,
      }).journal;
      const all = commits(1, 2000);
      for (let from = 0; from < all.length; from += 40) journal.append(all.slice(from, from + 40));
      const recorder = await start(directory, NEVER_MILLISECONDS);
      recorder.publish(journal.position());
      expect((await recorder.flush()).sealedSeq).toBe(2000);
      expect(commitCount(directory)).toBe(2000);
      await recorder.close();
      journal.close();
    });
  });

  it("a seal that the disk refuses is reported, refuses the flush, and is made good by the next", async () => {
    await withTemporaryDirectory(async (directory) => {
      const journal = journalIn(directory);
      const recorder = await start(directory, NEVER_MILLISECONDS);
      const failures: string[] = [];
      recorder.onFailure((error) => failures.push(error.message));
      const lock = join(directory, "store.git/refs/heads/main.lock");
      mkdirSync(join(directory, "store.git/refs/heads"), { recursive: true });
      writeFileSync(lock, "");
      recorder.publish(journal.append(commits(1, 5)));
      await expect(recorder.flush()).rejects.toThrow(/history is not complete: .*main\.lock/);
      expect(failures).toHaveLength(1);
      expect(failures[0]).toMatch(/tried again/);
      expect(recorder.status().trouble).toMatchObject({ reason: failures[0], isFinal: false });
      expect(recorder.trouble).toBe(recorder.status().trouble);
      rmSync(lock);
      recorder.publish(journal.append(commits(6, 9)));
      expect((await recorder.flush()).sealedSeq).toBe(9);
      expect(recorder.status().trouble).toBeUndefined();
      expect(commitCount(directory)).toBe(9);
      await recorder.close();
      journal.close();
    });
  });

  it("damage in the journal stops the recorder for good, and every flush says so", async () => {
    await withTemporaryDirectory(async (directory) => {
      const journal = journalIn(directory);
      const recorder = await start(directory, NEVER_MILLISECONDS);
      const failures: string[] = [];
      recorder.onFailure((error) => failures.push(error.message));
      const end = journal.append(commits(1, 5));
      const file = join(directory, "journal/main", end.segment);
      const content = Buffer.from(nodeFileSystem.readFile(file));
      const last = content.length - 10;
      content[last] = content[last] === 0x30 ? 0x31 : 0x30;
      writeFileSync(file, content);
      recorder.publish(end);
      await expect(recorder.flush()).rejects.toThrow(new RegExp(end.segment));
      expect(failures.join()).toMatch(/stopped for good/);
      expect(recorder.status().trouble?.isFinal).toBe(true);
      await expect(recorder.flush()).rejects.toThrow(/history is not complete/);
      await expect(recorder.close()).rejects.toThrow(RecorderError);
      journal.close();
    });
  });

  it("refuses to start on a repository that cannot be gone on with, in words for people", async () => {
    await withTemporaryDirectory(async (directory) => {
      mkdirSync(join(directory, "store.git"), { recursive: true });
      writeFileSync(join(directory, "store.git/HEAD"), "nonsense\n");
      await expect(start(directory, 1)).rejects.toThrow(/history cannot be written: .*HEAD/);
    });
  });
});

describe("WorkerRecorder", () => {
  it.each(["progress", "sealed", "flushed", "compacted", "dropped"])(
    "takes a report of kind %s that tells of a seal as the seal, once",
    (kind) => {
      const thread = Object.assign(new EventEmitter(), { postMessage: () => undefined });
      const recorder = new WorkerRecorder(thread);
      const sealed: number[] = [];
      recorder.onSealed((status) => sealed.push(status.sealedSeq));
      const progress = { ...recorder.status(), sealedSeq: 5 as Seq, recordedSeq: 6 as Seq };
      thread.emit("message", { kind: "failure", reason: "EIO", isFinal: false });
      expect(recorder.status().trouble).toBeDefined();
      thread.emit("message", { kind, id: 1, progress, refusal: undefined, text: "" });
      thread.emit("message", { kind, id: 2, progress, refusal: undefined, text: "" });
      expect([sealed, recorder.status().trouble]).toEqual([[5], undefined]);
      expect([recorder.sealedSeq, recorder.trouble]).toEqual([5, undefined]);
    },
  );
});
