import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { hexFromOid, oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import { openHistory, type History } from "../../../../../daemon/history/query/history.js";
import { commitAtTime, resolveRevision } from "../../../../../daemon/history/query/resolve-revision.js";
import { RevisionError } from "../../../../../daemon/history/query/revision.js";
import { HistoryRecorder } from "../../../../../daemon/history/recorder/recorder.js";
import { MissingObjectError, NotARepositoryError } from "../../../../../daemon/history/repository/errors.js";
import type { FoundCommit } from "../../../../../daemon/history/repository/find-commit.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { updateShallow } from "../../../../../daemon/history/repository/shallow.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import type { Microseconds } from "../../../../../protocol/identifiers.js";
import { streamCommits } from "../../../../support/commit-stream.js";
import { recordForkedHistory } from "../../../../support/forked-history.js";
import { REPOSITORY } from "../../../../support/recorded-history.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { git } from "../repository/repository-support.js";

/** Enough that some begin with the same four digits as another object does. */
const COMMITS = 1500;
/** Several commits in each second. */
const STREAM = { domains: 3, intervalMicroseconds: 300_000 };
const NOW = 1_767_230_000_000_000 as Microseconds;

let directory: string;
let history: History;
/** The oids of commits 1, 2, … in hexadecimal. */
let oids: readonly string[];

function recorderOf(repositoryDirectory: string): HistoryRecorder {
  return new HistoryRecorder({
    fileSystem: nodeFileSystem,
    repositoryDirectory,
    ref: MAIN_REF,
    hostName: "host",
  });
}

function recordedHistory(commits: number): string {
  const made = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, made);
  const recorder = recorderOf(made);
  for (const commit of streamCommits(STREAM, 1, commits)) {
    recorder.record(commit);
    if (commit.seq % 400 === 0) recorder.seal();
  }
  recorder.seal();
  recorder.close();
  return made;
}

beforeAll(() => {
  directory = recordedHistory(COMMITS);
  oids = git(directory, ["rev-list", "--reverse", "main"]).split("\n");
  git(directory, ["branch", "try", at(700)]);
  git(directory, ["tag", "light", at(10)]);
  git(directory, ["-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-m", "x", "noted", at(11)]);
  git(directory, ["tag", "values", "main^{tree}"]);
  git(directory, ["branch", "both", at(20)]);
  git(directory, ["tag", "both", at(21)]);
  history = openHistory(nodeFileSystem, directory);
});

afterAll(() => {
  history.close();
});

/** Whether four digits are the number of a commit. */
function isSeq(digits: string): boolean {
  return /^1[0-9]{3}$/.test(digits) && Number(digits) <= COMMITS;
}

function isUnique(short: string): boolean {
  return oids.filter((oid) => oid.startsWith(short)).length === 1;
}

function at(seq: number): string {
  return oids[seq - 1] as string;
}

function resolve(text: string): string {
  return hexFromOid(resolveRevision(history.view(), text, NOW).oid);
}

function timeOf({ commit }: FoundCommit): Microseconds {
  return commit.trailers.time as Microseconds;
}

