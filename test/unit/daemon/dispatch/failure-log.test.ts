import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import {
  FAILURE_BYTES_MAX,
  FAILURES_PER_DOMAIN_MAX,
  FailureLog,
  failureBytes,
  type FailedRequest,
  type FailureFilter,
} from "../../../../daemon/dispatch/failure-log.js";
import type { Domid, Microseconds, Path, Seq } from "../../../../protocol/identifiers.js";
import { CoreHarness, domainId } from "../../../support/core-harness.js";

let clock = 0;

function failure(more: Partial<FailedRequest> = {}): FailedRequest {
  clock++;
  return {
    id: clock,
    lastId: clock,
    time: clock as Microseconds,
    lastTime: clock as Microseconds,
    count: 1,
    connection: "socket-1",
    domid: 0 as Domid,
    operation: "READ",
    transaction: undefined,
    subject: "/a",
    error: "ENOENT",
    seq: 1 as Seq,
    conflict: undefined,
    ...more,
  };
}

/** What is remembered of a domain, or of all, in the order in which it failed last. */
function listed(log: FailureLog, domid?: Domid): FailedRequest[] {
  return log.newest({ domid }).failures.toReversed();
}

function settled(log: FailureLog, failures: readonly FailedRequest[]): void {
  for (const each of failures) log.note(each);
  log.settle();
}

