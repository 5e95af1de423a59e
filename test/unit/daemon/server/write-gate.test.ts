/** The write gate: its limits, what commits cost between them, and when it refuses. */
import { describe, expect, it } from "vitest";
import type { Domid } from "../../../../protocol/identifiers.js";
import {
  HOLD_MILLISECONDS_MAX,
  OPEN_PART,
  STALLED_MILLISECONDS,
  WriteGate,
  type RecorderTrouble,
} from "../../../../daemon/server/write-gate.js";

const MEBIBYTE = 1024 * 1024;
const BYTES_MAX = 64 * MEBIBYTE;
const COMMIT_BYTES = 256;
/** Half-way between the limits. */
const MIDDLE = ((OPEN_PART + 1) / 2) * BYTES_MAX;

/** A gate whose backlog the test sets. */
function gate(bytes = 0, bytesMax = BYTES_MAX) {
  const backlog: { bytes: number; sealedSeq: number; trouble: RecorderTrouble | undefined } = {
    bytes,
    sealedSeq: 0,
    trouble: undefined,
  };
  const made = new WriteGate(bytesMax, {
    unsealedBytes: () => backlog.bytes,
    sealedSeq: () => backlog.sealedSeq,
    trouble: () => backlog.trouble,
  });
  return { gate: made, backlog };
}

/** Until when a client of a domain is held that committed so many bytes in a tick of its own. */
function hold(asked: WriteGate, bytes: number, now: number, domid = 0): number {
  return asked.holdUntil([{ domid: domid as Domid, bytes }], now)[0] ?? NaN;
}

