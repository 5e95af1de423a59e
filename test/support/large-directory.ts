/**
 * Commits over one large directory, as dom0 may have: many children with long names, one of which comes, changes or goes in
 * each commit.
 *
 * Owns the stream alone; it depends on nothing but its options.
 */
import type { Domid, Microseconds, Path, Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import type { Change, Commit } from "../../daemon/store/commit.js";

/** What the directory is like. */
export interface LargeDirectory {
  /** How many children the first commit makes. */
  readonly children: number;
  /** Bytes of a child's name. */
  readonly nameBytes: number;
}

const DOM0_ALONE = parsePerms(["n0"]) as Perms;
const START_MICROSECONDS = 1_767_225_600_000_000;
const DIRECTORY = "/large" as Path;

/**
 * So many commits, the one that makes the directory first. Of the others every third adds a child, somewhere among those
 * that are there; the next one changes it; the one after that changes one of the first commit's.
 */
export function* largeDirectoryCommits(directory: LargeDirectory, commits: number): Generator<Commit> {
  const { children } = directory;
  const first = Array.from({ length: children }, (_, index) => set(childPath(directory, index), String(index)));
  yield commitOf(1, [set(DIRECTORY, ""), ...first]);
  for (let seq = 2; seq <= commits; seq++) {
    const turn = seq % 3;
    const child = turn === 2 ? (seq * 7919) % children : children + Math.floor(seq / 3);
    yield commitOf(seq, [set(childPath(directory, child), `v${String(seq)}`)]);
  }
}

/** The last digit first, so that a new child is not the last one. */
function childPath({ nameBytes }: LargeDirectory, index: number): string {
  return `${DIRECTORY}/${`${String(index % 10)}-${String(index)}`.padEnd(nameBytes, "-name")}`;
}

function set(path: string, value: string): Change {
  return { kind: "node", path: path as Path, before: undefined, after: { value, perms: DOM0_ALONE } };
}

function commitOf(seq: number, changes: readonly Change[]): Commit {
  return {
    seq: seq as Seq,
    time: (START_MICROSECONDS + seq * 1000) as Microseconds,
    origin: { domid: 0 as Domid, connection: "socket-1", transaction: undefined },
    base: (seq - 1) as Seq,
    requests: [{ operation: "WRITE", subject: DIRECTORY, detail: "v", detailBytes: 1 }],
    requestsOmitted: 0,
    changes,
  };
}
