import { describe, expect, test } from "vitest";
import { factsOfTransaction } from "../../../../daemon/dispatch/failed-transactions.js";
import type { FailedRequest } from "../../../../daemon/dispatch/failure-log.js";
import type { Domid, Microseconds, Seq, TxId } from "../../../../protocol/identifiers.js";

let lastId = 0;

function ended(tx: number, more: Partial<FailedRequest> = {}): FailedRequest {
  lastId++;
  return {
    id: lastId,
    lastId,
    time: lastId as Microseconds,
    lastTime: lastId as Microseconds,
    count: 1,
    connection: "socket-1",
    domid: 0 as Domid,
    operation: "TRANSACTION_END",
    transaction: tx as TxId,
    subject: "",
    error: "EAGAIN",
    seq: 9 as Seq,
    conflict: { base: 7 as Seq, operation: "READ", path: "/a", commit: undefined },
    ...more,
  };
}

const onB = { base: 7 as Seq, operation: "READ", path: "/b", commit: undefined };
const FAILURES = [
  ended(5),
  ended(6, { conflict: onB }),
  ended(5, { connection: "domain-7-2", domid: 7 as Domid }),
  ended(8, { error: "EINVAL", conflict: undefined }),
  ended(9, { conflict: onB }),
  ended(5),
  ended(10, { conflict: onB }),
].reverse();

describe("factsOfTransaction", () => {
  test("finds the last one with an id, and counts by path", () => {
    const facts = factsOfTransaction(FAILURES, { tx: 5 });
    expect(facts).toMatchObject({ failure: FAILURES[1], others: 2, instead: [], insteadCount: 0 });
    expect(facts.paths).toEqual([
      { path: "/b", count: 3 },
      { path: "/a", count: 3 },
    ]);
    expect(factsOfTransaction(FAILURES, { tx: 5, domid: 7 as Domid })).toMatchObject({
      failure: FAILURES[4],
      others: 0,
      paths: [{ path: "/a", count: 1 }],
    });
  });

  test("tells those with the same id where the connection has none, else the last ones of all", () => {
    const names = (tx: number, connection?: string): [string[], number] => {
      const { failure, instead, insteadCount } = factsOfTransaction(FAILURES, { tx, connection });
      expect(failure).toBeUndefined();
      return [instead.map((each) => `${String(each.transaction)} ${each.connection}`), insteadCount];
    };
    expect(names(5, "nosuch")).toEqual([["5 socket-1", "5 domain-7-2", "5 socket-1"], 3]);
    expect(names(8)).toEqual([["10 socket-1", "5 socket-1", "9 socket-1", "5 domain-7-2", "6 socket-1"], 6]);
    expect(factsOfTransaction([], { tx: 1 })).toMatchObject({ instead: [], insteadCount: 0 });
  });
});
