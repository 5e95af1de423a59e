import { describe, expect, it } from "vitest";
import { blame } from "../../../../../daemon/history/query/blame.js";
import { openHistory } from "../../../../../daemon/history/query/history.js";
import type { FoundCommit } from "../../../../../daemon/history/repository/find-commit.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { pathIndexDirectory } from "../../../../../daemon/history/repository/path-index-files.js";
import { updateShallow } from "../../../../../daemon/history/repository/shallow.js";
import type { Path } from "../../../../../protocol/identifiers.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { diskWithRepository, openRecorder, recordAndSeal, REPOSITORY } from "../../../../support/recorded-history.js";
import { questionAbout, recordSteps } from "../../../../support/stepped-history.js";

const STATE = "/local/domain/1/device/vbd/51712/state" as Path;

/** Commit 1 makes three domains; commit `seq` writes the state of domain `seq` modulo 3. */
function recorded(count: number): MemoryFileSystem {
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, count);
  recorder.close();
  return memory;
}

function withoutIndex(memory: MemoryFileSystem): MemoryFileSystem {
  const directory = pathIndexDirectory({ repositoryDirectory: REPOSITORY, ref: MAIN_REF });
  for (const name of memory.list(directory)) memory.remove(`${directory}/${name}`);
  return memory;
}

function seqs(memory: MemoryFileSystem, path: string, seq: number): unknown[] {
  const history = openHistory(memory, REPOSITORY);
  const view = history.view();
  const blamed = blame(view, view.commitWithSeq(MAIN_REF, seq) as FoundCommit, path as Path);
  history.close();
  return blamed.map((node) => [node.path, node.commit?.seq]);
}

describe.each([
  ["with the index of paths", (memory: MemoryFileSystem) => memory],
  ["by a walk", withoutIndex],
])("blame %s", (_, prepare) => {
  it("tells of each node the commit that changed it last, in the order of the paths", () => {
    const memory = prepare(recorded(12));
    expect(seqs(memory, "/local/domain/1/device", 12)).toEqual([
      ["/local/domain/1/device", 1],
      ["/local/domain/1/device/vbd", 1],
      ["/local/domain/1/device/vbd/51712", 1],
      ["/local/domain/1/device/vbd/51712/ring-ref", 1],
      [STATE, 10],
      ["/local/domain/1/device/vif", 1],
      ["/local/domain/1/device/vif/0", 1],
      ["/local/domain/1/device/vif/0/state", 1],
    ]);
    expect(seqs(memory, STATE, 9)).toEqual([[STATE, 7]]);
    expect(seqs(memory, "/local/domain/1/none", 12)).toEqual([]);
  });

  it("has a name that begins with a shorter one behind all below that, as xs ls has", () => {
    const { history, question } = questionAbout(recordSteps([{ "/a/b": "1", "/a-b": "1" }]));
    const { view } = question;
    const found = view.commitWithSeq(MAIN_REF, 1) as FoundCommit;
    expect(blame(view, found, "/" as Path).map(({ path }) => path)).toEqual(["/", "/a", "/a/b", "/a-b"]);
    history.close();
  });

  it("does not say what was before a cut, nor what the commit there changed", () => {
    const memory = recorded(12);
    const history = openHistory(memory, REPOSITORY);
    const cut = history.view().commitWithSeq(MAIN_REF, 10) as FoundCommit;
    history.close();
    updateShallow(memory, REPOSITORY, { expected: new Set(), to: new Set([cut.oid]) });
    prepare(memory);
    expect(seqs(memory, STATE, 12)).toEqual([[STATE, undefined]]);
    expect(seqs(memory, "/local/domain/2/device/vbd/51712/state", 12)).toEqual([
      ["/local/domain/2/device/vbd/51712/state", 11],
    ]);
  });
});

describe("blame", () => {
  it("gives nodes of one commit one summary", () => {
    const memory = recorded(3);
    const history = openHistory(memory, REPOSITORY);
    const view = history.view();
    const nodes = blame(view, view.tip(MAIN_REF) as FoundCommit, "/local/domain/0/memory" as Path);
    expect(nodes.length).toBe(2);
    expect(nodes[0]?.commit).toBe(nodes[1]?.commit);
    expect(nodes[0]?.commit?.subject).toBeDefined();
    history.close();
  });
});
