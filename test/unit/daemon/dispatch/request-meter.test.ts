/** How many requests came to what: counted by the core, tick by tick. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { RequestMeter } from "../../../../daemon/dispatch/request-meter.js";
import { OPERATIONS } from "../../../../protocol/operation.js";
import { CoreHarness } from "../../../support/core-harness.js";

let meter: RequestMeter;
let harness: CoreHarness;
let client: Connection;

beforeEach(() => {
  meter = new RequestMeter();
  harness = new CoreHarness({ ports: { meter } });
  client = harness.connect(0);
});

/** `OPERATION outcome count`, sorted. */
function requests(): string[] {
  return meter
    .figures()
    .requests.map(({ operation, outcome, count }) => `${operation} ${outcome} ${String(count)}`)
    .sort();
}

describe("RequestMeter", () => {
  it("counts what each request came to when its tick has ended, and not before", () => {
    harness.ask(client, "WRITE", { path: "/a", value: "1" });
    harness.ask(client, "READ", { path: "/a" });
    harness.ask(client, "READ", { path: "/b" });
    expect(requests()).toEqual([]);
    meter.settle(0.0003);
    expect(requests()).toEqual(["READ ENOENT 1", "READ ok 1", "WRITE ok 1"]);
    harness.ask(client, "READ", { path: "/a" });
    meter.settle(0.02);
    expect(requests()).toEqual(["READ ENOENT 1", "READ ok 2", "WRITE ok 1"]);
    const { durations } = meter.figures();
    const total = (operation: string): readonly [number | undefined, number | undefined] => {
      const duration = durations.find((each) => each.operation === operation)?.duration;
      return [duration?.counts.reduce((sum, count) => sum + count, 0), duration?.seconds];
    };
    expect(total("READ")).toEqual([3, 0.0003 * 2 + 0.02]);
    expect(total("WRITE")).toEqual([1, 0.0003]);
    expect(durations).toHaveLength(2);
  });

  it("counts the second dispatch of a tick that was undone, and not the first", () => {
    harness.send(client, "WRITE", { path: "/a", value: "1" });
    harness.core.abortTick("ENOSPC");
    harness.send(client, "WRITE", { path: "/a", value: "1" });
    harness.core.acceptCommits();
    harness.endTick();
    meter.settle(0);
    expect(requests()).toEqual(["WRITE ENOSPC 1"]);
  });

  it("names every operation, and what does not exist by one name", () => {
    for (const { number } of OPERATIONS) harness.askPayload(client, number, "\0");
    for (const number of [15, 16, 20, 27, 128, 4_000_000_000]) harness.askPayload(client, number, "");
    meter.settle(0);
    const counts = new Map<string, number>();
    for (const { operation, count } of meter.figures().requests)
      counts.set(operation, (counts.get(operation) ?? 0) + count);
    expect(Object.fromEntries(counts)).toEqual({
      ...Object.fromEntries(OPERATIONS.map(({ name }) => [name, 1])),
      unknown: 6,
    });
  });

  it("tells transactions that were committed, aborted, and in conflict, and about what", () => {
    const other = harness.connect(0);
    const end = (tx: number, isCommitted: boolean) =>
      harness.ask(client, "TRANSACTION_END", { commit: isCommitted }, tx);
    end(harness.startTransaction(client), true);
    end(harness.startTransaction(client), false);
    const tx = harness.startTransaction(client);
    harness.ask(client, "DIRECTORY", { path: "/" }, tx);
    harness.ask(client, "WRITE", { path: "/mine", value: "" }, tx);
    harness.ask(other, "WRITE", { path: "/theirs", value: "" });
    expect(end(tx, true)).toEqual({ error: "EAGAIN" });
    expect(harness.ask(client, "TRANSACTION_END", { commit: true }, 99)).toEqual({ error: "ENOENT" });
    meter.settle(0);
    const { transactionsEnded, conflicts } = meter.figures();
    expect(transactionsEnded).toEqual([
      { result: "committed", count: 1 },
      { result: "aborted", count: 1 },
      { result: "conflict", count: 1 },
      { result: "refused", count: 0 },
    ]);
    expect(conflicts).toEqual([{ operation: "DIRECTORY", count: 1 }]);
  });

  it("tells transactions that were refused because nothing can be committed", () => {
    const tx = harness.startTransaction(client);
    harness.ask(client, "WRITE", { path: "/a", value: "" }, tx);
    harness.core.refuseCommits("ENOSPC");
    expect(harness.ask(client, "TRANSACTION_END", { commit: true }, tx)).toEqual({ error: "ENOSPC" });
    meter.settle(0);
    expect(meter.figures().transactionsEnded.filter(({ count }) => count > 0)).toEqual([
      { result: "refused", count: 1 },
    ]);
  });

  it("tells events that were sent, collapsed and dropped", () => {
    harness.ask(client, "WATCH", { path: "/a", token: "t" });
    client.outbox.socketBytes = 1;
    harness.send(client, "WRITE", { path: "/a", value: "1" });
    harness.send(client, "WRITE", { path: "/a", value: "2" });
    harness.endTick();
    meter.settle(0);
    expect(meter.figures().events).toEqual([
      { fate: "sent", count: 2 },
      { fate: "collapsed", count: 1 },
      { fate: "dropped", count: 0 },
    ]);
  });

  it("tells events that fit no message as dropped", () => {
    harness.ask(client, "WATCH", { path: "/", token: "t".repeat(1200) });
    harness.ask(client, "WRITE", { path: `/${"a".repeat(3000)}`, value: "" });
    meter.settle(0);
    expect(meter.figures().events.find(({ fate }) => fate === "dropped")).toEqual({ fate: "dropped", count: 1 });
  });

  it("counts journal writes at once", () => {
    meter.journaled(0.001);
    meter.journaled(0.5);
    const { counts, seconds } = meter.figures().journalAppends;
    expect([counts.reduce((sum, count) => sum + count, 0), seconds]).toEqual([2, 0.501]);
  });
});
