/**
 * Properties of the journal: what is written is read back, whatever the bytes; and what was acknowledged survives whatever
 * a disk does, while what was refused never comes back.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Domid, Microseconds, Path, Seq, TxId } from "../../protocol/identifiers.js";
import { OPERATIONS } from "../../protocol/operation.js";
import { SPECIAL_PATHS } from "../../protocol/path.js";
import type { Perms } from "../../protocol/perms.js";
import { JournalAppendError, JournalStuckError } from "../../daemon/journal/errors.js";
import { JournalFollower } from "../../daemon/journal/follower.js";
import { openJournal, type Durability, type Journal } from "../../daemon/journal/journal.js";
import { parsePathGlob } from "../../daemon/journal/path-glob.js";
import { decodeRecord, encodeRecord, recordBytesMax } from "../../daemon/journal/record.js";
import { MARKER_LENGTH, redactCommit } from "../../daemon/journal/redaction.js";
import { DAEMON_ACTS, type Change, type Commit, type RequestRecord } from "../../daemon/store/commit.js";
import { QUOTA_NAMES } from "../../daemon/store/quota.js";
import type { DomainRecord } from "../../daemon/store/root.js";
import { commitAt } from "../unit/daemon/journal/sample-commits.js";
import { createFaultyFileSystem, type Fault } from "../support/faulty-file-system.js";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { propertyParameters } from "../support/seed.js";

const byteString = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 80,
});
const name = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "toString", "device-model", "@releaseDomain", "0"),
  fc.stringMatching(/^[A-Za-z0-9_@-]{1,12}$/),
);
const path = fc.array(name, { maxLength: 6 }).map((names) => `/${names.join("/")}` as Path);
const domid = fc.nat(0xffff).map((value) => value as Domid);
const permission = fc.record({ access: fc.nat(3), domid });
const perms = fc.array(permission, { minLength: 1, maxLength: 5 }).map((entries) => entries as unknown as Perms);
const count = fc.maxSafeNat();

const commit = fc.record({
  seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map((seq) => seq as Seq),
  time: count.map((time) => time as Microseconds),
});
const domainRecord: fc.Arbitrary<DomainRecord> = fc.record({
  introduction: fc.option(fc.record({ gfn: count, port: count, commit }, { requiredKeys: ["gfn", "port"] }), {
    nil: undefined,
  }),
  target: fc.option(domid, { nil: undefined }),
  features: fc.option(count, { nil: undefined }),
  shutdown: fc.boolean(),
  quotas: fc
    .uniqueArray(fc.tuple(fc.constantFrom(...QUOTA_NAMES), count), { selector: ([quota]) => quota })
    .map((entries) => new Map(entries)),
});

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constant("node" as const),
    path,
    before: fc.constant(undefined),
    after: fc.option(fc.record({ value: byteString, perms }), { nil: undefined }),
  }),
  fc
    .tuple(fc.constantFrom(...SPECIAL_PATHS), perms)
    .map(([special, list]) => ({ kind: "special" as const, path: special, before: list, after: list })),
  fc.record({
    kind: fc.constant("quota" as const),
    name: fc.constantFrom(...QUOTA_NAMES),
    before: fc.constant(undefined),
    after: fc.option(count, { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant("domain" as const),
    domid,
    before: fc.constant(undefined),
    after: fc.option(domainRecord, { nil: undefined }),
  }),
);

const request: fc.Arbitrary<RequestRecord> = fc
  .record({
    operation: fc.constantFrom(...OPERATIONS.map((row) => row.name), ...DAEMON_ACTS),
    subject: byteString,
    detail: byteString,
    more: fc.nat(5000),
  })
  .map(({ more, ...rest }) => ({ ...rest, detailBytes: rest.detail.length + more }));

function commitArbitrary(seq: fc.Arbitrary<number>): fc.Arbitrary<Commit> {
  return seq
    .chain((at) =>
      fc.record({
        seq: fc.constant(at as Seq),
        time: count.map((value) => value as Microseconds),
        origin: fc.record({
          domid,
          connection: byteString,
          transaction: fc.option(
            fc.integer({ min: 1, max: 0xffffffff }).map((value) => value as TxId),
            { nil: undefined },
          ),
        }),
        base: fc.oneof(fc.constant(at - 1), fc.integer({ min: 0, max: at - 1 })).map((value) => value as Seq),
        requests: fc.array(request, { maxLength: 4 }),
        requestsOmitted: fc.oneof(fc.constant(0), count),
        changes: fc.array(change, { maxLength: 6 }),
        merged: fc.option(fc.stringMatching(/^[0-9a-f]{40}$/), { nil: undefined }),
      }),
    )
    .map(({ merged, ...rest }) => (merged === undefined ? rest : { ...rest, merged }));
}

describe("encodeRecord, decodeRecord", () => {
  it("round trip any commit through printable ASCII without a newline inside", () => {
    const any = commitArbitrary(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
    fc.assert(
      fc.property(any, count, (commit, synced) => {
        const record = encodeRecord(commit, synced as Seq);
        expect(record).toMatch(/^[\x20-\x7e]+\n$/);
        expect(decodeRecord(record.slice(0, -1))).toEqual({ ok: true, commit, synced });
      }),
      propertyParameters(1000),
    );
  });

  it("take at most recordBytesMax, redacted or not, and of long plain text not many fewer", () => {
    const any = commitArbitrary(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
    const redactor = { key: Buffer.alloc(32, 1), globs: [parsePathGlob("/**")] };
    fc.assert(
      fc.property(any, count, (commit, synced) => {
        expect(encodeRecord(commit, synced as Seq).length).toBeLessThanOrEqual(recordBytesMax(commit));
        const redacted = encodeRecord(redactCommit(commit, redactor), synced as Seq);
        expect(redacted.length).toBeLessThanOrEqual(recordBytesMax(commit, MARKER_LENGTH));
      }),
      propertyParameters(1000),
    );
    // Short strings are not looked through, but cannot add much.
    for (const [bytes, excessMax] of [
      [1, 300],
      [64, 1000],
      [4000, 700],
    ] as const) {
      const plain = commitAt(1, "v".repeat(bytes));
      expect(recordBytesMax(plain) - encodeRecord(plain).length).toBeLessThan(excessMax);
    }
  });

  it("decode never throws, on a right checksum neither", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(decodeRecord(text).ok).toBe(false);
      }),
      propertyParameters(300),
    );
  });
});

/** What happens to a journal. */
type Step =
  | { readonly kind: "append"; readonly sizes: readonly number[] }
  | { readonly kind: "fault"; readonly fault: Fault }
  | { readonly kind: "discard"; readonly percent: number }
  | { readonly kind: "crash"; readonly power: boolean; readonly losses: readonly boolean[] };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      sizes: fc.array(fc.nat(900), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("fault" as const),
      fault: fc.record(
        {
          call: fc.constantFrom(
            "write" as const,
            "truncate" as const,
            "syncData" as const,
            "syncDirectory" as const,
            "open" as const,
            "remove" as const,
          ),
          nth: fc.integer({ min: 1, max: 3 }),
          error: fc.constantFrom("ENOSPC", "EIO"),
          bytes: fc.nat(1500),
        },
        { requiredKeys: ["call", "nth", "error"] },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("discard" as const), percent: fc.nat(100) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("crash" as const),
      power: fc.boolean(),
      losses: fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
    }),
  },
);

