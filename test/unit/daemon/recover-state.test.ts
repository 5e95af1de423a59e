import { describe, expect, it } from "vitest";
import type { Path, Seq } from "../../../protocol/identifiers.js";
import { createRepository, MAIN_REF } from "../../../daemon/history/repository/layout.js";
import { HistoryRecorder } from "../../../daemon/history/recorder/recorder.js";
import type { FileSystem } from "../../../daemon/platform/file-system.js";
import { parsePathGlob } from "../../../daemon/journal/path-glob.js";
import { recoverState, type RecoveredState, type RecoveryOptions } from "../../../daemon/recover-state.js";
import { sameRoot } from "../../../daemon/store/diff.js";
import { emptyRoot, getNode } from "../../../daemon/store/root.js";
import { createFaultyFileSystem } from "../../support/faulty-file-system.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../support/memory-file-system.js";
import { historyOfEdits, recordAll, type History } from "./history/recorder/retention-support.js";

const STATE = "/state";
const REPOSITORY = "/state/store.git";

function emptyDisk(): MemoryFileSystem {
  const disk = createMemoryFileSystem();
  disk.makeDirectory(STATE);
  disk.syncDirectory("/");
  createRepository(disk, REPOSITORY);
  return disk;
}

function recover(disk: MemoryFileSystem, options: Partial<RecoveryOptions> = {}): RecoveredState {
  return recoverState({
    fileSystem: disk,
    stateDirectory: STATE,
    repositoryDirectory: REPOSITORY,
    durability: "power",
    bootId: "boot",
    segmentBytesMax: 1500,
    ...options,
  });
}

function history(...values: string[]): History {
  const { perms } = emptyRoot().node;
  return historyOfEdits(values.map((value) => ({ kind: "set", names: ["vm", "vncpasswd"], value, perms })));
}

function recordThrough(disk: FileSystem, { commits }: History, seq: number): void {
  const recorder = new HistoryRecorder({
    fileSystem: disk,
    repositoryDirectory: REPOSITORY,
    ref: MAIN_REF,
    hostName: "host",
  });
  recordAll(recorder, commits.slice(0, seq), 2);
}

describe("recoverState", () => {
  it("begins with an empty root and a journal that goes on from commit 0", () => {
    const { root, seq, recorded, journal } = recover(emptyDisk());
    expect(sameRoot(root, emptyRoot())).toBe(true);
    expect([seq, recorded, journal.position().seq]).toEqual([0, 0, 0]);
  });

  it("replays what the journal holds beyond the tip of the history, and nothing that the history has", () => {
    const disk = emptyDisk();
    const made = history("1", "2", "3", "4", "5");
    const first = recover(disk);
    first.journal.append(made.commits);
    first.journal.close();
    recordThrough(disk, made, 3);
    const { root, seq, recorded, journal, opened } = recover(disk);
    expect([seq, recorded, journal.position().seq]).toEqual([5, 3, 5]);
    expect(sameRoot(root, made.roots[5] ?? emptyRoot())).toBe(true);
    // What the tip's tree says of a node is as old as the tip, to whoever compares.
    expect(getNode(root, "/vm" as Path)?.modified).toBe(3);
    expect(opened).toMatchObject({ passedOver: [] });
  });

  it("makes the tip durable before the journal forgets its commits", () => {
    const disk = emptyDisk();
    const made = history("1", "2", "3");
    const first = recover(disk);
    first.journal.append(made.commits);
    first.journal.close();
    const dying = createFaultyFileSystem(disk);
    // Of the two seals the second.
    dying.inject({ call: "syncDirectory", path: "/refs/heads", nth: 2, error: "EIO", lasts: true });
    expect(() => {
      recordThrough(dying, made, 3);
    }).toThrow("EIO");
    disk.crash("nothing");
    const second = recover(disk);
    expect(second.recorded).toBe(3);
    second.journal.close();
    disk.crash("everything");
    expect(recover(disk)).toMatchObject({ recorded: 3, seq: 3 });
  });

  it("tells what a crash had left at the journal's end and was removed", () => {
    const disk = emptyDisk();
    const made = history("1", "2");
    const first = recover(disk);
    first.journal.append(made.commits);
    const { segment, offset } = first.journal.position();
    first.journal.close();
    const file = disk.open(`${STATE}/journal/main/${segment}`, "write");
    file.write(Buffer.from("torn"), offset);
    file.close();
    const { seq, opened } = recover(disk);
    expect(seq).toBe(2);
    expect(opened.cut).toMatchObject({ offset, bytes: 4, goodLines: 0 });
  });

  it("writes no value that is to be redacted, and empties it at the next start, from the journal and from the tip", () => {
    const disk = emptyDisk();
    const redact = [parsePathGlob("/vm/*")];
    const made = history("hunter2");
    const first = recover(disk, { redact });
    first.journal.append(made.commits);
    const { segment } = first.journal.position();
    first.journal.close();
    const journal = Buffer.from(disk.readFile(`${STATE}/journal/main/${segment}`)).toString("latin1");
    expect(journal).toContain("redacted:hmac");
    expect(journal).not.toContain("hunter2");
    // Also by a daemon that is not told of it any more.
    const second = recover(disk);
    expect(getNode(second.root, "/vm/vncpasswd" as Path)?.value).toBe("");
    const marker = /redacted:hmac-sha256:[0-9a-f]{64}:[0-9a-f]{32}/.exec(journal)?.[0] ?? "";
    second.journal.close();
    recordThrough(disk, history(marker), 1);
    const third = recover(disk);
    expect(third.recorded).toBe(1 as Seq);
    expect(getNode(third.root, "/vm/vncpasswd" as Path)?.value).toBe("");
  });

  it("without a glob and a key, makes no key", () => {
    const disk = emptyDisk();
    recover(disk);
    expect(disk.list(STATE)).toEqual(["journal", "store.git"]);
  });
});
