import { describe, expect, test } from "vitest";
import { hexFromOid, oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import { walkChain } from "../../../../../daemon/history/recorder/commit-chain.js";
import { findPins, isReported, listLiveRefs, withoutBroken } from "../../../../../daemon/history/recorder/live-refs.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { peel } from "../../../../../daemon/history/repository/peel.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import { readShallow } from "../../../../../daemon/history/repository/shallow.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { git } from "../repository/repository-support.js";
import { finish, historyOfValues, openRecorder, recordAll } from "./retention-support.js";

const COMMITS = 20;
const NOTHING_STAGED = { blobs: new Set<Oid>(), trees: new Set<Oid>() };

interface Scene {
  readonly directory: string;
  readonly at: (seq: number) => string;
  readonly commitOn: (...parents: string[]) => string;
}

function scene(): Scene {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  recordAll(openRecorder(nodeFileSystem, directory), historyOfValues(COMMITS).commits, 6);
  const at = (seq: number): string => git(directory, ["rev-parse", `main~${String(COMMITS - seq)}`]);
  const tree = git(directory, ["rev-parse", "main^{tree}"]);
  const commitOn = (...parents: string[]): string =>
    git(directory, ["commit-tree", tree, "-m", "x", ...parents.flatMap((parent) => ["-p", parent])]);
  return { directory, at, commitOn };
}

function pins(directory: string): (readonly [string, number])[] {
  const reader = new ObjectReader(nodeFileSystem, directory);
  const shallow = readShallow(nodeFileSystem, directory);
  const tip = new RefStore(nodeFileSystem, directory).read(MAIN_REF) as Oid;
  const chain = finish(walkChain(reader, tip, shallow));
  const refs = listLiveRefs(nodeFileSystem, directory, MAIN_REF);
  const found = finish(findPins(reader, { chain, shallow, refs }));
  reader.close();
  return found.map(({ ref, seq }) => [ref, seq]);
}

describe("listLiveRefs", () => {
  test("tells tags from all else, leaves the branch itself out, and knows detached heads", () => {
    const { directory, at } = scene();
    git(directory, ["tag", "v1", at(3)]);
    git(directory, ["update-ref", "refs/heads/try", at(4)]);
    git(directory, ["update-ref", "refs/bisect/bad", at(5)]);
    git(directory, ["worktree", "add", "-q", "--detach", `${directory}/../tree`, at(6)]);
    git(directory, ["worktree", "add", "-q", `${directory}/../other`, "try"]);
    git(directory, ["update-ref", "--no-deref", "HEAD", at(7)]);
    git(directory, ["pack-refs", "--all"]);
    git(`${directory}/../tree`, ["bisect", "start", at(15), at(10)]);
    git(`${directory}/../other`, ["reset", "-q", "--hard", at(2)]);
    const { tags, others } = listLiveRefs(nodeFileSystem, directory, MAIN_REF);
    const shown = (refs: typeof tags): string[] => refs.map(({ name, oid }) => `${name} ${hexFromOid(oid)}`);
    const bisected = git(`${directory}/../tree`, ["rev-parse", "HEAD"]);
    expect(shown(tags)).toEqual([
      `refs/tags/v1 ${at(3)}`,
      `logs/refs/heads/try ${at(4)}`,
      `logs/refs/heads/try ${at(2)}`,
      `worktrees/other/logs/HEAD ${at(4)}`,
      `worktrees/other/logs/HEAD ${at(2)}`,
      `worktrees/tree/logs/HEAD ${at(6)}`,
      `worktrees/tree/logs/HEAD ${bisected}`,
    ]);
    expect(shown(others)).toEqual([
      `refs/bisect/bad ${at(5)}`,
      `refs/heads/try ${at(2)}`,
      `HEAD ${at(7)}`,
      `worktrees/tree/HEAD ${bisected}`,
      `worktrees/tree/refs/bisect/bad ${at(15)}`,
      `worktrees/tree/refs/bisect/good-${at(10)} ${at(10)}`,
    ]);
  });
});

describe("withoutBroken", () => {
  test("parts refs whose object is gone from the others; lines of reflogs are nobody's to mend", () => {
    const { directory, at } = scene();
    const gone = oidFromHex("1".repeat(40));
    const reader = new ObjectReader(nodeFileSystem, directory);
    const whole = { name: "refs/tags/whole", oid: oidFromHex(at(3)) };
    const { present, broken } = finish(
      withoutBroken(reader, {
        tags: [whole, { name: "worktrees/x/logs/HEAD", oid: gone }, { name: "refs/tags/gone", oid: gone }],
        others: [{ name: "worktrees/logs/HEAD", oid: gone }],
        staged: NOTHING_STAGED,
      }),
    );
    reader.close();
    expect(present).toEqual({ tags: [whole], others: [], staged: NOTHING_STAGED });
    expect(broken.map((ref) => [ref.name, isReported(ref)])).toEqual([
      ["worktrees/x/logs/HEAD", false],
      ["refs/tags/gone", true],
      ["worktrees/logs/HEAD", true],
    ]);
  });
});

describe("peel", () => {
  test("follows tags of tags to what they are put on, and stops where a tag names nothing", () => {
    const { directory, at } = scene();
    const blob = git(directory, ["rev-parse", "main:.perms"]);
    for (const [name, target] of [
      ["light", at(3)],
      ["blob", blob],
    ] as const) {
      git(directory, ["tag", name, target]);
    }
    git(directory, ["tag", "-a", "-m", "x", "first", at(4)]);
    git(directory, ["tag", "-a", "-m", "x", "second", "first"]);
    const nothing = git(directory, ["hash-object", "-w", "-t", "tag", "--literally", "--stdin"], "nothing\n");
    const reader = new ObjectReader(nodeFileSystem, directory);
    const refs = new Map(listLiveRefs(nodeFileSystem, directory, MAIN_REF).tags.map((ref) => [ref.name, ref]));
    const peeled = (name: string) => peel(reader, refs.get(`refs/tags/${name}`) as { name: string; oid: Oid });
    expect(peeled("light")).toEqual({ tagObjects: [], oid: oidFromHex(at(3)), type: "commit" });
    expect(peeled("blob")).toEqual({ tagObjects: [], oid: oidFromHex(blob), type: "blob" });
    const tagObjects = ["second", "first"].map((name) => oidFromHex(git(directory, ["rev-parse", name])));
    expect(peeled("second")).toEqual({ tagObjects, oid: oidFromHex(at(4)), type: "commit" });
    expect(() => peel(reader, { name: "refs/tags/nothing", oid: oidFromHex(nothing) })).toThrow("refs/tags/nothing");
    reader.close();
  });
});

describe("findPins", () => {
  test("finds the oldest commit of the branch that each other ref is built on, through merges too, and no tags", () => {
    const { directory, at, commitOn } = scene();
    expect(pins(directory)).toEqual([]);
    git(directory, ["tag", "v1", at(2)]);
    git(directory, ["update-ref", "refs/heads/on-it", at(9)]);
    git(directory, ["update-ref", "refs/heads/fork", commitOn(commitOn(at(8)))]);
    git(directory, ["update-ref", "refs/heads/merge", commitOn(commitOn(at(12)), at(11))]);
    git(directory, ["update-ref", "refs/heads/stranger", commitOn()]);
    git(directory, ["tag", "-a", "-m", "x", "note", at(7)]);
    git(directory, ["update-ref", "refs/notes/x", git(directory, ["rev-parse", "note"])]);
    expect(pins(directory)).toEqual([
      ["refs/heads/fork", 8],
      ["refs/heads/merge", 11],
      ["refs/heads/on-it", 9],
      ["refs/notes/x", 7],
    ]);
  });
});
