/** The recorder on disks that fail and lose power. What Git makes of the result: `test/interop/git-history.test.ts`. */
import { describe, expect, it } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { serializeCommit } from "../../../../../daemon/history/object/commit-object.js";
import { hashObject, hexFromOid, type Oid } from "../../../../../daemon/history/object/oid.js";
import { PackBuilder } from "../../../../../daemon/history/object/pack.js";
import { serializeTree } from "../../../../../daemon/history/object/tree-object.js";
import { loadTip } from "../../../../../daemon/history/recorder/load-tip.js";
import { HistoryRecorder, RecorderMismatchError } from "../../../../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { placePack } from "../../../../../daemon/history/repository/pack-file.js";
import { seqIndexPath, serializeSeqHeader } from "../../../../../daemon/history/repository/seq-index.js";
import type { IndexedCommit } from "../../../../../daemon/history/repository/seq-index-writer.js";
import { RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import type { FileSystem } from "../../../../../daemon/platform/file-system.js";
import type { Commit } from "../../../../../daemon/store/commit.js";
import { sameRoot } from "../../../../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../../../../daemon/store/root.js";
import { commitBetween, editRoot } from "../../../../property/history-generator.js";
import { createFaultyFileSystem } from "../../../../support/faulty-file-system.js";
import { openFork, recordAndSeal, walkedOids } from "../../../../support/recorded-history.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";

const REPOSITORY = "/state/store.git";

/** A disk with a repository, all of it durable. */
function diskWithRepository(): MemoryFileSystem {
  const memory = createMemoryFileSystem();
  memory.makeDirectory("/state");
  memory.syncDirectory("/");
  createRepository(memory, REPOSITORY);
  return memory;
}

function open(fileSystem: FileSystem): HistoryRecorder {
  return new HistoryRecorder({ fileSystem, repositoryDirectory: REPOSITORY, ref: MAIN_REF, hostName: "host" });
}

/** A history of values of one node, and the roots after each commit; roots[0] is before the first. */
function history(length: number): { readonly commits: Commit[]; readonly roots: Root[] } {
  const roots = [emptyRoot()];
  const commits: Commit[] = [];
  for (let seq = 1; seq <= length; seq++) {
    const before = roots[seq - 1] as Root;
    const root = editRoot(
      before,
      { kind: "set", names: ["a", `n${String(seq % 5)}`], value: String(seq), perms: before.node.perms },
      seq as Seq,
    );
    roots.push(root);
    commits.push(commitBetween(before, root, seq));
  }
  return { commits, roots };
}

function record(recorder: HistoryRecorder, commits: readonly Commit[]): void {
  for (const commit of commits) recorder.record(commit);
}

describe("HistoryRecorder", () => {
  it("after a crash at any call, with all unsynced data lost, the tip is whole and recording again gives the same commits (recorder invariant 1)", () => {
    const { commits, roots } = history(6);
    const reference = diskWithRepository();
    const undisturbed = open(reference);
    record(undisturbed, commits);
    undisturbed.seal();
    const wanted = undisturbed.progress().tip;

    for (const loss of ["everything", "nothing"] as const) {
      for (const call of ["open", "write", "sync", "rename", "syncDirectory", "remove"] as const) {
        for (let nth = 1; ; nth++) {
          const memory = diskWithRepository();
          const faulty = createFaultyFileSystem(memory);
          const first = open(faulty);
          record(first, commits.slice(0, 3));
          first.seal();
          record(first, commits.slice(3));
          faulty.inject({ call, nth, error: "EIO", lasts: true });
          let hasFailed = false;
          try {
            first.seal();
          } catch {
            hasFailed = true;
          }
          memory.crash(loss);
          const tip = loadTip(memory, REPOSITORY);
          expect([3, 6]).toContain(tip?.seq);
          expect(tip !== undefined && sameRoot(tip.root, roots[tip.seq] as Root)).toBe(true);
          const second = open(memory);
          record(second, commits.slice(second.recordedSeq));
          second.seal();
          expect(second.progress().tip).toBe(wanted);
          if (!hasFailed) break;
        }
      }
    }
  });

  it("a seal that failed is made good by the next one, without recording again", () => {
    const { commits, roots } = history(4);
    for (const call of ["open", "write", "sync", "rename", "syncDirectory"] as const) {
      for (let nth = 1; ; nth++) {
        const memory = diskWithRepository();
        const faulty = createFaultyFileSystem(memory);
        const recorder = open(faulty);
        record(recorder, commits.slice(0, 3));
        faulty.inject({ call, nth, error: "ENOSPC" });
        let hasFailed = false;
        try {
          recorder.seal();
        } catch (error) {
          hasFailed = true;
          expect(error).toMatchObject({ code: "ENOSPC" });
          expect(recorder.isFull).toBe(true);
          expect(() => {
            recorder.record(commits[3] as Commit);
          }).toThrow(/seal first/);
          recorder.seal();
        }
        faulty.heal();
        expect(recorder.isFull).toBe(false);
        record(recorder, commits.slice(3));
        recorder.seal();
        expect(recorder.progress()).toMatchObject({ sealedSeq: 4, recordedSeq: 4, packsSealed: 2 });
        const tip = loadTip(memory, REPOSITORY);
        expect(tip !== undefined && sameRoot(tip.root, roots[4] as Root)).toBe(true);
        expect(memory.list(`${REPOSITORY}/objects/pack`).filter((name) => !/\.(?:pack|idx)$/.test(name))).toEqual([]);
        if (!hasFailed) break;
      }
    }
  });

  it("a seal whose last sync failed is durable once a later seal says so: a power cut takes nothing of it", () => {
    const { commits } = history(3);
    const memory = diskWithRepository();
    const faulty = createFaultyFileSystem(memory);
    const recorder = open(faulty);
    record(recorder, commits);
    faulty.inject({ call: "syncDirectory", nth: 1, path: "/refs/heads", error: "EIO" });
    expect(() => {
      recorder.seal();
    }).toThrow("EIO");
    recorder.seal();
    expect(recorder.progress().sealedSeq).toBe(3);
    memory.crash("everything");
    expect(loadTip(memory, REPOSITORY)?.seq).toBe(3);
  });

  it("refuses a gap between history and journal (recorder invariant 2)", () => {
    const memory = diskWithRepository();
    const { commits } = history(3);
    const recorder = open(memory);
    recorder.record(commits[0] as Commit);
    expect(() => {
      recorder.record(commits[2] as Commit);
    }).toThrow(RecorderMismatchError);
    expect(() => {
      recorder.record(commits[0] as Commit);
    }).toThrow(/commit 1 cannot be recorded after 1/);
    recorder.record(commits[1] as Commit);
    expect(recorder.recordedSeq).toBe(2);
  });

  it("does not seal over a ref that somebody else has moved", () => {
    const memory = diskWithRepository();
    const { commits } = history(3);
    const recorder = open(memory);
    record(recorder, commits.slice(0, 1));
    recorder.seal();
    const first = new RefStore(memory, REPOSITORY).read(MAIN_REF);
    record(recorder, commits.slice(1, 2));
    recorder.seal();
    const refs = new RefStore(memory, REPOSITORY);
    const second = refs.read(MAIN_REF);
    if (first === undefined || second === undefined) throw new Error("no ref");
    refs.update(MAIN_REF, { expected: second, to: first });
    record(recorder, commits.slice(2));
    expect(() => {
      recorder.seal();
    }).toThrow(/moved by somebody else/);
    expect(hexFromOid(refs.read(MAIN_REF) ?? first)).toBe(hexFromOid(first));
  });

  it("an object that is in an older pack alone is written again (recorder invariant 3)", () => {
    const memory = diskWithRepository();
    const recorder = open(memory);
    const roots = [emptyRoot()];
    for (const [index, value] of ["once", "other", "once"].entries()) {
      const before = roots[index] as Root;
      const root = editRoot(before, { kind: "set", names: ["a"], value, perms: before.node.perms }, 1 as Seq);
      roots.push(root);
      recorder.record(commitBetween(before, root, index + 1));
      recorder.seal();
    }
    const tip = loadTip(memory, REPOSITORY);
    if (tip === undefined) throw new Error("no tip");
    const packs = `${REPOSITORY}/objects/pack`;
    const indexes = memory.list(packs).filter((name) => name.endsWith(".idx"));
    expect(indexes).toHaveLength(3);
    // Each pack in a repository of its own: the last one has the value that only the first one had before.
    const lastPack = indexes
      .map((index) => {
        const alone = diskWithRepository();
        for (const name of [index, index.replace(/idx$/, "pack")]) {
          const file = alone.open(`${packs}/${name}`, "create");
          file.write(memory.readFile(`${packs}/${name}`), 0);
          file.close();
        }
        return new ObjectReader(alone, REPOSITORY);
      })
      .find((reader) => reader.has(tip.oid));
    expect(lastPack?.has(tip.tree)).toBe(true);
    expect(lastPack?.has(hashObject("blob", "once"))).toBe(true);
    expect(lastPack?.has(hashObject("blob", "other"))).toBe(false);
  });

  it("refuses a tip that is no commit of ours", () => {
    const memory = diskWithRepository();
    const recorder = open(memory);
    record(recorder, history(1).commits);
    recorder.seal();
    const refs = new RefStore(memory, REPOSITORY);
    const tip = loadTip(memory, REPOSITORY);
    if (tip === undefined) throw new Error("no tip");
    refs.update(MAIN_REF, { expected: tip.oid, to: tip.tree });
    expect(() => open(memory)).toThrow(/not a commit/);
  });

  it("a `.keep` that cannot be removed fails no seal, and goes with the next one", () => {
    const memory = diskWithRepository();
    const faulty = createFaultyFileSystem(memory);
    const recorder = open(faulty);
    const { commits } = history(2);
    const keeps = (): string[] => memory.list(`${REPOSITORY}/objects/pack`).filter((name) => name.endsWith(".keep"));
    faulty.inject({ call: "remove", path: ".keep", nth: 1, error: "EIO" });
    record(recorder, commits.slice(0, 1));
    recorder.seal();
    expect(recorder.progress()).toMatchObject({ sealedSeq: 1, packsSealed: 1 });
    expect(recorder.isSealDue).toBe(false);
    expect(keeps()).toHaveLength(1);
    record(recorder, commits.slice(1));
    recorder.seal();
    expect(keeps()).toEqual([]);
    recorder.close();
  });

  it("refuses a tip whose tree we would have written otherwise (recorder invariant 5)", () => {
    const memory = diskWithRepository();
    const builder = new PackBuilder();
    const put = (type: "blob" | "tree" | "commit", content: string): Oid => {
      const oid = hashObject(type, content);
      builder.addObject(type, oid, content);
      return oid;
    };
    // Two exceptions in the wrong order: the same perms, but other bytes.
    const perms = put("blob", ". n0\nb n5\na n5\n");
    const empty = put("blob", "");
    const special = put("blob", "@introduceDomain n0\n@releaseDomain r0\n");
    const tree = put("tree", serializeTree([".perms", ".special", "a", "b"], [perms, special, empty, empty]));
    const { commits } = history(1);
    const text = serializeCommit(commits[0] as Commit, { tree, parents: [], parentSeconds: 0, hostName: "host" });
    const oid = put("commit", text);
    placePack(memory, REPOSITORY, builder.finish());
    new RefStore(memory, REPOSITORY).update(MAIN_REF, { expected: undefined, to: oid });
    expect(loadTip(memory, REPOSITORY)?.seq).toBe(1);
    expect(() => open(memory)).toThrow(/not what this version would have written.*\.perms/);
  });
});

describe("HistoryRecorder of a fork", () => {
  const REF = "refs/heads/try";

  /** Ten commits on main; the fork's base is the seventh. */
  function disk(): { readonly memory: MemoryFileSystem; readonly base: IndexedCommit } {
    const memory = diskWithRepository();
    const recorder = open(memory);
    recordAndSeal(recorder, 10);
    recorder.close();
    return { memory, base: { oid: walkedOids(memory)[6] as Oid, seq: 7 as Seq } };
  }

  it("goes on from its base, and leaves to main's what that one may be writing", () => {
    const { memory, base } = disk();
    const builder = new PackBuilder();
    builder.addObject("blob", hashObject("blob", "unreached"), "unreached");
    const unreached = builder.finish();
    placePack(memory, REPOSITORY, unreached);
    memory.open(`${REPOSITORY}/objects/pack/incoming-1`, "create").close();
    const files = [`pack-${unreached.name}.keep`, "incoming-1"];
    const recorder = openFork(memory, REF, base);
    expect(recorder.recordedSeq).toBe(7);
    recordAndSeal(recorder, 3);
    recorder.close();
    expect(memory.list(`${REPOSITORY}/objects/pack`)).toEqual(expect.arrayContaining(files));
    const [own, main] = [walkedOids(memory, REF), walkedOids(memory)];
    expect(own).toHaveLength(10);
    expect(own.slice(0, 7)).toEqual(main.slice(0, 7));
    expect(own[7]).not.toBe(main[7]);
    open(memory).close();
    const left = memory.list(`${REPOSITORY}/objects/pack`);
    for (const file of files) expect(left).not.toContain(file);
  });

  it("indexes its own commits alone, by seqs alone, also after a start without an index", () => {
    const { memory, base } = disk();
    const path = seqIndexPath({ repositoryDirectory: REPOSITORY, ref: REF });
    const paths = (): string[] => memory.list(`${REPOSITORY}/xenstore-tng/paths`);
    let recorder = openFork(memory, REF, base);
    expect(memory.exists(path)).toBe(false);
    expect(recorder.isIndexIncomplete).toBe(false);
    recordAndSeal(recorder, 2);
    recordAndSeal(recorder, 3);
    recorder.close();
    const expected = Buffer.concat([
      serializeSeqHeader(8 as Seq),
      Buffer.from(walkedOids(memory, REF).slice(7).join(""), "latin1"),
    ]);
    expect(Buffer.compare(memory.readFile(path), expected)).toBe(0);
    memory.remove(path);
    recorder = openFork(memory, REF, base);
    while (recorder.isIndexIncomplete) recorder.repairIndex(1);
    recorder.close();
    expect(Buffer.compare(memory.readFile(path), expected)).toBe(0);
    expect(paths()).toEqual(["main"]);
  });

  it("refuses a ref that is not at its base or after it", () => {
    const { memory, base } = disk();
    const other = { oid: walkedOids(memory)[7] as Oid, seq: 7 as Seq };
    expect(() => openFork(memory, REF, { ...base, seq: 8 as Seq, oid: other.oid })).not.toThrow();
    expect(() => openFork(memory, REF, { oid: walkedOids(memory)[8] as Oid, seq: 9 as Seq })).toThrow(
      /refs\/heads\/try is on [0-9a-f]{40}, commit 8, which is not after [0-9a-f]{40}, commit 9,/,
    );
    const place = { fileSystem: memory, repositoryDirectory: REPOSITORY, hostName: "host", forkedFrom: base };
    expect(() => new HistoryRecorder({ ...place, ref: "refs/heads/none" })).toThrow(RecorderMismatchError);
  });
});