describe("FailureLog", () => {
  test("counts what a tick noted when it has ended, and nothing of one that is undone (invariant 1)", () => {
    const log = new FailureLog();
    log.note(failure({ subject: "/undone" }));
    log.discard();
    log.note(failure({ subject: "/stays" }));
    expect(listed(log)).toEqual([]);
    log.settle();
    expect(listed(log).map(({ subject }) => subject)).toEqual(["/stays"]);
  });

  test("counts an equal failure right after another of the same error, and no other", () => {
    const log = new FailureLog();
    settled(log, [failure(), failure(), failure({ error: "EACCES" }), failure(), failure({ connection: "socket-2" })]);
    settled(log, [failure()]);
    expect(listed(log).map(({ count, error, connection }) => [count, error, connection])).toEqual([
      [1, "EACCES", "socket-1"],
      [3, "ENOENT", "socket-1"],
      [1, "ENOENT", "socket-2"],
      [1, "ENOENT", "socket-1"],
    ]);
    const [, repeated] = listed(log);
    expect((repeated?.lastTime ?? 0) - (repeated?.time ?? 0)).toBe(3);
  });

  test("lists in the order in which they failed last, whatever the clock says (invariant 4)", () => {
    const log = new FailureLog();
    const time = { time: 1 as Microseconds, lastTime: 1 as Microseconds };
    settled(log, [
      failure({ subject: "/b", ...time }),
      failure({ error: "EACCES", ...time }),
      failure({ domid: 7 as Domid }),
    ]);
    settled(log, [failure({ subject: "/b", ...time })]);
    const all = listed(log);
    expect(all.map(({ subject, error, domid }) => [subject, error, domid])).toEqual([
      ["/a", "EACCES", 0],
      ["/a", "ENOENT", 7],
      ["/b", "ENOENT", 0],
    ]);
    expect(all.map(({ id, lastId }) => [id, lastId])).toEqual([
      [2, 2],
      [3, 3],
      [1, 4],
    ]);
    expect(listed(log, 0 as Domid).map(({ error }) => error)).toEqual(["EACCES", "ENOENT"]);
  });

  test("numbers what comes after what an earlier life remembered (invariant 4)", () => {
    const log = new FailureLog();
    log.restore([failure({ id: 5, lastId: 5 }), failure({ id: 2, lastId: 9, subject: "/b" })]);
    settled(log, [failure({ subject: "/b" }), failure({ subject: "/c" })]);
    expect(listed(log).map(({ id, lastId, count }) => [id, lastId, count])).toEqual([
      [5, 5, 1],
      [2, 10, 2],
      [11, 11, 1],
    ]);
  });

  test("keeps so many of a domain, whatever another one does (invariant 2)", () => {
    const log = new FailureLog();
    settled(log, [failure({ domid: 7 as Domid, subject: "/rare" })]);
    settled(
      log,
      Array.from({ length: FAILURES_PER_DOMAIN_MAX + 10 }, (_, index) => failure({ subject: `/${String(index)}` })),
    );
    expect(listed(log, 0 as Domid).length).toBe(FAILURES_PER_DOMAIN_MAX);
    expect(listed(log, 0 as Domid)[0]?.subject).toBe("/10");
    expect(listed(log, 7 as Domid).map(({ subject }) => subject)).toEqual(["/rare"]);
  });

  test("a domain that is full gives up the oldest of the error of which it has most (invariant 2)", () => {
    const log = new FailureLog();
    for (let round = 0; round < 80; round++) {
      const missing = Array.from({ length: 100 }, (_, index) =>
        failure({ subject: `/${String(round)}/${String(index)}` }),
      );
      settled(log, [...missing, failure({ error: "EAGAIN", subject: String(round) })]);
    }
    const kept = listed(log);
    expect(kept.length).toBe(FAILURES_PER_DOMAIN_MAX);
    expect(kept.filter(({ error }) => error === "EAGAIN").map(({ subject }) => subject)).toEqual(
      Array.from({ length: 80 }, (_, round) => String(round)),
    );
  });

  test("keeps so many bytes of all together: guests that flood push out nothing of dom0 or of a quiet guest (invariant 3)", () => {
    const log = new FailureLog();
    settled(
      log,
      Array.from({ length: 900 }, (_, index) => failure({ subject: `/dom0/${String(index)}` })),
    );
    settled(log, [failure({ domid: 99 as Domid, subject: "/quiet" })]);
    for (let index = 0; index < 600; index++) {
      const subject = `/${String(index)}`.padEnd(512, "x");
      settled(
        log,
        Array.from({ length: 40 }, (_, guest) => failure({ domid: (guest + 1) as Domid, subject })),
      );
    }
    expect(listed(log, 0 as Domid).length).toBe(900);
    expect(listed(log, 99 as Domid).length).toBe(1);
    expect(listed(log, 1 as Domid).length).toBeGreaterThan(100);
    expect(listed(log).reduce((sum, each) => sum + failureBytes(each), 0)).toBeLessThanOrEqual(FAILURE_BYTES_MAX);
  });

  test("keeps so many bytes of all together: the domain with the most gives up its oldest (invariant 3)", () => {
    const log = new FailureLog();
    const subject = (index: number): string => `/${String(index)}`.padEnd(512, "x");
    for (let domid = 1; domid <= 40; domid++) {
      settled(
        log,
        Array.from({ length: 400 }, (_, index) => failure({ domid: domid as Domid, subject: subject(index) })),
      );
    }
    const kept = listed(log);
    const bytes = kept.reduce((sum, each) => sum + failureBytes(each), 0);
    expect(bytes).toBeLessThanOrEqual(FAILURE_BYTES_MAX);
    expect(bytes).toBeGreaterThan(FAILURE_BYTES_MAX * 0.99);
    const counts = Array.from({ length: 40 }, (_, index) => listed(log, (index + 1) as Domid).length);
    expect(Math.min(...counts)).toBeGreaterThan(200);
  });

  test("hands out what is new once, and what was counted again with its new count", () => {
    const log = new FailureLog();
    log.restore([failure({ subject: "/old" })]);
    expect(log.takeFresh()).toEqual([]);
    settled(log, [failure({ subject: "/new" }), failure({ domid: 5 as Domid })]);
    expect(log.takeFresh().map(({ subject }) => subject)).toEqual(["/new", "/a"]);
    settled(log, [failure({ subject: "/new" })]);
    expect(log.takeFresh().map(({ subject, count }) => [subject, count])).toEqual([["/new", 2]]);
    expect(log.takeFresh()).toEqual([]);
  });

  test("tells the newest that are meant, page by page", () => {
    const log = new FailureLog();
    settled(log, [
      failure({ subject: "/a/b" }),
      failure({ subject: "/ab", error: "EACCES" }),
      failure({ domid: 7 as Domid }),
      failure({ subject: "/a/c" }),
    ]);
    expect(log.all().length).toBe(4);
    const told = (filter: FailureFilter): [ids: number[], next: number | undefined] => {
      const { failures, next } = log.newest(filter);
      return [failures.map(({ id }) => id), next];
    };
    expect(told({ limit: 9 })).toEqual([[4, 3, 2, 1], undefined]);
    expect(told({ limit: 3 })).toEqual([[4, 3, 2], 2]);
    expect(told({ limit: 3, before: 2 })).toEqual([[1], undefined]);
    expect(told({ limit: 0 })).toEqual([[], undefined]);
    expect(told({ limit: 9, path: "/a" as Path })).toEqual([[4, 3, 1], undefined]);
    expect(told({ limit: 1, domid: 0 as Domid, error: "ENOENT" })).toEqual([[4], 4]);
  });

  test("hands out so many bytes, of the domains in turns, and nothing that was forgotten meanwhile", () => {
    const log = new FailureLog();
    const flood = (): FailedRequest[] =>
      Array.from({ length: FAILURES_PER_DOMAIN_MAX }, () => failure({ subject: `/${String(clock)}` }));
    settled(log, [...flood(), failure({ domid: 5 as Domid, subject: "/quiet" })]);
    const taken = log.takeFresh(10_000);
    expect(taken[1]?.subject).toBe("/quiet");
    const bytes = taken.reduce((sum, each) => sum + failureBytes(each), 0);
    expect([bytes > 9_000, bytes < 11_000]).toEqual([true, true]);
    settled(log, flood());
    const rest = log.takeFresh();
    expect(rest).toEqual(listed(log, 0 as Domid));
    expect(log.takeFresh()).toEqual([]);
  });
});

