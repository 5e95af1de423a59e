/**
 * Transactions: the log and its bounds (transaction invariants 2 and 6), marks.
 */
import { describe, expect, test } from "vitest";
import { Draft } from "../../../../daemon/store/draft.js";
import { emptyRoot } from "../../../../daemon/store/root.js";
import { LOG_BYTES_MAX } from "../../../../daemon/store/transaction.js";
import { CoreHarness } from "../../../support/core-harness.js";

const OK = "OK\0";

function open() {
  const harness = new CoreHarness();
  const dom0 = harness.connect(0);
  const txId = harness.startTransaction(dom0);
  const [transaction] = dom0.transactions.values();
  if (transaction === undefined) throw new Error("no transaction");
  const write = (path: string, value: string) => harness.ask(dom0, "WRITE", { path, value }, txId);
  const read = (path: string) => harness.ask(dom0, "READ", { path }, txId);
  const end = () => harness.ask(dom0, "TRANSACTION_END", { commit: true }, txId);
  return { harness, dom0, txId, transaction, write, read, end };
}

describe("Transaction's log", () => {
  test("holds at most LOG_BYTES_MAX; a request beyond is ENOSPC, poisons it, and its end applies nothing", () => {
    const { harness, dom0, transaction, write, read, end } = open();
    const value = "v".repeat(4000);
    let written = 0;
    while (write(`/${String(written)}`, value) === OK) written++;
    expect(transaction.logBytes).toBeLessThanOrEqual(LOG_BYTES_MAX);
    expect(transaction.logBytes).toBeGreaterThan(LOG_BYTES_MAX - 5000);
    expect(written).toBeGreaterThan(900);
    const reads = Array.from({ length: 20 }, (_, index) => read(`/${String(index)}`));
    expect(reads, "soon no read fits either").toContainEqual({ error: "ENOSPC" });
    expect(end()).toEqual({ error: "ENOSPC" });
    expect(harness.ask(dom0, "DIRECTORY", { path: "/" })).toBe("");
    expect(end()).toEqual({ error: "ENOENT" });
    expect(harness.core.seq).toBe(0);
  });

  test("holds a repeated read once, until the transaction changes something", () => {
    const { transaction, write, read } = open();
    for (let repeat = 0; repeat < 100; repeat++) read("/a");
    expect(transaction.log).toHaveLength(1);
    write("/a", "1");
    for (let repeat = 0; repeat < 100; repeat++) expect(read("/a")).toBe("1");
    expect(transaction.log).toHaveLength(3);
  });

  test("tells DIRECTORY_PART of different offsets apart, and operations on one path", () => {
    const { harness, dom0, txId, transaction } = open();
    for (const offset of [0, 5, 0]) harness.ask(dom0, "DIRECTORY_PART", { path: "/", offset }, txId);
    for (const operation of ["READ", "DIRECTORY", "GET_PERMS"] as const)
      harness.ask(dom0, operation, { path: "/" }, txId);
    expect(transaction.log.map(({ request }) => request.operation)).toEqual([
      "DIRECTORY_PART",
      "DIRECTORY_PART",
      "READ",
      "DIRECTORY",
      "GET_PERMS",
    ]);
  });

  test("returns to a mark: draft, log, bytes and poison", () => {
    const { transaction, write, read, end } = open();
    write("/a", "1");
    const mark = transaction.mark();
    const { logBytes } = transaction;
    write("/b", "v".repeat(3000));
    read("/none");
    transaction.rewind(mark);
    expect([transaction.log.length, transaction.logBytes]).toEqual([1, logBytes]);
    expect(read("/b")).toEqual({ error: "ENOENT" });
    expect(read("/a")).toBe("1");
    expect(end()).toBe(OK);
  });
});

describe("Draft", () => {
  test("is empty until it changes or fires something", () => {
    const draft = new Draft(emptyRoot(), 1 as Draft["seq"]);
    expect(draft.isEmpty).toBe(true);
    draft.events.push({ kind: "touched", path: "/" as never });
    expect(draft.isEmpty).toBe(false);
  });
});
