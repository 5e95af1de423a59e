/**
 * A small recorded history on disk, for the commands that read one.
 *
 * Owns its three states, each of which is a commit:
 *
 *     @{1}   /a=1 /a/b="two\n" /a/b/c="\xff" /d /device/x=1 /device-model
 *     @{2}   /a/b=2, the quota of nodes, and domain 7 is introduced
 *     @{3}   /a is gone, /local/domain/0/x/y=v came
 */
import { HistoryRecorder } from "../../../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../../../daemon/history/repository/layout.js";
import { nodeFileSystem } from "../../../../daemon/platform/node-file-system.js";
import { emptyRoot } from "../../../../daemon/store/root.js";
import type { Seq } from "../../../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { commitBetween, editRoot, type Edit } from "../../../property/history-generator.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import { programHarness, type RunResult } from "./program-harness.js";

function set(path: string, value: string, perms = "n0"): Edit {
  return { kind: "set", names: path.slice(1).split("/"), value, perms: parsePerms(perms.split(" ")) as Perms };
}

const STATES: readonly (readonly Edit[])[] = [
  [
    set("/a", "1"),
    set("/a/b", "two\n", "n0 r5"),
    set("/a/b/c", "\xff", "n0 r5"),
    set("/d", ""),
    set("/device/x", "1"),
    set("/device-model", ""),
  ],
  [set("/a/b", "2", "n0 r5"), { kind: "quota", limit: 7 }, { kind: "domain", domid: 7, what: 3 }],
  [{ kind: "remove", names: ["a"] }, set("/local/domain/0/x/y", "v")],
];

/** Records it; returns the directory of its repository. */
export function recordSmallHistory(): string {
  const repository = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, repository);
  const recorder = new HistoryRecorder({
    fileSystem: nodeFileSystem,
    repositoryDirectory: repository,
    ref: MAIN_REF,
    hostName: "host",
  });
  let before = emptyRoot();
  for (const [index, edits] of STATES.entries()) {
    const seq = (index + 1) as Seq;
    const after = edits.reduce((root, edit) => editRoot(root, edit, seq), before);
    recorder.record(commitBetween(before, after, seq));
    before = after;
  }
  recorder.seal();
  recorder.close();
  return repository;
}

/** Runs `xs` where that repository exists, and a daemon with an empty store. */
export async function runOnRepository(repository: string, words: readonly string[]): Promise<RunResult> {
  const harness = await programHarness();
  return await harness.run(words, { files: { [repository]: "" } });
}
