/**
 * The files of a branch's path index.
 *
 * Owns where they are and what they are called:
 *
 *     store.git/xenstore-tng/paths/main/1-70000.run       the commits from 1 to 70000
 *                                       70001.tail        those since (the last tail grows; others wait to be made runs)
 *                                       1-90000.run.new   being written
 *
 * Whether a file has what its name says is told by the file (`path-run.ts`, `path-tail.ts`), and whether that is of this history by the
 * commits.
 */
import type { FileSystem } from "../../platform/file-system.js";
import { listIfPresent } from "./durable-file.js";
import { branchFileName, type SeqIndexPlace } from "./seq-index.js";

/** A file by its name. */
export type PathIndexFile =
  | { readonly kind: "run"; readonly name: string; readonly first: number; readonly last: number }
  | { readonly kind: "tail"; readonly name: string; readonly first: number }
  | { readonly kind: "unfinished"; readonly name: string };

/** What the name of a file that is being written ends with. */
export const UNFINISHED_SUFFIX = ".new";

/** The directory with all files of a branch's index. */
export function pathIndexDirectory({
  repositoryDirectory,
  ref,
}: Pick<SeqIndexPlace, "repositoryDirectory" | "ref">): string {
  return `${repositoryDirectory}/xenstore-tng/paths/${branchFileName(ref)}`;
}

/** The name of a run. */
export function runName({ first, last }: { readonly first: number; readonly last: number }): string {
  return `${String(first)}-${String(last)}.run`;
}

/** The name of a tail. */
export function tailName(first: number): string {
  return `${String(first)}.tail`;
}

/** The files that are there; those with names of others are left out. */
export function listPathIndex(fileSystem: FileSystem, directory: string): PathIndexFile[] {
  return listIfPresent(fileSystem, directory).flatMap((name): PathIndexFile[] => {
    const [, first, last, kind, unfinished] = /^(\d{1,16})(?:-(\d{1,16}))?\.(run|tail)(\.new)?$/.exec(name) ?? [];
    if (unfinished !== undefined) return [{ kind: "unfinished", name }];
    if (kind === "run" && last !== undefined) return [{ kind, name, first: Number(first), last: Number(last) }];
    if (kind === "tail" && last === undefined) return [{ kind, name, first: Number(first) }];
    return [];
  });
}
