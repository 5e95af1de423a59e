/**
 * Outboxes: order, bounds and what is collapsed (outbox invariants 1–3).
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeEach, describe, expect, test } from "vitest";
import { Outbox } from "../../../../daemon/connection/outbox.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const event = { collapsible: true, bytesMax: Infinity };
let outbox: Outbox;

beforeEach(() => {
  outbox = new Outbox();
});

/** What a slow socket does with the output of a tick. */
function settle(...messages: string[]): void {
  for (const message of messages) outbox.addReply(message);
  outbox.settleTick();
}

describe("Outbox", () => {
  test("gives out replies and events in the order in which they came", () => {
    outbox.addReply("r1");
    outbox.addEvent("e1", event);
    outbox.addEvent("e1", event);
    outbox.addReply("r2");
    expect([outbox.unreadBytes, outbox.unsentReplies, outbox.hasBacklog]).toEqual([8, 2, false]);
    expect(outbox.takeTick()).toBe("r1e1e1r2");
    expect([outbox.unreadBytes, outbox.unsentReplies, outbox.takeTick()]).toEqual([0, 0, ""]);
  });

  test("discards a tick as if it had not been, backlog kept (invariant 1)", () => {
    settle("old");
    outbox.addReply("r");
    outbox.addEvent("e", event);
    outbox.discardTick();
    expect([outbox.unreadBytes, outbox.unsentReplies]).toEqual([3, 1]);
    outbox.addEvent("e", event);
    outbox.settleTick();
    expect(outbox.takeBacklog(), "the discarded event is not taken for one that waits").toBe("olde");
  });

  test("keeps the order over ticks while the socket takes nothing", () => {
    settle("1");
    settle("2", "3");
    settle();
    expect([outbox.hasBacklog, outbox.unreadBytes, outbox.unsentReplies]).toEqual([true, 3, 3]);
    expect(outbox.takeBacklog()).toBe("123");
    expect([outbox.hasBacklog, outbox.unreadBytes, outbox.unsentReplies, outbox.takeBacklog()]).toEqual([
      false,
      0,
      0,
      "",
    ]);
  });

  test("collapses an event equal to one that waits, while the socket takes nothing (invariant 3)", () => {
    settle("r");
    for (let repeat = 0; repeat < 3; repeat++) outbox.addEvent("e", event);
    outbox.settleTick();
    outbox.addEvent("e", event);
    outbox.addEvent("f", event);
    outbox.settleTick();
    expect(outbox.counters.collapsedEvents).toBe(3);
    expect(outbox.takeBacklog()).toBe("ref");
    outbox.addEvent("e", event);
    expect(outbox.takeTick(), "the client has read the first").toBe("e");
  });

  test("collapses while the socket's own queue is full, though nothing waits here", () => {
    outbox.socketBytes = 10;
    outbox.addEvent("e", event);
    outbox.addEvent("e", event);
    expect(outbox.takeTick()).toBe("e");
  });

  test("does not collapse replies, nor events that must not be", () => {
    settle("r");
    for (let repeat = 0; repeat < 2; repeat++) outbox.addEvent("@", { collapsible: false, bytesMax: Infinity });
    settle("r", "r");
    expect(outbox.takeBacklog()).toBe("r@@rr");
  });

  test("drops and counts events above the bound, and never a reply", () => {
    const bounded = { collapsible: true, bytesMax: 10 };
    outbox.addEvent("12345", bounded);
    outbox.addEvent("67890", bounded);
    outbox.addEvent("x", bounded);
    outbox.addReply("reply");
    expect(outbox.counters.droppedEvents).toBe(1);
    expect(outbox.takeTick()).toBe("1234567890reply");
    outbox.socketBytes = 10;
    outbox.addEvent("x", bounded);
    expect([outbox.counters.droppedEvents, outbox.takeTick()]).toEqual([2, ""]);
  });

  test("keeps no message's chunk alive in its backlog (invariant 2)", () => {
    const chunkBytes = 64 * 1024;
    const chunks = 1000;
    const heapBytes = () => {
      collectGarbage();
      collectGarbage();
      return process.memoryUsage().heapUsed + process.memoryUsage().external;
    };
    settle("r");
    const before = heapBytes();
    for (let index = 0; index < chunks; index++) {
      const chunk = Buffer.alloc(chunkBytes, `chunk ${String(index)} `).toString("latin1");
      outbox.addReply(chunk.slice(1000, 1100));
      outbox.addEvent(chunk.slice(2000, 2100), event);
      outbox.settleTick();
    }
    expect(heapBytes() - before).toBeLessThan(chunks * chunkBytes * 0.05);
    expect(outbox.unreadBytes).toBeGreaterThan(chunks * 100);
  });
});