describe("resolveRevision", () => {
  test.each(["main", "HEAD", "@", "try", "refs/heads/try", "heads/try", "light", "noted", "refs/tags/noted", "both"])(
    "%s is what Git says",
    (name) => {
      expect(resolve(name)).toBe(git(directory, ["rev-parse", `${name}^{commit}`]));
    },
  );

  test.each(["main~3", "try~", "try^^", "noted~10", "HEAD~0", "main~2~3^"])("%s is what Git says", (text) => {
    expect(resolve(text)).toBe(git(directory, ["rev-parse", text]));
  });

  test.each(["HEAD", "@", "HEAD~1", "HEAD^", "@^", "~1", "~", "^", "~~2", "HEAD~2^"])(
    "%s is a commit of the branch at hand",
    (text) => {
      const there = (branch?: string): string => hexFromOid(resolveRevision(history.view(), text, NOW, branch).oid);
      const behind = text.replace(/^(?:HEAD|@)/, "");
      expect(there("try")).toBe(git(directory, ["rev-parse", `refs/heads/try${behind}`]));
      // There is a tag of that name, which goes before the branch.
      expect(there("both")).toBe(git(directory, ["rev-parse", `refs/heads/both${behind}`]));
      expect(there()).toBe(git(directory, ["rev-parse", `refs/heads/main${behind}`]));
    },
  );

  test("numbers and times are those of the branch at hand, and names are nobody's", () => {
    const there = (text: string): string => hexFromOid(resolveRevision(history.view(), text, NOW, "try").oid);
    const tip = git(directory, ["rev-parse", "refs/heads/try"]);
    expect([there("@{now}"), there("HEAD@{now}"), there("@@{now}")]).toEqual([tip, tip, tip]);
    expect(there("@{650}~49")).toBe(at(601));
    expect(there("main@{1500}")).toBe(at(1500));
    expect(there("main")).toBe(git(directory, ["rev-parse", "main"]));
    expect(() => there("@{1500}")).toThrow(/there is no commit @\{1500\}: the commits of try are/);
    expect(() => resolveRevision(history.view(), "HEAD", NOW, "nowhere")).toThrow(
      /^HEAD: there is no branch nowhere; there is /,
    );
  });

  test("finds commits by seq, on main and on a branch", () => {
    for (const seq of [1, 2, 399, 400, 401, 1499, 1500]) expect(resolve(`@{${String(seq)}}`)).toBe(at(seq));
    expect(resolve("try@{650}")).toBe(at(650));
    expect(resolve("@{650}~49")).toBe(at(601));
  });

  test("takes an abbreviated oid exactly where one commit alone has it", () => {
    const counts = new Map<string, number>();
    for (const oid of oids) counts.set(oid.slice(0, 4), (counts.get(oid.slice(0, 4)) ?? 0) + 1);
    let ambiguous = 0;
    for (const oid of oids) {
      const short = oid.slice(0, 4);
      expect(resolve(oid.slice(0, 12))).toBe(oid);
      expect(resolve(oid)).toBe(oid);
      expect(resolve(oid.slice(0, 12).toUpperCase())).toBe(oid);
      if (isSeq(short)) continue;
      if (counts.get(short) === 1) expect(resolve(short)).toBe(oid);
      else {
        ambiguous++;
        expect(() => resolve(short)).toThrow(/more than one commit begins with .*: give more digits of .*[0-9a-f]{40}/);
      }
    }
    expect(ambiguous).toBeGreaterThan(0);
  });

  test("refuses a few digits that are a commit's number too, where a commit's oid alone begins so", () => {
    const number = oids.map((oid) => oid.slice(0, 4)).find((short) => isSeq(short) && isUnique(short)) ?? "";
    expect(() => resolve(number)).toThrow(
      `${number} is the beginning of an object id and a commit's number: write @{${number}}, or more of the id`,
    );
    const other = oids.map((oid) => oid.slice(0, 4)).find((short) => /^[2-9][0-9]{3}$/.test(short) && isUnique(short));
    expect(resolve(other ?? "")).toBe(oids.find((oid) => oid.startsWith(other ?? "")));
  });

  test("finds a loose commit by its first digits, and the commit that a tag object is on", () => {
    const tree = git(directory, ["rev-parse", "main^{tree}"]);
    const loose = git(directory, [
      "-c",
      "user.name=a",
      "-c",
      "user.email=a@b",
      "commit-tree",
      "-m",
      "by hand",
      "-p",
      at(5),
      tree,
    ]);
    expect(resolve(loose.slice(0, 10))).toBe(loose);
    expect(resolve(`${loose.slice(0, 10)}~2`)).toBe(at(4));
    expect(() => resolve(`${loose}~6`)).toThrow(/only 5 commits are before what it counts from/);
    expect(resolve(git(directory, ["rev-parse", "noted"]).slice(0, 10))).toBe(at(11));
  });

  test("finds seqs below somebody's own commits, in a clone of another branch, beside a branch that leads nowhere", () => {
    const clone = `${temporaryDirectory()}/clone`;
    git(directory, ["clone", "-q", "-b", "try", directory, clone]);
    git(clone, ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "mine"]);
    writeFileSync(`${clone}/.git/refs/heads/broken`, `${"1".repeat(40)}\n`);
    const opened = openHistory(nodeFileSystem, `${clone}/.git`);
    const found = (text: string): string => hexFromOid(resolveRevision(opened.view(), text, NOW).oid);
    for (const text of ["@{650}", "HEAD@{650}", "try@{650}", "HEAD~51"]) expect(found(text)).toBe(at(650));
    expect(found("HEAD~2~3")).toBe(at(696));
    opened.close();
  });

  test("finds it after somebody has repacked the whole repository", () => {
    const packed = recordedHistory(50);
    const opened = openHistory(nodeFileSystem, packed);
    const oid = git(packed, ["rev-parse", "main~7"]);
    const found = (): string => hexFromOid(resolveRevision(opened.view(), oid.slice(0, 10), NOW).oid);
    expect(found()).toBe(oid);
    git(packed, ["repack", "-q", "-a", "-d", "-f"]);
    expect(found()).toBe(oid);
    git(packed, ["pack-refs", "--all"]);
    expect(resolveRevision(opened.view(), "main~7", NOW).oid).toBe(oidFromHex(oid));
    opened.close();
  });

  test.each([
    ["nowhere", /there is no "nowhere" in this history: name a branch/],
    ["abc", /at least four digits/],
    ["123", /there is no "123" in this history: commit number 123 is @\{123\}/],
    ["12345678", /there is no commit 12345678: no object begins so; commit number 12345678 is @\{12345678\}/],
    ["main^2", /\^2 is not known here: ~N goes N commits back; of a merge, xs show tells the object id/],
    ["0123456789abcdef", /there is no commit 0123456789abcdef: no object begins so/],
    ["values", /values names no commit: refs\/tags\/values leads to a tree/],
    ["@{0}", /there is no commit @\{0\}: the commits of main are @\{1\} of 2026-01-01T00:00:00.300000Z to @\{1500\}/],
    ["@{1501}", /@\{1500\} of/],
    ["try@{701}", /the commits of try are @\{1\} of .* to @\{700\} of/],
    ["no@{1}", /there is no branch no; there is both, main or try/],
    ["main~1500", /there is no commit main~1500: the commits of main are/],
    ["@{2025-12-31}", /there was no commit yet at @\{2025-12-31\}: the commits of main are @\{1\}/],
  ])("%s is refused, and what there is is said", (text, message) => {
    expect(() => resolve(text)).toThrow(RevisionError);
    expect(() => resolve(text)).toThrow(message);
  });

  test("tells a tree's oid from a commit's", () => {
    expect(() => resolve(git(directory, ["rev-parse", "main^{tree}"]).slice(0, 12))).toThrow(
      /it is a tree, not a commit/,
    );
  });

  test("passes damage on instead of calling it an unknown revision", () => {
    expect(() => resolve("0123456789012345678901234567890123456789")).toThrow(RevisionError);
    const broken = recordedHistory(3);
    git(broken, ["update-ref", "refs/heads/main", git(broken, ["rev-parse", "main"])]);
    const damaged = openHistory(nodeFileSystem, broken);
    const view = damaged.view();
    for (const file of nodeFileSystem.list(`${broken}/objects/pack`)) {
      nodeFileSystem.remove(`${broken}/objects/pack/${file}`);
    }
    expect(() => view.commit(oidFromHex(git(broken, ["rev-parse", "main"])))).toThrow(MissingObjectError);
    damaged.close();
  });
});

