/**
 * Replays in virtual time: whatever the order of what may happen in any, the answers are those of the trace.
 */
import { describe, expect, it } from "vitest";
import type { Transport } from "../../clients/xenstore/transport.js";
import type { TraceLine } from "../../protocol/request-trace.js";
import { findIdentities, renamingOf } from "../../simulator/replay/identities.js";
import { planReplay } from "../../simulator/replay/replay-plan.js";
import { replay } from "../../simulator/replay/replay.js";
import { ReplayTally } from "../../simulator/replay/tally.js";
import { World } from "../../simulator/world/world.js";
import { seed } from "../support/seed.js";
import { connectionLine, eventLine, header, placed, requestLine } from "../support/trace-lines.js";

/** One machine: made in a transaction, introduced, its guest answers, destroyed. */
const LIFE: readonly TraceLine[] = [
  header(),
  connectionLine("opened", "socket-1", { time: 1 }),
  connectionLine("opened", "socket-2", { time: 1 }),
  requestLine("socket-2", "WATCH", "/local/domain/5/state|token|", "OK|", { time: 2 }),
  requestLine("socket-1", "TRANSACTION_START", "|", "77|", { time: 2 }),
  requestLine("socket-1", "READ", "/local/domain/5/name|", { error: "ENOENT" }, { time: 3, txId: 77 }),
  requestLine("socket-1", "WRITE", "/local/domain/5/name|vm5", "OK|", { time: 4, txId: 77 }),
  requestLine("socket-1", "WRITE", "/local/domain/5/domid|5", "OK|", { time: 4, txId: 77 }),
  requestLine("socket-1", "WRITE", "/local/domain/5/state|1", "OK|", { time: 4, txId: 77 }),
  requestLine("socket-1", "SET_PERMS", "/local/domain/5/state|n5|r0|", "OK|", { time: 4, txId: 77 }),
  requestLine("socket-1", "SET_PERMS", "/local/domain/5|n0|r5|", "OK|", { time: 4, txId: 77 }),
  requestLine("socket-1", "DIRECTORY", "/local/domain|", "5|", { time: 5, txId: 77 }),
  requestLine("socket-1", "TRANSACTION_END", "T|", "OK|", { time: 6, txId: 77 }),
  requestLine("socket-1", "INTRODUCE", "5|1|1|", "OK|", { time: 7 }),
  connectionLine("opened", "domain-5-3", { time: 1000, domid: 5 }),
  requestLine("domain-5-3", "READ", "domid|", { error: "EACCES" }, { time: 1001, domid: 5 }),
  requestLine("domain-5-3", "WRITE", "state|4", "OK|", { time: 1001, domid: 5 }),
  requestLine("socket-2", "READ", "/local/domain/5/state|", "4", { time: 1002 }),
  requestLine("socket-2", "GET_PERMS", "/local/domain/5/state|", "n5|r0|", { time: 1002 }),
  requestLine("socket-2", "READ", "/local/domain/5/name|", "vm5", { time: 1002 }),
  requestLine("socket-2", 99, "what?", { error: "EINVAL" }, { time: 1002 }),
  requestLine("socket-1", "CONTROL", "domain|destroy|5|", "OK|", { time: 1003 }),
  connectionLine("closed", "domain-5-3", { time: 1003, domid: 5 }),
  requestLine("socket-1", "RM", "/local/domain/5|", "OK|", { time: 1004 }),
];

/** The trace says EINVAL for the unknown type, and the daemon ENOSYS: what every replay of it finds. */
const UNKNOWN_TYPE = "99 what?: EINVAL ENOSYS";

interface Outcome {
  readonly seconds: number;
  readonly tally: ReplayTally;
  readonly found: readonly string[];
}

async function play(
  lines: readonly TraceLine[],
  {
    worldSeed = seed(),
    copies = 1,
    speed = 1,
    through = (transport) => transport,
  }: {
    readonly worldSeed?: number;
    readonly copies?: number;
    readonly speed?: number;
    readonly through?: (transport: Transport) => Transport;
  } = {},
): Promise<Outcome> {
  const world = new World(worldSeed);
  await world.startDaemon();
  const tally = new ReplayTally();
  const [plan, identities] = [planReplay(placed(lines)), findIdentities(placed(lines))];
  const ports = {
    transport: (domid: number) =>
      through(world.network.transport(domid === 0 ? "/run/socket" : `/run/domains/${String(domid)}`)),
    monotonicMilliseconds: () => world.scheduler.monotonicMilliseconds(),
    delay: (milliseconds: number, signal: AbortSignal) => world.scheduler.delay(milliseconds, signal),
    signal: new AbortController().signal,
  };
  const running = Array.from({ length: copies }, (_, copy) => {
    const renaming = renamingOf(identities, copy);
    return replay({ plan, identities, renaming, copy, copies, speed, isPrivileged: false, tally }, ports);
  });
  await world.runUntil(Promise.all(running));
  expect(world.errors).toEqual([]);
  const found = tally.examples.map(({ step, expected, got }) => {
    const [left, right] = [expected, got].map((each) =>
      typeof each === "object" ? Object.values(each).join("") : String(each),
    );
    return `${String(step.request.operation)} ${step.payload}: ${String(left)} ${String(right)}`.replaceAll("\0", "|");
  });
  return { tally, found, seconds: world.scheduler.monotonicMilliseconds() / 1000 };
}

