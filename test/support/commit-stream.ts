/**
 * A stream of commits for measuring the history: one value at depth 7 in each, the domains in turn.
 *
 * Owns the stream alone; who consumes it decides what is measured. It depends on nothing but its options, so two consumers
 * (two recorders, or `git fast-import`) can be given the same commits.
 */
import type { Domid, Microseconds, Path, Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import type { Change, Commit, RequestRecord } from "../../daemon/store/commit.js";

/** What the stream is like. */
export interface CommitStream {
  /** How many domains have nodes, and are written to in turn. */
  readonly domains: number;
  /** Microseconds between two commits; 100 unless told. */
  readonly intervalMicroseconds?: number;
}

/** The first commit's time: the stream reads no clock. */
const START_MICROSECONDS = 1_767_225_600_000_000;

const DOM0_ALONE = parsePerms(["n0"]) as Perms;

/** What each domain holds besides what is written: a little of what a guest has. */
const DOMAIN_NODES: readonly (readonly [name: string, value: string])[] = [
  ["", ""],
  ["/name", "vm"],
  ["/memory", ""],
  ["/memory/target", "1048576"],
  ["/console", ""],
  ["/console/port", "2"],
  ["/device", ""],
  ["/device/vif", ""],
  ["/device/vif/0", ""],
  ["/device/vif/0/state", "1"],
  ["/device/vbd", ""],
  ["/device/vbd/51712", ""],
  ["/device/vbd/51712/state", "1"],
  ["/device/vbd/51712/ring-ref", "8"],
];

/** The node that commit `seq` writes: seven names deep. */
export function streamPath(stream: CommitStream, seq: number): Path {
  return `/local/domain/${String(seq % stream.domains)}/device/vbd/51712/state` as Path;
}

/** The value that commit `seq` writes there. */
export function streamValue(seq: number): string {
  return String(seq);
}

/** The commit that makes the tree, with seq 1: the others change one value of it. */
export function firstCommit(stream: CommitStream): Commit {
  const changes: Change[] = [set("/local", ""), set("/local/domain", "")];
  for (let domid = 0; domid < stream.domains; domid++) {
    for (const [name, value] of DOMAIN_NODES) changes.push(set(`/local/domain/${String(domid)}${name}`, value));
  }
  return commitOf(stream, 1, [], changes);
}

/** Commit `seq`, which is 2 or more. */
export function streamCommit(stream: CommitStream, seq: number): Commit {
  const path = streamPath(stream, seq);
  const value = streamValue(seq);
  return commitOf(
    stream,
    seq,
    [{ operation: "WRITE", subject: path, detail: value, detailBytes: value.length }],
    [set(path, value)],
  );
}

/** Commits `from` to `to`, both included. */
export function* streamCommits(stream: CommitStream, from: number, to: number): Generator<Commit> {
  for (let seq = from; seq <= to; seq++) yield seq === 1 ? firstCommit(stream) : streamCommit(stream, seq);
}

function commitOf(
  stream: CommitStream,
  seq: number,
  requests: readonly RequestRecord[],
  changes: readonly Change[],
): Commit {
  return {
    seq: seq as Seq,
    time: (START_MICROSECONDS + seq * (stream.intervalMicroseconds ?? 100)) as Microseconds,
    origin: { domid: (seq % stream.domains) as Domid, connection: "socket-1", transaction: undefined },
    base: (seq - 1) as Seq,
    requests,
    requestsOmitted: 0,
    changes,
  };
}

function set(path: string, value: string): Change {
  return { kind: "node", path: path as Path, before: undefined, after: { value, perms: DOM0_ALONE } };
}