function plainCommit(seq: number, size: number, attempt: number): Commit {
  return {
    seq: seq as Seq,
    time: attempt as Microseconds,
    origin: { domid: 0 as Domid, connection: "test", transaction: undefined },
    base: (seq - 1) as Seq,
    requests: [],
    requestsOmitted: 0,
    changes: [
      {
        kind: "node",
        path: "/node" as Path,
        before: undefined,
        after: { value: "v".repeat(size), perms: [{ access: 0, domid: 0 as Domid }] },
      },
    ],
  };
}

/**
 * Runs steps against a journal and a list of what it acknowledged. A commit whose append left the journal stuck may come
 * back after a restart or not (journal invariant 4); everything else is certain.
 */
function runHistory(steps: readonly Step[], durability: Durability): void {
  const memory = createMemoryFileSystem();
  const disk = createFaultyFileSystem(memory);
  const acknowledged: Commit[] = [];
  let sealed = 0;
  let attempt = 0;
  /** Appended by the call that became stuck. */
  let doubtful: Commit[] = [];
  let stuck = false;
  let boot = 0;
  const open = (): { journal: Journal; follower: JournalFollower } => {
    const after = sealed as Seq;
    const { journal, recovered } = openJournal({
      fileSystem: disk,
      directory: "/state/journal/main",
      after,
      durability,
      segmentBytesMax: 1000,
      bootId: `boot ${String(boot)}`,
    });
    const expected = acknowledged.slice(sealed);
    const extra = recovered.slice(expected.length);
    expect(recovered.slice(0, expected.length)).toEqual(expected);
    expect(extra).toEqual(doubtful.slice(0, extra.length));
    acknowledged.push(...extra);
    doubtful = [];
    stuck = false;
    return { journal, follower: new JournalFollower(disk, "/state/journal/main", after) };
  };
  let { journal, follower } = open();
  const restart = (): void => {
    disk.heal();
    ({ journal, follower } = open());
  };
  for (const now of steps) {
    if (now.kind === "fault") disk.inject(now.fault);
    else if (now.kind === "discard") {
      sealed = Math.max(sealed, Math.floor((now.percent / 100) * follower.seq));
      try {
        journal.discardThrough(sealed as Seq);
      } catch {
        // Tried again by a later discard.
      }
    } else if (now.kind === "crash") {
      let index = 0;
      const powerCut = (): boolean => now.losses[index++ % now.losses.length] ?? true;
      const losesPower = now.power && durability === "power";
      if (losesPower) boot++;
      memory.crash(losesPower ? powerCut : "nothing");
      restart();
    } else {
      attempt++;
      const commits = now.sizes.map((size, index) => plainCommit(acknowledged.length + 1 + index, size, attempt));
      const before = journal.position();
      try {
        expect(journal.append(commits).seq).toBe(acknowledged.length + commits.length);
        acknowledged.push(...commits);
      } catch (error) {
        expect(error).toBeInstanceOf(JournalAppendError);
        expect(journal.position()).toEqual(before);
        if (error instanceof JournalStuckError && !stuck) {
          stuck = true;
          doubtful = commits;
        }
      }
      const after = follower.seq;
      disk.heal();
      const read = follower.readUpTo(journal.position(), 1000);
      expect(read).toEqual(acknowledged.slice(after));
    }
  }
  memory.crash("nothing");
  restart();
}