describe("WriteGate", () => {
  it("lets everybody commit at once below a half of the limit (gate invariant 1)", () => {
    const { gate: open } = gate(OPEN_PART * BYTES_MAX);
    expect([open.isSlowing, open.isFull(0), open.refusal(0)]).toEqual([false, false, undefined]);
    expect(hold(open, 100_000 * COMMIT_BYTES, 500)).toBe(500);
  });

  it("has no limit when it is told none", () => {
    const { gate: open } = gate(1e15, Infinity);
    expect([open.isSlowing, open.isFull(1e9), open.refusal(0)]).toEqual([false, false, undefined]);
    expect(hold(open, 100_000 * COMMIT_BYTES, 500)).toBe(500);
  });

  it("makes commits dearer the longer the backlog is, from nothing on, without a step", () => {
    const costs = [0, 0.01, 0.2, 0.4, 0.7, 0.9, 0.99].map((part) => {
      const { gate: slowed } = gate((OPEN_PART + part * (1 - OPEN_PART)) * BYTES_MAX);
      return hold(slowed, 100 * COMMIT_BYTES, 0);
    });
    expect(costs[0]).toBe(0);
    expect(costs[1]).toBeLessThan(0.1);
    for (const [index, cost] of costs.slice(1).entries()) expect(cost).toBeGreaterThan(costs[index] ?? NaN);
  });

  it("makes those of one domain wait in one line: the rate does not depend on how many they are", () => {
    const waits = [1, 10, 1000].map((clients) => {
      const { gate: slowed } = gate(MIDDLE);
      let last = 0;
      for (let client = 0; client < clients; client++) last = hold(slowed, (2000 * COMMIT_BYTES) / clients, 0);
      return last;
    });
    for (const wait of waits) expect(wait).toBeCloseTo(waits[0] ?? NaN, 6);
    expect(waits[0]).toBeGreaterThan(1);
  });

  it("holds nobody longer than HOLD_MILLISECONDS_MAX, nor forgets the line when time has passed (gate invariant 3)", () => {
    const { gate: slowed, backlog } = gate(0.99999 * BYTES_MAX);
    for (let client = 0; client < 10; client++) {
      expect(hold(slowed, 1000 * COMMIT_BYTES, 7000)).toBe(7000 + HOLD_MILLISECONDS_MAX);
    }
    backlog.bytes = BYTES_MAX;
    expect(hold(slowed, COMMIT_BYTES, 7000)).toBe(7000 + HOLD_MILLISECONDS_MAX);
    backlog.bytes = MIDDLE;
    expect(hold(slowed, COMMIT_BYTES, 20_000)).toBeLessThan(20_001);
  });

  it("is full when the backlog with what is not written yet reaches the limit (gate invariant 2)", () => {
    const { gate: near } = gate(BYTES_MAX - 10 * COMMIT_BYTES);
    const unwritten = [0, 10 * COMMIT_BYTES - 1, 10 * COMMIT_BYTES];
    expect(unwritten.map((bytes) => near.isFull(bytes))).toEqual([false, false, true]);
  });

  it("refuses nothing at the limit while the recorder seals, also where no bytes fall yet (gate invariant 3)", () => {
    const { gate: full, backlog } = gate(2 * BYTES_MAX);
    for (let now = 0; now < 10 * STALLED_MILLISECONDS; now += STALLED_MILLISECONDS / 2) {
      expect(full.refusal(now)).toBeUndefined();
      backlog.sealedSeq++;
    }
    expect(full.isFull(0)).toBe(true);
  });

  it("refuses with ENOSPC what is stalled at the limit, and takes commits again after the next seal", () => {
    const { gate: full, backlog } = gate(BYTES_MAX);
    expect(full.refusal(1000)).toBeUndefined();
    expect(full.refusal(1000 + STALLED_MILLISECONDS - 1)).toBeUndefined();
    const refused = full.refusal(1000 + STALLED_MILLISECONDS);
    expect(refused?.error).toBe("ENOSPC");
    expect(refused?.reason).toMatch(/holds 67108864 bytes that the history lacks.*nothing was sealed for 30 seconds/);
    backlog.sealedSeq++;
    expect(full.refusal(1000 + STALLED_MILLISECONDS)).toBeUndefined();
    expect(full.refusal(2000 + STALLED_MILLISECONDS)).toBeUndefined();
  });

  it("refuses at the limit alone when the recorder is in trouble: ENOSPC when it tries again, EIO when it does not", () => {
    const { gate: full, backlog } = gate(BYTES_MAX - 1);
    backlog.trouble = { reason: "no space left on device", isFinal: false };
    expect(full.refusal(0)).toBeUndefined();
    backlog.bytes = BYTES_MAX;
    expect(full.refusal(0)).toMatchObject({
      error: "ENOSPC",
      reason: expect.stringContaining("no space left") as string,
    });
    backlog.trouble = { reason: "damage", isFinal: true };
    expect(full.refusal(0)?.error).toBe("EIO");
    backlog.trouble = undefined;
    expect(full.refusal(0)).toBeUndefined();
  });

  it("lets dom0 wait twice as long as alone beside guests that flood, however many they are (gate invariant 4)", () => {
    const waits = [0, 1, 10, 1000].map((guests) => {
      const { gate: slowed } = gate(MIDDLE);
      for (let tick = 0; tick < 10; tick++) {
        const flood = Array.from({ length: guests }, (_, index) => ({ domid: (index + 1) as Domid, bytes: 100_000 }));
        slowed.holdUntil([...flood, ...flood], 5000);
      }
      return hold(slowed, 4 * COMMIT_BYTES, 5000) - 5000;
    });
    const alone = waits[0] ?? NaN;
    expect(alone).toBeGreaterThan(0);
    for (const wait of waits.slice(1)) expect(wait).toBeCloseTo(2 * alone, 6);
  });

  it("gives a guest the same share beside one with one connection as beside one with sixty (gate invariant 4)", () => {
    const waits = [1, 60].map((connections) => {
      const { gate: slowed } = gate(MIDDLE);
      slowed.holdUntil(
        Array.from({ length: connections }, () => ({ domid: 7 as Domid, bytes: 10_000 })),
        0,
      );
      return hold(slowed, COMMIT_BYTES, 0, 8);
    });
    expect(waits[1]).toBe(waits[0]);
  });

  it("gives those who commit in one tick their shares whatever their order, and what is not used to the others", () => {
    const two = [5, 0].map((domid) => ({ domid: domid as Domid, bytes: COMMIT_BYTES }));
    const { gate: slowed } = gate(MIDDLE);
    const [guest, dom0] = slowed.holdUntil(two, 0);
    expect(guest).toBe(dom0);
    expect(gate(MIDDLE).gate.holdUntil(two.toReversed(), 0)).toEqual([dom0, guest]);
    const later = 10_000;
    expect(hold(slowed, COMMIT_BYTES, later, 5) - later, "nobody waits with it").toBeCloseTo((guest ?? NaN) / 2, 6);
  });

  it.each([
    { recorderBytesPerSecond: 100_000, domains: 1 },
    { recorderBytesPerSecond: 1_000_000, domains: 1 },
    { recorderBytesPerSecond: 4_000_000, domains: 1 },
    { recorderBytesPerSecond: 4_000_000, domains: 2 },
    { recorderBytesPerSecond: 4_000_000, domains: 20 },
    { recorderBytesPerSecond: 16_000_000, domains: 5 },
    { recorderBytesPerSecond: 40_000_000, domains: 1 },
  ])(
    "brings a flood of $domains domains to the rate of a recorder of $recorderBytesPerSecond bytes/s and keeps it there",
    ({ recorderBytesPerSecond, domains }) => {
      const { gate: slowed, backlog } = gate();
      const clients = Array.from({ length: 20 }, () => 0);
      const bytes = 64 * COMMIT_BYTES;
      const history: number[] = [];
      const committed = Array.from({ length: domains }, () => 0);
      // Steps of 1 ms: every client that may commit does, and every half second the recorder seals what it has recorded.
      for (let now = 0; now < 120_000; now++) {
        const inTick: number[] = [];
        for (const [index, until] of clients.entries()) {
          if (until > now || slowed.isFull(0)) continue;
          backlog.bytes += bytes;
          inTick.push(index);
          if (now >= 60_000) committed[index % domains] = (committed[index % domains] ?? 0) + bytes;
        }
        const untils = slowed.holdUntil(
          inTick.map((index) => ({ domid: (index % domains) as Domid, bytes })),
          now,
        );
        for (const [place, index] of inTick.entries()) clients[index] = untils[place] ?? now;
        if (now % 500 === 0) backlog.bytes = Math.max(0, backlog.bytes - recorderBytesPerSecond / 2);
        if (now >= 60_000) history.push(backlog.bytes);
      }
      const all = committed.reduce((sum, each) => sum + each, 0);
      expect(all / 60 / recorderBytesPerSecond).toBeGreaterThan(0.95);
      expect(all / 60 / recorderBytesPerSecond).toBeLessThan(1.05);
      expect(Math.max(...history)).toBeLessThan(BYTES_MAX + bytes);
      expect(Math.min(...history)).toBeGreaterThan(0);
      // It swings by what one seal takes away, and not between the limits.
      const swing = Math.max(...history) - Math.min(...history);
      expect(swing).toBeLessThan(1.5 * (recorderBytesPerSecond / 2) + 2 * clients.length * bytes);
      const [dom0 = 0, ...guests] = committed;
      if (domains === 1) return;
      expect(dom0 / all, "dom0 has its half").toBeCloseTo(0.5, 1);
      expect(Math.max(...guests) / Math.min(...guests)).toBeLessThan(1.2);
    },
  );
});
