/**
 * A recorded history on a disk in memory, for tests of what reads or follows it.
 *
 * Owns the repository and the recorder; the commits are those of `commit-stream.ts`.
 */
import type { Oid } from "../../daemon/history/object/oid.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import type { IndexedCommit } from "../../daemon/history/repository/seq-index-writer.js";
import { readCommit } from "../../daemon/history/repository/walk.js";
import type { FileSystem } from "../../daemon/platform/file-system.js";
import { streamCommits, type CommitStream } from "./commit-stream.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "./memory-file-system.js";

/** Where the repository is. */
export const REPOSITORY = "/state/store.git";

/** What is written. */
const STREAM: CommitStream = { domains: 3 };

/** A disk with an empty repository, all of it durable. */
export function diskWithRepository(): MemoryFileSystem {
  const memory = createMemoryFileSystem();
  memory.makeDirectory("/state");
  memory.syncDirectory("/");
  createRepository(memory, REPOSITORY);
  return memory;
}

/** A recorder of that repository's main branch. */
export function openRecorder(fileSystem: FileSystem): HistoryRecorder {
  return new HistoryRecorder({ fileSystem, repositoryDirectory: REPOSITORY, ref: MAIN_REF, hostName: "host" });
}

/**
 * A recorder of a fork of that repository; its ref is made where there is none. From the same stream it makes other commits than main's
 * recorder.
 */
export function openFork(fileSystem: FileSystem, ref: string, base: IndexedCommit): HistoryRecorder {
  const refs = new RefStore(fileSystem, REPOSITORY);
  if (refs.read(ref) === undefined) refs.update(ref, { expected: undefined, to: base.oid });
  const place = { fileSystem, repositoryDirectory: REPOSITORY, ref, forkedFrom: base };
  return new HistoryRecorder({ ...place, hostName: ref.replaceAll("/", ".") });
}

/** Records the next `count` commits of the stream and seals them. */
export function recordAndSeal(recorder: HistoryRecorder, count: number): void {
  const next = recorder.recordedSeq + 1;
  for (const commit of streamCommits(STREAM, next, next + count - 1)) recorder.record(commit);
  recorder.seal();
}

/** The oids of a branch's commits by following first parents: that of commit 1 first. */
export function walkedOids(fileSystem: FileSystem, ref = MAIN_REF): Oid[] {
  const reader = new ObjectReader(fileSystem, REPOSITORY);
  const oids: Oid[] = [];
  let at = new RefStore(fileSystem, REPOSITORY).read(ref);
  while (at !== undefined) {
    oids.push(at);
    at = readCommit(reader, at).parents[0];
  }
  reader.close();
  return oids.reverse();
}