describe("the core's failures", () => {
  let harness: CoreHarness;
  let dom0: Connection;

  beforeEach(() => {
    harness = new CoreHarness();
    dom0 = harness.connect(0);
  });

  function remembered(): unknown[] {
    return listed(harness.core.failures).map(({ operation, subject, error, transaction, domid, conflict }) => {
      const about = [operation, subject, error, domid];
      return conflict === undefined ? about : [...about, transaction, conflict];
    });
  }

  test("tell what was asked, with absolute paths and never a value", () => {
    const guest = harness.connect(5);
    harness.ask(dom0, "READ", { path: "/nowhere" });
    harness.now++;
    harness.ask(guest, "WRITE", { path: "data/x", value: "secret" });
    harness.ask(guest, "INTRODUCE", { domid: domainId(9), gfn: 1, port: 1 });
    harness.now++;
    harness.askPayload(dom0, 11, "secret without an end");
    harness.askPayload(dom0, 99, "/a\0");
    harness.ask(dom0, "WRITE", { path: "/fine", value: "secret" });
    expect(remembered()).toEqual([
      ["READ", "/nowhere", "ENOENT", 0],
      ["WRITE", "/local/domain/5/data/x", "EACCES", 5],
      ["INTRODUCE", "9", "EACCES", 5],
      ["WRITE", "(no path)", "EINVAL", 0],
      ["type 99", "/a", "ENOSYS", 0],
    ]);
    expect(JSON.stringify(listed(harness.core.failures))).not.toContain("secret");
  });

  test("keep nothing of a value in the place of a path, and little of what is no path", () => {
    harness.askPayload(dom0, 11, "secret password\0/local/domain/5/password");
    harness.askPayload(dom0, 4, "secret token!\0/a\0");
    harness.askPayload(dom0, 2, "/trailing/\0");
    harness.askPayload(dom0, 4, "@noSuchDomain\0");
    harness.askPayload(dom0, 2, `/${"x".repeat(510)}/y\0`);
    harness.askPayload(harness.connect(5), 0, `${"\x01".repeat(300)}\0`);
    expect(remembered()).toEqual([
      ["WRITE", "(no path)", "EINVAL", 0],
      ["WATCH", "(no path)", "EINVAL", 0],
      ["READ", "(no path)", "EINVAL", 0],
      ["WATCH", "@noSuchDomain", "EINVAL", 0],
      ["READ", `/${"x".repeat(510)}`, "ENOENT", 0],
      ["CONTROL", "\x01".repeat(64), "EACCES", 5],
    ]);
    // What an earlier version kept goes too.
    const log = new FailureLog();
    log.restore([failure({ operation: "WRITE", subject: "secret password" })]);
    expect(listed(log)[0]?.subject).toBe("(no path)");
  });

  test("tell of EAGAIN what had been read, from which state, and the commit that changed it", () => {
    harness.ask(dom0, "WRITE", { path: "/a", value: "1" });
    const tx = harness.startTransaction(dom0);
    harness.ask(dom0, "READ", { path: "/a" }, tx);
    harness.ask(dom0, "WRITE", { path: "/b", value: "1" }, tx);
    harness.ask(harness.connect(0), "WRITE", { path: "/a", value: "2" });
    expect(harness.ask(dom0, "TRANSACTION_END", { commit: true }, tx)).toEqual({ error: "EAGAIN" });
    const conflict = { base: 1, operation: "READ", path: "/a", commit: 2 };
    expect(remembered()).toEqual([["TRANSACTION_END", "", "EAGAIN", 0, tx, conflict]]);
    // The next failure is not the transaction's.
    harness.ask(dom0, "READ", { path: "/nowhere" });
    expect(remembered()[1]).toEqual(["READ", "/nowhere", "ENOENT", 0]);
  });
});