describe("replay", () => {
  it("gets the trace's answers, and finds the one that the daemon gives otherwise", async () => {
    for (let offset = 0; offset < 10; offset++) {
      const { tally, found } = await play(LIFE, { worldSeed: (seed() + offset) | 0 });
      expect(found).toEqual([UNKNOWN_TYPE]);
      expect(tally.requests).toBe(19);
      expect(tally.connections).toBe(3);
      expect([...tally.harmless]).toEqual([["transactionId", 1]]);
    }
  });

  it("plays copies that do not meet: each finds what one found, and shared nodes are passed over", async () => {
    const { tally, found } = await play(LIFE, { copies: 5 });
    expect(found).toEqual(Array.from({ length: 5 }, () => UNKNOWN_TYPE));
    expect(tally.requests).toBeGreaterThanOrEqual(95);
    expect(tally.connections).toBe(15);
  });

  it("compares the watch events of each connection, those too that come behind its last answer", async () => {
    const lines = [
      ...LIFE.slice(0, 4),
      eventLine("socket-2", "/local/domain/5/state", "token", 2),
      ...LIFE.slice(4),
      eventLine("socket-2", "/local/domain/5/state", "token", 1004),
      eventLine("socket-2", "/local/domain/5/other", "token", 1004),
      connectionLine("closed", "socket-2", { time: 1004 }),
    ];
    const { tally } = await play(lines);
    const found = tally.eventExamples.map(({ connection, copy, ...rest }) => ({
      ...rest,
      name: connection.name,
      copy,
    }));
    const rest = { token: "token", name: "socket-2", copy: 0 };
    // The transaction, the guest and its end; the trace has the registration and one more.
    expect(found).toEqual([
      { ...rest, kind: "extra", path: "/local/domain/5/state", count: tally.events - 2 },
      { ...rest, kind: "missing", path: "/local/domain/5/other", count: 1 },
    ]);
    expect(tally.events).toBeGreaterThan(2);
    const copies = await play(lines, { copies: 3 });
    expect(copies.tally.differingEvents).toEqual({ missing: 3, extra: 0 });
  });

  it("runs a transaction again that ends in EAGAIN, and removes nothing that copies share", async () => {
    const line = (time: number, ...[operation, payload, reply]: [Parameters<typeof requestLine>[1], string, string]) =>
      requestLine("socket-1", operation, payload, reply, { time, txId: operation === "TRANSACTION_START" ? 0 : 1 });
    const lines = [
      header(),
      line(1, "TRANSACTION_START", "|", "1|"),
      line(2, "DIRECTORY", "/local/domain|", ""),
      line(3, "WRITE", "/local/domain/5/a|v", "OK|"),
      line(4, "TRANSACTION_END", "T|", "OK|"),
      requestLine("socket-1", "RM", "/local/domain/5|", "OK|", { time: 5 }),
      requestLine("socket-1", "RM", "/local/domain|", "OK|", { time: 6 }),
    ];
    const { tally, found } = await play(lines, { copies: 4 });
    expect(found.filter((text) => !text.startsWith("DIRECTORY"))).toEqual([]);
    expect(tally.differenceCount).toBe(0);
    expect(tally.repeats).toBeGreaterThan(0);
    expect(tally.sharedRemovals).toBe(4);
  });

  it("reports a daemon with another answer, with the trace's names in every copy", async () => {
    const lying = (transport: Transport): Transport => ({
      ...transport,
      open: (handler) =>
        transport.open({
          ...handler,
          received: (chunk) => {
            handler.received(chunk.replace(/vm5/, "vmX"));
          },
        }),
    });
    const { found } = await play(LIFE, { copies: 2, through: lying });
    expect(found.filter((text) => text !== UNKNOWN_TYPE).sort()).toEqual([
      "READ /local/domain/5/name|: vm5 vmX",
      "READ /local/domain/5/name|: vm5 vmX-copy-1",
    ]);
  });

  it("waits as long as the trace did, a part of that, or not at all", async () => {
    const lines = [
      header(),
      requestLine("socket-1", "WRITE", "/a|1", "OK|", { time: 1 }),
      requestLine("socket-1", "READ", "/a|", "1", { time: 20_000_001 }),
    ];
    const seconds = async (speed: number) => (await play(lines, { speed })).seconds;
    expect(await seconds(1)).toBeCloseTo(20, 2);
    expect(await seconds(10)).toBeCloseTo(2, 2);
    expect(await seconds(Infinity)).toBeCloseTo(0, 2);
  });

  it("loses what is asked of a connection that cannot be opened, and goes on", async () => {
    const withoutIntroduction = LIFE.filter((line) => line.kind !== "request" || line.operation !== "INTRODUCE");
    const { tally } = await play(withoutIntroduction);
    expect(tally.unopened).toEqual(["nobody listens at /run/domains/5"]);
    expect(tally.differences.get("lost")).toBe(2);
  });
});
