/**
 * The recorded history, read by real Git.
 *
 * Every claim of the mapping that a person relies on when they use Git's own tools.
 */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Domid, Microseconds, Path, Seq, TxId } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { hexFromOid } from "../../daemon/history/object/oid.js";
import { CHAIN_COST_MAX, chainStepCost } from "../../daemon/history/object/pack.js";
import { treeOidOf } from "../../daemon/history/object/root-encoder.js";
import { loadTip } from "../../daemon/history/recorder/load-tip.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository } from "../../daemon/history/repository/layout.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { Commit } from "../../daemon/store/commit.js";
import { applyChanges, diffRoots, sameRoot } from "../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { arbitraryEdit, commitBetween, editRoot } from "../property/history-generator.js";
import { propertyParameters } from "../support/seed.js";
import { temporaryDirectory, withTemporaryDirectory } from "../support/temporary-directory.js";

const environment = { PATH: process.env["PATH"], HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1", LC_ALL: "C" };

function git(directory: string, ...args: string[]): string {
  const output = execFileSync("git", ["--git-dir", directory, ...args], {
    encoding: "latin1",
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28,
  });
  return output;
}

/** What `git fsck` says on both channels; throws when it finds an error. */
function fsck(directory: string): string {
  return execFileSync("sh", ["-c", 'exec git --git-dir "$0" fsck --strict --no-progress 2>&1', directory], {
    encoding: "latin1",
    env: environment,
  });
}

function packsOf(directory: string): string[] {
  return readdirSync(join(directory, "objects/pack"))
    .filter((name) => name.endsWith(".pack"))
    .map((name) => join(directory, "objects/pack", name));
}

/** Every pack stands on its own: whole, indexed as Git would, without twins. */
function checkPacks(directory: string): void {
  for (const pack of packsOf(directory)) {
    git(directory, "verify-pack", pack.replace(/pack$/, "idx"));
    git(directory, "index-pack", "--strict", "--verify", pack);
    const oids = git(directory, "verify-pack", "-v", pack)
      .split("\n")
      .map((line) => line.slice(0, 40))
      .filter((text) => /^[0-9a-f]{40}$/.test(text));
    expect(new Set(oids).size).toBe(oids.length);
  }
}

function open(directory: string): HistoryRecorder {
  return new HistoryRecorder({
    fileSystem: nodeFileSystem,
    repositoryDirectory: directory,
    ref: "refs/heads/main",
    hostName: "test host",
  });
}

const perms = (text: string): Perms => parsePerms(text.split(" ")) as Perms;

function set(path: string, value: string, text = "n0"): Commit["changes"][number] {
  return { kind: "node", path: path as Path, before: undefined, after: { value, perms: perms(text) } };
}

function commit(seq: number, changes: Commit["changes"], details: Partial<Commit> = {}): Commit {
  return {
    seq: seq as Seq,
    time: (1_780_000_000_123_456 + seq) as Microseconds,
    origin: { domid: 0 as Domid, connection: "socket-1", transaction: undefined },
    base: (seq - 1) as Seq,
    requests: [],
    requestsOmitted: 0,
    changes,
    ...details,
  };
}

describe("the recorded history in Git", () => {
  it("git show, ls-tree and cat-file find values, perms and records where the mapping says", () => {
    const directory = join(temporaryDirectory(), "store.git");
    createRepository(nodeFileSystem, directory);
    const recorder = open(directory);
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
    recorder.record(
      commit(1, [
        set("/local", ""),
        set("/local/domain", ""),
        set("/local/domain/5", "own value", "n5 r0"),
        set("/local/domain/5/name", "guest", "n5 r0"),
        set("/local/domain/5/all", bytes, "n5 r7"),
        set("/local/domain/5/device", "", "n5 r0"),
        set("/local/domain/5/device/vbd", "1", "n5 r0"),
        set("/local/domain/5/device-model", "2", "n5 r0"),
        set("/__proto__", "3"),
        set("/-", "4"),
        { kind: "quota", name: "nodes", before: undefined, after: 2000 },
        {
          kind: "domain",
          domid: 5 as Domid,
          before: undefined,
          after: {
            introduction: { gfn: 77, port: 3 },
            target: 7 as Domid,
            features: 1,
            shutdown: true,
            quotas: new Map([["watches", 9]]),
          },
        },
      ]),
    );
    recorder.seal();
    expect(git(directory, "show", "main:local/domain/5/name")).toBe("guest");
    expect(git(directory, "cat-file", "blob", "main:local/domain/5/all")).toBe(bytes);
    expect(git(directory, "show", "main:local/domain/5/.value")).toBe("own value");
    expect(git(directory, "show", "main:local/domain/5/.perms")).toBe(". n5 r0\nall n5 r7\n");
    expect(git(directory, "show", "main:.perms")).toBe(". n0\n");
    expect(git(directory, "show", "main:.special")).toBe("@introduceDomain n0\n@releaseDomain r0\n");
    expect(git(directory, "show", "main:.quotas")).toBe("nodes 2000\n");
    expect(git(directory, "show", "main:.domains/5")).toBe(
      "gfn 77\nport 3\ntarget 7\nfeatures 1\nshutdown 1\nquota.watches 9\n",
    );
    expect(git(directory, "ls-tree", "-r", "--name-only", "main").trim().split("\n")).toEqual([
      "-",
      ".domains/5",
      ".perms",
      ".quotas",
      ".special",
      "__proto__",
      "local/.perms",
      "local/domain/.perms",
      "local/domain/5/.perms",
      "local/domain/5/.value",
      "local/domain/5/all",
      "local/domain/5/device-model",
      "local/domain/5/device/.perms",
      "local/domain/5/device/vbd",
      "local/domain/5/name",
    ]);
    expect(fsck(directory)).toBe("");
    checkPacks(directory);
  });

  it("git log tells author, dates, subject, requests and trailers", () => {
    const directory = join(temporaryDirectory(), "store.git");
    createRepository(nodeFileSystem, directory);
    const recorder = open(directory);
    recorder.record(
      commit(1, [set("/a", "x")], {
        requests: [{ operation: "WRITE", subject: "/a", detail: 'x\n\0\xff"\\', detailBytes: 6 }],
      }),
    );
    recorder.record(
      commit(2, [set("/a/b", ""), set("/a/c", "")], {
        time: 1_600_000_000_000_001 as Microseconds,
        base: 0 as Seq,
        origin: { domid: 5 as Domid, connection: "domain-5", transaction: 9 as TxId },
        requests: [
          { operation: "WRITE", subject: "/a/b", detail: "y".repeat(64), detailBytes: 4000 },
          { operation: "SET_PERMS", subject: "/a/c", detail: "n5 r0", detailBytes: 5 },
          ...Array.from(
            { length: 250 },
            () => ({ operation: "MKDIR", subject: "/a/c", detail: "", detailBytes: 0 }) as const,
          ),
        ],
        requestsOmitted: 3,
      }),
    );
    recorder.seal();
    expect(git(directory, "log", "--reverse", "--format=%an|%ae|%cn|%ce|%at|%ct|%s")).toBe(
      "dom0|dom0@test-host|xenstore-tng|xenstore@test-host|1780000000|1780000000|dom0: WRITE /a\n" +
        // The clock stepped back: the committer date stays, the author's tells the truth.
        "dom5|dom5@test-host|xenstore-tng|xenstore@test-host|1600000000|1780000000|dom5: 2 changes under /a\n",
    );
    expect(git(directory, "log", "--format=%B", "main~1")).toBe(
      'dom0: WRITE /a\n\nWRITE /a "x\\x0a\\x00\\xff\\x22\\x5c"\n\nSeq: 1\nTime: 2026-05-28T20:26:40.123457Z\nDomain: 0\nConnection: socket-1\n\n',
    );
    const body = git(directory, "log", "-1", "--format=%b", "main").split("\n");
    expect(body[0]).toBe(`WRITE /a/b "${"y".repeat(64)}"... (4000 bytes)`);
    expect(body[1]).toBe("SET_PERMS /a/c n5 r0");
    expect(body[199]).toBe("MKDIR /a/c");
    expect(body[200]).toBe("... 55 more");
    const trailers = git(
      directory,
      "log",
      "--format=%(trailers:key=Seq,valueonly,separator=%x2C)/%(trailers:key=Transaction,valueonly,separator=%x2C)/%(trailers:key=Base,valueonly,separator=%x2C)",
      "main",
    );
    expect(trailers).toBe("2/9/0\n1//\n");
    expect(fsck(directory)).toBe("");
  });

  it("every commit's tree is that of the model's root, over many seals and restarts, and fsck is silent after each (recorder invariants 1, 2, 3, 5)", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            edits: fc.array(arbitraryEdit, { maxLength: 5 }),
            then: fc.constantFrom("on", "on", "on", "on", "seal", "restart"),
          }),
          { minLength: 10, maxLength: 60 },
        ),
        (steps) => {
          const directory = join(temporaryDirectory(), "store.git");
          createRepository(nodeFileSystem, directory);
          let recorder = open(directory);
          let root: Root = emptyRoot();
          const trees: string[] = [];
          const unsealed: Commit[] = [];
          for (const { edits, then } of steps) {
            const before = root;
            const seq = (trees.length + 1) as Seq;
            for (const edit of edits) root = editRoot(root, edit, seq);
            const next = commitBetween(before, root, seq);
            recorder.record(next);
            unsealed.push(next);
            trees.push(hexFromOid(treeOidOf(root)));
            if (then === "seal") {
              recorder.seal();
              unsealed.length = 0;
              expect(fsck(directory)).toBe("");
            } else if (then === "restart") {
              // What was not sealed is lost with the thread, and comes again from the journal.
              recorder = open(directory);
              for (const again of unsealed) recorder.record(again);
            }
          }
          recorder.seal();
          expect(git(directory, "log", "--reverse", "--format=%T", "main").trim().split("\n")).toEqual(trees);
          expect(fsck(directory)).toBe("");
          checkPacks(directory);
          const tip = loadTip(nodeFileSystem, directory);
          expect(tip?.seq).toBe(trees.length);
          expect(tip !== undefined && sameRoot(tip.root, root)).toBe(true);
        },
      ),
      propertyParameters(12),
    );
  });

  it("a commit without changes has its parent's tree, also the first one (recorder invariant 6)", () => {
    const directory = join(temporaryDirectory(), "store.git");
    createRepository(nodeFileSystem, directory);
    const recorder = open(directory);
    recorder.record(commit(1, []));
    recorder.seal();
    recorder.record(commit(2, []));
    recorder.seal();
    recorder.record(commit(3, [set("/a", "")]));
    recorder.seal();
    const empty = hexFromOid(treeOidOf(emptyRoot()));
    const trees = git(directory, "log", "--reverse", "--format=%T", "main").trim().split("\n");
    expect(trees.slice(0, 2)).toEqual([empty, empty]);
    expect(trees[2]).not.toBe(empty);
    expect(fsck(directory)).toBe("");
  });

  it("fsck reports no dangling blob after a commit that changes the perms of both special paths and several quotas (mirror invariant 3)", () => {
    const directory = join(temporaryDirectory(), "store.git");
    createRepository(nodeFileSystem, directory);
    const recorder = open(directory);
    recorder.record(
      commit(1, [
        { kind: "special", path: "@introduceDomain", before: perms("n0"), after: perms("n0 r3") },
        { kind: "special", path: "@releaseDomain", before: perms("r0"), after: perms("r0 r3") },
        { kind: "quota", name: "nodes", before: undefined, after: 1 },
        { kind: "quota", name: "watches", before: undefined, after: 2 },
      ]),
    );
    recorder.seal();
    expect(git(directory, "show", "main:.special")).toBe("@introduceDomain n0 r3\n@releaseDomain r0 r3\n");
    expect(git(directory, "show", "main:.quotas")).toBe("nodes 1\nwatches 2\n");
    expect(fsck(directory)).toBe("");
  });

  it("git clone, gc and repack work, and recording goes on after them", async () => {
    await withTemporaryDirectory((base) => {
      const directory = join(base, "store.git");
      createRepository(nodeFileSystem, directory);
      const recorder = open(directory);
      let root = emptyRoot();
      const record = (seq: number): void => {
        const before = root;
        const value = String(seq % 7);
        root = applyChanges(
          root,
          [...(seq === 1 ? [set("/a", "")] : []), set(`/a/n${String(seq % 50)}`, value)],
          seq as Seq,
        );
        recorder.record(commitBetween(before, root, seq));
      };
      for (let seq = 1; seq <= 600; seq++) {
        record(seq);
        if (seq % 100 === 0) recorder.seal();
      }
      expect(packsOf(directory)).toHaveLength(6);
      git(directory, "gc", "--quiet", "--prune=now");
      expect(packsOf(directory)).toHaveLength(1);
      for (let seq = 601; seq <= 700; seq++) record(seq);
      recorder.seal();
      git(directory, "repack", "-adfq");
      const clone = join(base, "clone");
      execFileSync("git", ["clone", "--quiet", directory, clone], { env: environment, stdio: "pipe" });
      expect(git(join(clone, ".git"), "rev-list", "--count", "main").trim()).toBe("700");
      expect(git(directory, "rev-parse", "main^{tree}").trim()).toBe(hexFromOid(treeOidOf(root)));
      expect(fsck(directory)).toBe("");
    });
  });

  it("an object over a stored block's 65,535 bytes, and a directory of 3,000 nodes as deltas, are read back by Git", () => {
    const directory = join(temporaryDirectory(), "store.git");
    createRepository(nodeFileSystem, directory);
    const recorder = open(directory);
    let root = emptyRoot();
    let before = root;
    const names = Array.from({ length: 3000 }, (_, index) =>
      set(`/big/node-${String(index)}`, String(index), index % 3 === 0 ? "n5" : "n0"),
    );
    root = applyChanges(root, [set("/big", ""), ...names, set("/long", "z".repeat(200_000))], 1 as Seq);
    recorder.record(commitBetween(before, root, 1));
    for (let seq = 2; seq <= 400; seq++) {
      before = root;
      const at = `/big/node-${String((seq * 37) % 3000)}`;
      const change =
        seq % 5 === 0 && diffRoots(root, applyChanges(root, [set(at, "?")], 1 as Seq)).length > 0
          ? ({ kind: "node", path: at as Path, before: undefined, after: undefined } as const)
          : set(at, `v${String(seq)}`);
      root = applyChanges(root, [change], seq as Seq);
      recorder.record(commitBetween(before, root, seq));
    }
    recorder.seal();
    checkPacks(directory);
    expect(fsck(directory)).toBe("");
    expect(git(directory, "rev-parse", "main^{tree}").trim()).toBe(hexFromOid(treeOidOf(root)));
    // Deltas, not 400 times a directory of 100 KB; and what it costs to read one is bounded (pack invariant 2).
    const verified = git(directory, "verify-pack", "-v", packsOf(directory)[0] as string);
    const depths = new Map(
      [...verified.matchAll(/^([0-9a-f]{40}) tree .* ([0-9]+) [0-9a-f]{40}$/gm)].map(([, oid, depth]) => [
        oid,
        Number(depth),
      ]),
    );
    const large = git(
      directory,
      "cat-file",
      "--batch-all-objects",
      "--batch-check=%(objectname) %(objecttype) %(objectsize)",
    )
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, type, size]) => type === "tree" && Number(size) > 50_000);
    expect(large.length).toBeGreaterThan(390);
    const costs = large.map(([oid, , size]) => ((depths.get(oid) ?? 0) + 1) * chainStepCost(Number(size)));
    expect(Math.max(...costs)).toBeLessThan(CHAIN_COST_MAX * 1.1);
    const wholes = large.filter(([oid]) => !depths.has(oid));
    expect(wholes.length).toBeLessThan(30);
  });
});
