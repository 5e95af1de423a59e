/**
 * A recorded history with forks on a disk in memory, for tests of what looks for commits on them.
 *
 * Owns these branches:
 *
 *     main    1 ─────────── 700 ─────────── 1500 ─────────────── 3000
 *     fresh                 700               │                         a fork without a commit of its own
 *     try                                     └─ 1501 ── 1600 ── 1700
 *     deeper                                               └─ 1601 ── 1650
 *     hand                                                    (try) 1640   somebody's branch, without an index
 */
import type { Oid } from "../../daemon/history/object/oid.js";
import type { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import type { Seq } from "../../protocol/identifiers.js";
import type { MemoryFileSystem } from "./memory-file-system.js";
import {
  diskWithRepository,
  openFork,
  openRecorder,
  recordAndSeal,
  REPOSITORY,
  walkedOids,
} from "./recorded-history.js";

/** The branches, by their short names. */
export const BRANCHES = ["main", "fresh", "try", "deeper", "hand"] as const;

/** The full name of a branch. */
export function refOf(name: string): string {
  return `refs/heads/${name}`;
}

/** A disk and what is on it. */
export interface ForkedHistory {
  readonly memory: MemoryFileSystem;
  /** The oid of commit `seq` of a branch; undefined where it has none. */
  readonly oid: (branch: string, seq: number) => Oid | undefined;
}

/** Records the history. */
export function recordForkedHistory(): ForkedHistory {
  const memory = diskWithRepository();
  const main = openRecorder(memory);
  for (let sealed = 0; sealed < 3000; sealed += 500) recordAndSeal(main, 500);
  repair(main);
  const oids = new Map<string, readonly Oid[]>([["main", walkedOids(memory)]]);
  const oid = (branch: string, seq: number): Oid | undefined => oids.get(branch)?.[seq - 1];
  const fork = (name: string, from: string, base: number, commits: number): void => {
    const recorder = openFork(memory, refOf(name), { oid: oid(from, base) as Oid, seq: base as Seq });
    recordAndSeal(recorder, commits);
    repair(recorder);
    oids.set(name, walkedOids(memory, refOf(name)));
  };
  fork("fresh", "main", 700, 0);
  fork("try", "main", 1500, 200);
  fork("deeper", "try", 1600, 50);
  new RefStore(memory, REPOSITORY).update(refOf("hand"), { expected: undefined, to: oid("try", 1640) as Oid });
  oids.set("hand", walkedOids(memory, refOf("hand")));
  return { memory, oid };
}

function repair(recorder: HistoryRecorder): void {
  while (recorder.isIndexIncomplete) recorder.repairIndex(1000);
  recorder.close();
}
