/** Commits for the tests of the journal, in the form in which it gives them back: without what they replaced. */
import type { Domid, Microseconds, Path, Seq, TxId } from "../../../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import type { Change, Commit } from "../../../../daemon/store/commit.js";

/** The perms that `text` (such as `n0 r5`) says. */
export function permsOf(text: string): Perms {
  const perms = parsePerms(text.split(" "));
  if (perms === undefined) throw new Error(`bad perms ${text}`);
  return perms;
}

/** A change that gives a node a value. */
export function setChange(path: string, value: string, perms = "n0"): Change {
  return { kind: "node", path: path as Path, before: undefined, after: { value, perms: permsOf(perms) } };
}

/** A commit that writes `value` to `/node`. */
export function commitAt(seq: number, value = `value of ${String(seq)}`, more: Partial<Commit> = {}): Commit {
  return {
    seq: seq as Seq,
    time: (1_732_345_678_901_234 + seq) as Microseconds,
    origin: { domid: 0 as Domid, connection: "socket-17", transaction: undefined },
    base: (seq - 1) as Seq,
    requests: [{ operation: "WRITE", subject: "/node", detail: value.slice(0, 64), detailBytes: value.length }],
    requestsOmitted: 0,
    changes: [setChange("/node", value, "n0 r5")],
    ...more,
  };
}

/** The commits from seq `first` to seq `last`. */
export function commitsFrom(first: number, last: number): Commit[] {
  return Array.from({ length: last - first + 1 }, (_, index) => commitAt(first + index));
}

/** A commit with everything that a commit can have. */
export function fullCommit(seq: number): Commit {
  const perms = permsOf("n0 r5 b7");
  return commitAt(seq, "", {
    origin: { domid: 5 as Domid, connection: "domain-5", transaction: 4294967295 as TxId },
    base: (seq - 2) as Seq,
    requests: [
      { operation: "WRITE", subject: "/a/__proto__", detail: 'quote " and \\ and \0\n\x7f\x80\xff', detailBytes: 4000 },
      { operation: "RM", subject: "/b", detail: "", detailBytes: 0 },
    ],
    requestsOmitted: 17,
    merged: "0123456789abcdef0123456789abcdef01234567",
    changes: [
      setChange("/a/__proto__", 'quote " and \\ and \0\n\x7f\x80\xff', "n5"),
      { kind: "node", path: "/b" as Path, before: undefined, after: undefined },
      { kind: "special", path: "@releaseDomain", before: perms, after: perms },
      { kind: "quota", name: "node-size", before: undefined, after: 4096 },
      { kind: "quota", name: "memory", before: undefined, after: undefined },
      { kind: "domain", domid: 6 as Domid, before: undefined, after: undefined },
      {
        kind: "domain",
        domid: 7 as Domid,
        before: undefined,
        after: {
          introduction: { gfn: 2 ** 40, port: 3, commit: { seq: 4 as Seq, time: 1732345678901241 as Microseconds } },
          target: 0 as Domid,
          features: 0,
          shutdown: true,
          quotas: new Map([
            ["nodes", 0],
            ["transaction-nodes", 5],
          ]),
        },
      },
    ],
  });
}
