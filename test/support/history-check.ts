/**
 * Is this repository whole, and is it the history that the model says? `git fsck` and `git rev-list --count` without Git, so
 * that it runs on a disk in memory thousands of times.
 *
 * Owns the walk. It reads every object that the tip reaches, each hashed and compared with its oid, and trusts nothing that
 * the recorder keeps in memory.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ParsedCommit } from "../../daemon/history/object/commit-object.js";
import { hexFromOid, type Oid } from "../../daemon/history/object/oid.js";
import { isDirectoryKey, parseTree } from "../../daemon/history/object/tree-object.js";
import { findCommit } from "../../daemon/history/repository/find-commit.js";
import { MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { PackRanges } from "../../daemon/history/repository/pack-ranges.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import { SeqIndex } from "../../daemon/history/repository/seq-index.js";
import { readShallow, sameCommits, type Shallow } from "../../daemon/history/repository/shallow.js";
import { readCommit } from "../../daemon/history/repository/walk.js";
import { decodeRoot } from "../../daemon/history/object/root-decoder.js";
import type { FileSystem } from "../../daemon/platform/file-system.js";
import { sameRoot } from "../../daemon/store/diff.js";
import type { HistoryModel } from "./history-model.js";

/** Which history to check. */
export interface CheckedHistory {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  readonly model: HistoryModel;
  /** The seq that the tip must have; 0 for a history without commits. */
  readonly seq: number;
  /** Whether each commit's tree is decoded and compared with the model's root, or its oid alone. */
  readonly decodes?: boolean;
  /**
   * Whether nothing is left to be done: then what was dropped is gone, and of what the limits say is too much, at most so
   * many commits are left.
   */
  readonly settledWithin?: number;
}

/**
 * Throws unless the branch is the model's commits from `seq` down to where the history may begin, and the tags are the
 * model's, with everything that they reach; returns the seq of the first commit.
 */
export function checkHistory(history: CheckedHistory): number {
  const { fileSystem, repositoryDirectory, model, settledWithin } = history;
  const reader = new ObjectReader(fileSystem, repositoryDirectory, { verifyOids: true });
  try {
    const shallow = readShallow(fileSystem, repositoryDirectory);
    const refs = new RefStore(fileSystem, repositoryDirectory);
    const seen = new Set<Oid>();
    const oldest = checkBranch(history, { reader, shallow, seen, tip: refs.read(MAIN_REF) });
    const { least, most } = model.oldest(history.seq, settledWithin);
    if (oldest < least || oldest > most) {
      throw new Error(`the history begins with ${String(oldest)}, not with ${String(least)} to ${String(most)}`);
    }
    const roots = new Set(oldest > 1 ? [model.oidAt(oldest)] : []);
    for (const [name, seq] of model.tags) {
      const oid = refs.read(name);
      if (oid !== model.oidAt(seq)) throw new Error(`${name} is not on commit ${String(seq)}`);
      readAll(reader, readCommit(reader, oid).tree, seen);
      if (seq > 1 && seq < oldest) roots.add(oid);
    }
    if (!sameCommits(shallow, roots)) {
      throw new Error(`shallow lists ${namesOf(shallow)}, and should list ${namesOf(roots)}`);
    }
    if (settledWithin !== undefined) checkDropped(reader, model);
    return oldest;
  } finally {
    reader.close();
  }
}

interface Walk {
  readonly reader: ObjectReader;
  readonly shallow: Shallow;
  /** What has been read. */
  readonly seen: Set<Oid>;
  readonly tip: Oid | undefined;
}

/** Checks the commits of the branch; returns the seq of the first, or 1 where there is none. */
function checkBranch({ fileSystem, repositoryDirectory, ...history }: CheckedHistory, walk: Walk): number {
  const { model, decodes = false } = history;
  const { reader, shallow, seen, tip } = walk;
  if (tip === undefined) {
    if (history.seq !== 0) throw new Error(`there is no history where it should end with ${String(history.seq)}`);
    return 1;
  }
  const index = new SeqIndex({ fileSystem, repositoryDirectory, ref: MAIN_REF });
  const packs = new PackRanges();
  try {
    let oid: Oid | undefined = tip;
    let { seq } = history;
    for (; oid !== undefined; seq--) {
      const { tree, parents, trailers }: ParsedCommit = readCommit(reader, oid, shallow);
      const name = `commit ${hexFromOid(oid)}`;
      if (trailers.seq !== seq)
        throw new Error(`${name} has Seq ${String(trailers.seq)} where ${String(seq)} was expected`);
      if (oid !== model.oidAt(seq)) throw new Error(`${name} with Seq ${String(seq)} is not the model's`);
      if (tree !== model.treeAt(seq))
        throw new Error(`${name} with Seq ${String(seq)} has another tree than the model`);
      if (decodes && !sameRoot(decodeRoot(reader, tree, trailers.seq), model.rootAt(seq))) {
        throw new Error(`the tree of ${name} is another root than the model's`);
      }
      readAll(reader, tree, seen);
      if (findCommit({ reader, index, tip, givenUp: shallow, packs }, seq)?.oid !== oid) {
        throw new Error(`commit ${String(seq)} is not found by its seq`);
      }
      [oid] = parents;
    }
    return seq + 1;
  } finally {
    index.close();
  }
}