describe("commitAtTime", () => {
  test("is the last commit at or before each moment, as a walk finds it", () => {
    const view = history.view();
    for (const seq of [1, 2, 3, 10, 399, 400, 777, 1499, 1500]) {
      const found = view.commitWithSeq(MAIN_REF, seq) as FoundCommit;
      const time = timeOf(found);
      expect(commitAtTime(view, MAIN_REF, time)?.oid).toBe(found.oid);
      expect(commitAtTime(view, MAIN_REF, (time + 1) as Microseconds)?.oid).toBe(found.oid);
      expect(commitAtTime(view, MAIN_REF, (time - 1) as Microseconds)?.commit.trailers.seq).toBe(
        seq === 1 ? undefined : seq - 1,
      );
    }
  });

  test("counts back from now", () => {
    const seq = 1000;
    const time = timeOf(history.view().commitWithSeq(MAIN_REF, seq) as FoundCommit);
    const now = (time + 60_000_000 + 10) as Microseconds;
    expect(hexFromOid(resolveRevision(history.view(), "@{1 minute ago}", now).oid)).toBe(at(seq));
  });
});

describe("resolveRevision on a fork", () => {
  const { memory, oid } = recordForkedHistory();
  const resolved = (text: string): { readonly oid: Oid; readonly reads: number } => {
    const opened = openHistory(memory, REPOSITORY);
    const read = vi.spyOn(opened.reader, "read");
    const found = resolveRevision(opened.view(), text, NOW);
    opened.close();
    return { oid: found.oid, reads: read.mock.calls.length };
  };

  test.each([
    ["try@{17}", "main", 17],
    ["try@{1500}", "main", 1500],
    ["try@{1501}", "try", 1501],
    ["try~1600", "main", 100],
    ["try~150", "try", 1550],
    ["deeper@{1600}", "try", 1600],
    ["deeper~149~1000", "main", 501],
    ["fresh~600", "main", 100],
    ["hand@{1}", "main", 1],
    ["hand~1600", "main", 40],
    ["@{1501}", "main", 1501],
  ])("finds %s without a walk", (text, branch, seq) => {
    const found = resolved(text);
    expect(found.oid).toBe(oid(branch, seq));
    expect(found.reads).toBeLessThan(20);
  });

  test("says which commits the fork has, without a walk", () => {
    const opened = openHistory(memory, REPOSITORY);
    const read = vi.spyOn(opened.reader, "read");
    for (const text of ["try@{1701}", "try~1700"]) {
      expect(() => resolveRevision(opened.view(), text, NOW)).toThrow(
        /the commits of try are @\{1\} of .* to @\{1700\}/,
      );
    }
    expect(read.mock.calls.length).toBeLessThan(40);
    opened.close();
  });

  test.each(["try", "deeper", "fresh", "hand"])("finds the times of %s without a walk", (branch) => {
    const opened = openHistory(memory, REPOSITORY);
    const view = opened.view();
    for (const seq of [1, 17, 699, 700, 1499, 1500, 1501, 1600, 1601, 1649]) {
      const found = oid(branch, seq);
      if (found === undefined) continue;
      const time = timeOf(view.commit(found));
      const read = vi.spyOn(opened.reader, "read");
      expect(commitAtTime(opened.view(), `refs/heads/${branch}`, time)?.oid).toBe(found);
      expect(read.mock.calls.length).toBeLessThan(50);
      read.mockRestore();
    }
    opened.close();
  });
});