/**
 * Appends under `process`, cuts the power again and again, and expects a prefix of what was appended each time.
 *
 * @param hasBootId - whether the journal is told that the machine was started anew
 */
function runPowerCuts(steps: readonly Step[], hasBootId: boolean): void {
  const memory = createMemoryFileSystem();
  let boot = 0;
  let sealed = 0;
  let appended: Commit[] = [];
  const open = (): Journal => {
    const { journal, recovered } = openJournal({
      fileSystem: memory,
      directory: "/main",
      after: sealed as Seq,
      durability: "process",
      segmentBytesMax: 1000,
      bootId: hasBootId ? `boot ${String(boot)}` : undefined,
    });
    expect(recovered).toEqual(appended.slice(sealed, sealed + recovered.length));
    appended = appended.slice(0, sealed + recovered.length);
    expect(journal.position().seq).toBe(appended.length);
    return journal;
  };
  let journal = open();
  for (const now of steps) {
    if (now.kind === "append") {
      const commits = now.sizes.map((size, index) => plainCommit(appended.length + 1 + index, size, 0));
      appended.push(...commits);
      journal.append(commits);
    } else if (now.kind === "discard") {
      sealed = Math.max(sealed, Math.floor((now.percent / 100) * appended.length));
      journal.discardThrough(sealed as Seq);
    } else if (now.kind === "crash") {
      let index = 0;
      boot++;
      memory.crash(() => now.losses[index++ % now.losses.length] ?? true);
      journal = open();
    }
  }
}

describe("openJournal, append", () => {
  it.each([true, false])(
    "recover a prefix after a power cut under `process`, never a hole and never a refusal (boot ids: %s)",
    (hasBootId) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
          runPowerCuts(steps, hasBootId);
        }),
        propertyParameters(300),
      );
    },
  );

  it.each<Durability>(["process", "power"])(
    "keep what was acknowledged and forget what was refused, whatever fails and crashes (%s)",
    (durability) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
          runHistory(steps, durability);
        }),
        propertyParameters(150),
      );
    },
  );
});
