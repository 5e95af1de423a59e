import { describe, expect, it } from "vitest";
import { openRecorder, type OpenedRecorder } from "../../../../../daemon/history/recorder/open-recorder.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { historyOfValues, recordAll } from "./retention-support.js";

const REPOSITORY = "/state/store.git";

function open(disk: MemoryFileSystem, ref = MAIN_REF): OpenedRecorder {
  return openRecorder({
    fileSystem: disk,
    repositoryDirectory: REPOSITORY,
    ref,
    hostName: "host",
    monotonicMilliseconds: () => 0,
    retirementMillisecondsMin: 0,
    retirementMilliseconds: 0,
    isInUse: () => false,
    onFailure: (reason) => {
      throw new Error(reason);
    },
    retention: {
      limits: { keepCommits: 3, keepSeconds: undefined },
      threshold: { commitsMin: 1, partMin: 0 },
      onDropped: () => undefined,
    },
  });
}

function diskWithState(): MemoryFileSystem {
  const disk = createMemoryFileSystem();
  disk.makeDirectory("/state");
  disk.syncDirectory("/");
  return disk;
}

describe("openRecorder", () => {
  it("makes a repository that is missing, and cleans up before anything else what a crash left in one", () => {
    const disk = diskWithState();
    recordAll(open(disk).recorder, historyOfValues(4).commits, 4);
    const torn = `${REPOSITORY}/objects/pack/incoming-torn.pack-part`;
    disk.open(torn, "create").close();
    expect(open(disk).recorder.progress()).toMatchObject({ recordedSeq: 4, sealedSeq: 4 });
    expect(disk.exists(torn)).toBe(false);
  });

  it.each([MAIN_REF, "refs/heads/other"])("keeps the branch that it records within the limits: %s", (ref) => {
    const disk = diskWithState();
    const { recorder, maintenance } = open(disk, ref);
    for (const commit of historyOfValues(9).commits) {
      recorder.record(commit);
      if (commit.seq % 3 === 0) maintenance.noteSeal(recorder.seal() ?? "");
    }
    while (maintenance.isDue) maintenance.step();
    expect(maintenance.progress().oldestSeq).toBe(7);
  });
});