describe("HistoryView", () => {
  test("stays at its moment while more is recorded", () => {
    const growing = recordedHistory(10);
    const opened = openHistory(nodeFileSystem, growing);
    const before = opened.view();
    const recorder = recorderOf(growing);
    for (const commit of streamCommits(STREAM, 11, 20)) recorder.record(commit);
    recorder.seal();
    recorder.close();
    expect(before.tip(MAIN_REF)?.commit.trailers.seq).toBe(10);
    expect(before.commitWithSeq(MAIN_REF, 11)).toBeUndefined();
    expect(() => resolveRevision(before, "@{11}", NOW)).toThrow(/to @\{10\}/);
    expect(opened.view().commitWithSeq(MAIN_REF, 11)?.commit.trailers.seq).toBe(11);
    opened.close();
  });

  test("ends where the history was cut, by seqs, by steps and by time", () => {
    const cut = recordedHistory(50);
    const opened = openHistory(nodeFileSystem, cut);
    const boundary = opened.view().commitWithSeq(MAIN_REF, 20) as FoundCommit;
    const tagged = opened.view().commitWithSeq(MAIN_REF, 7) as FoundCommit;
    git(cut, ["tag", "kept", hexFromOid(tagged.oid)]);
    updateShallow(nodeFileSystem, cut, { expected: new Set(), to: new Set([boundary.oid, tagged.oid]) });
    const view = opened.view();
    expect(view.previous(boundary)).toBeUndefined();
    expect(view.oldest(MAIN_REF)?.oid).toBe(boundary.oid);
    expect(view.commitWithSeq(MAIN_REF, 19)).toBeUndefined();
    expect(resolveRevision(view, "main~30", NOW).oid).toBe(boundary.oid);
    for (const text of ["main~31", "@{19}", "@{2026-01-01T00:00:01}"]) {
      expect(() => resolveRevision(view, text, NOW)).toThrow(/the commits of main are @\{20\} of/);
    }
    expect(resolveRevision(view, "kept", NOW).oid).toBe(tagged.oid);
    expect(() => resolveRevision(view, "kept~", NOW)).toThrow(/the history begins with what it counts from/);
    opened.close();
  });

  test("of an empty repository says that nothing was recorded", () => {
    const made = `${temporaryDirectory()}/store.git`;
    createRepository(nodeFileSystem, made);
    const opened = openHistory(nodeFileSystem, made);
    for (const text of ["main@{1}", "HEAD", "@{now}"]) {
      expect(() => resolveRevision(opened.view(), text, NOW)).toThrow(/nothing has been recorded yet/);
    }
    opened.close();
  });

  test("is refused where there is no repository", () => {
    expect(() => openHistory(nodeFileSystem, temporaryDirectory())).toThrow(NotARepositoryError);
  });
});
