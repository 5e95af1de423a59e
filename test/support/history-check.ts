/**
 * Is this repository whole, and is it the history that the model says? `git fsck` and `git rev-list --count` without Git, so
 * that it runs on a disk in memory thousands of times.
 *
 * Owns the walk. It reads every object that the tip reaches, each hashed and compared with its oid, and trusts nothing that
 * the recorder keeps in memory.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { hexFromOid, type Oid } from "../../daemon/history/object/oid.js";
import { isDirectoryKey, parseTree } from "../../daemon/history/object/tree-object.js";
import { MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
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
}

/** Throws unless the branch is the model's commits from `seq` down to the first, with everything that they reach. */
export function checkHistory(history: CheckedHistory): void {
  const { fileSystem, repositoryDirectory, model, decodes = false } = history;
  const reader = new ObjectReader(fileSystem, repositoryDirectory, { verifyOids: true });
  try {
    let oid = new RefStore(fileSystem, repositoryDirectory).read(MAIN_REF);
    let { seq } = history;
    const seen = new Set<Oid>();
    for (; oid !== undefined; seq--) {
      const { tree, parents, trailers } = readCommit(reader, oid);
      const name = `commit ${hexFromOid(oid)}`;
      if (trailers.seq !== seq)
        throw new Error(`${name} has Seq ${String(trailers.seq)} where ${String(seq)} was expected`);
      if (parents.length > 1) throw new Error(`${name} has ${String(parents.length)} parents`);
      const { time, origin } = model.commitAt(seq);
      if (trailers.time !== time || trailers.connection !== origin.connection) throw new Error(`${name} is another's`);
      if (tree !== model.treeAt(seq))
        throw new Error(`${name} with Seq ${String(seq)} has another tree than the model`);
      if (
        decodes &&
        !sameRoot(
          decodeRoot((each) => reader.read(each), tree, trailers.seq),
          model.rootAt(seq),
        )
      ) {
        throw new Error(`the tree of ${name} is another root than the model's`);
      }
      readAll(reader, tree, seen);
      [oid] = parents;
    }
    if (seq !== 0) throw new Error(`the history ends above commit ${String(seq)}`);
  } finally {
    reader.close();
  }
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

/** Files of a repository that nobody removes any more: temporaries, keeps without a purpose, locks. */
export function leftovers(fileSystem: FileSystem, repositoryDirectory: string): string[] {
  const files = filesBelow(fileSystem, repositoryDirectory).map((path) => path.slice(repositoryDirectory.length + 1));
  return files.filter((path) => /\.(?:keep|lock|new|tmp)$|(?:^|\/)(?:incoming-|tmp_)/.test(path));
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