/** Throws when a commit that was dropped is still there. */
function checkDropped(reader: ObjectReader, model: HistoryModel): void {
  const tagged = new Set(model.tags.values());
  for (let seq = 1; seq <= model.dropped; seq++) {
    if (!tagged.has(seq) && reader.has(model.oidAt(seq))) throw new Error(`commit ${String(seq)} still takes room`);
  }
}

function namesOf(commits: Iterable<Oid>): string {
  return [...commits].map((oid) => hexFromOid(oid)).join(", ") || "nothing";
}

/** Reads a tree and all below it, but for what has been seen. */
function readAll(reader: ObjectReader, top: Oid, seen: Set<Oid>): void {
  const pending: { readonly oid: Oid; readonly type: "tree" | "blob" }[] = [{ oid: top, type: "tree" }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next.oid)) continue;
    seen.add(next.oid);
    const { type, data } = reader.read(next.oid);
    if (type !== next.type)
      throw new Error(`${hexFromOid(next.oid)} is a ${type} and stands where a ${next.type} should`);
    if (type !== "tree") continue;
    const entries = parseTree(data);
    if (entries === undefined) throw new Error(`${hexFromOid(next.oid)} is no tree`);
    for (const [index, oid] of entries.oids.entries()) {
      pending.push({ oid, type: isDirectoryKey(entries.keys[index] ?? "") ? "tree" : "blob" });
    }
  }
}

/**
 * Files of a repository that nobody removes any more: temporaries, keeps without a purpose, locks, the note of a compaction,
 * packs that were superseded.
 */
export function leftovers(fileSystem: FileSystem, repositoryDirectory: string): string[] {
  const files = filesBelow(fileSystem, repositoryDirectory).map((path) => path.slice(repositoryDirectory.length + 1));
  const superseded = supersededPacks(fileSystem, repositoryDirectory);
  return files.filter(
    (path) =>
      /\.(?:keep|lock|new|tmp|walk)$|(?:^|\/)(?:incoming-|tmp_)|^xenstore-tng\/compaction$/.test(path) ||
      superseded.has(/\/pack-([0-9a-f]{40})\.\w+$/.exec(path)?.[1] ?? ""),
  );
}

/** What the record says of packs whose successor is there. */
function supersededPacks(fileSystem: FileSystem, repositoryDirectory: string): Set<string> {
  const record = `${repositoryDirectory}/xenstore-tng/retired`;
  const text = fileSystem.exists(record) ? Buffer.from(fileSystem.readFile(record)).toString("latin1") : "";
  const names = new Set<string>();
  for (const line of text.split("\n")) {
    const [superseding = "", ...superseded] = line.split(" ");
    if (!fileSystem.exists(`${repositoryDirectory}/objects/pack/pack-${superseding}.idx`)) continue;
    for (const name of superseded) names.add(name);
  }
  return names;
}

/** Packs without an index and indexes without a pack. Git and we pass over them, but they take room. */
export function halfPacks(fileSystem: FileSystem, repositoryDirectory: string): string[] {
  const names = fileSystem.list(`${repositoryDirectory}/objects/pack`);
  const present = new Set(names);
  return names.filter((name) =>
    name.endsWith(".idx")
      ? !present.has(name.replace(/idx$/, "pack"))
      : name.endsWith(".pack") && !present.has(name.replace(/pack$/, "idx")),
  );
}

/** Absolute paths of all files below a directory. */
function filesBelow(fileSystem: FileSystem, top: string): string[] {
  const files: string[] = [];
  const pending = [top];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const names = namesIn(fileSystem, path);
    if (names === undefined) files.push(path);
    else for (const name of names) pending.push(`${path}/${name}`);
  }
  return files.sort();
}

/** The names in a directory, or undefined for a file. */
function namesIn(fileSystem: FileSystem, path: string): string[] | undefined {
  try {
    return fileSystem.list(path);
  } catch {
    return undefined;
  }
}

/** Copies a repository to the real disk, for Git to look at. */
export function exportRepository(fileSystem: FileSystem, repositoryDirectory: string, target: string): void {
  for (const name of ["objects/info", "objects/pack", "refs/heads", "refs/tags"]) {
    mkdirSync(`${target}/${name}`, { recursive: true });
  }
  for (const path of filesBelow(fileSystem, repositoryDirectory)) {
    const copy = `${target}${path.slice(repositoryDirectory.length)}`;
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, fileSystem.readFile(path));
  }
}
