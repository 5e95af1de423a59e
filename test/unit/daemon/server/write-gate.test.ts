/** The write gate: its limits, what commits cost between them, and when it refuses. */
import { describe, expect, it } from "vitest";
import {
  HOLD_MILLISECONDS_MAX,
  STALLED_MILLISECONDS,
  WriteGate,
  type RecorderTrouble,
} from "../../../../daemon/server/write-gate.js";

const MEBIBYTE = 1024 * 1024;
const BYTES_MAX = 64 * MEBIBYTE;
const COMMIT_BYTES = 256;

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

describe("WriteGate", () => {
  it("lets everybody commit at once below a quarter of the limit (gate invariant 1)", () => {
    const { gate: open } = gate(BYTES_MAX / 4);
    expect([open.isSlowing, open.isFull(0), open.refusal(0)]).toEqual([false, false, undefined]);
    expect(open.holdUntil({ bytes: 100_000 * COMMIT_BYTES, nowMilliseconds: 500 })).toBe(500);
  });

  it("has no limit when it is told none", () => {
    const { gate: open } = gate(1e15, Infinity);
    expect([open.isSlowing, open.isFull(1e9), open.refusal(0)]).toEqual([false, false, undefined]);
    expect(open.holdUntil({ bytes: 100_000 * COMMIT_BYTES, nowMilliseconds: 500 })).toBe(500);
  });

  it("makes commits dearer the longer the backlog is, from nothing on, without a step", () => {
    const costs = [0.25, 0.26, 0.4, 0.6, 0.8, 0.9, 0.99].map((share) => {
      const { gate: slowed } = gate(share * BYTES_MAX);
      return slowed.holdUntil({ bytes: 100 * COMMIT_BYTES, nowMilliseconds: 0 });
    });
    expect(costs[0]).toBe(0);
    expect(costs[1]).toBeLessThan(0.1);
    for (const [index, cost] of costs.slice(1).entries()) expect(cost).toBeGreaterThan(costs[index] ?? NaN);
  });

  it("makes those who commit wait in one line: the rate does not depend on how many they are", () => {
    const waits = [1, 10, 1000].map((clients) => {
      const { gate: slowed } = gate(BYTES_MAX / 2);
      let last = 0;
      for (let client = 0; client < clients; client++)
        last = slowed.holdUntil({ bytes: (2000 * COMMIT_BYTES) / clients, nowMilliseconds: 0 });
      return last;
    });
    for (const wait of waits) expect(wait).toBeCloseTo(waits[0] ?? NaN, 6);
    expect(waits[0]).toBeGreaterThan(1);
  });

  it("holds nobody longer than HOLD_MILLISECONDS_MAX, nor forgets the line when time has passed (gate invariant 3)", () => {
    const { gate: slowed, backlog } = gate(0.99999 * BYTES_MAX);
    for (let client = 0; client < 10; client++) {
      expect(slowed.holdUntil({ bytes: 1000 * COMMIT_BYTES, nowMilliseconds: 7000 })).toBe(
        7000 + HOLD_MILLISECONDS_MAX,
      );
    }
    backlog.bytes = BYTES_MAX;
    expect(slowed.holdUntil({ bytes: COMMIT_BYTES, nowMilliseconds: 7000 })).toBe(7000 + HOLD_MILLISECONDS_MAX);
    backlog.bytes = BYTES_MAX / 2;
    expect(slowed.holdUntil({ bytes: COMMIT_BYTES, nowMilliseconds: 20_000 })).toBeLessThan(20_001);
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

  it.each([100_000, 1_000_000, 4_000_000, 16_000_000, 40_000_000])(
    "brings a flood to the rate of a recorder of %s bytes/s and keeps it there",
    (recorderBytesPerSecond) => {
      const { gate: slowed, backlog } = gate();
      const clients = Array.from({ length: 20 }, () => 0);
      const commits = 64;
      const history: number[] = [];
      let committed = 0;
      // Steps of 1 ms: every client that may commit does, and every half second the recorder seals what it has recorded.
      for (let now = 0; now < 120_000; now++) {
        for (const [index, until] of clients.entries()) {
          if (until > now || slowed.isFull(0)) continue;
          backlog.bytes += commits * COMMIT_BYTES;
          if (now >= 60_000) committed += commits * COMMIT_BYTES;
          clients[index] = slowed.isSlowing
            ? slowed.holdUntil({ bytes: commits * COMMIT_BYTES, nowMilliseconds: now })
            : now;
        }
        if (now % 500 === 0) backlog.bytes = Math.max(0, backlog.bytes - recorderBytesPerSecond / 2);
        if (now >= 60_000) history.push(backlog.bytes);
      }
      expect(committed / 60 / recorderBytesPerSecond).toBeGreaterThan(0.95);
      expect(committed / 60 / recorderBytesPerSecond).toBeLessThan(1.05);
      expect(Math.max(...history)).toBeLessThan(BYTES_MAX + commits * COMMIT_BYTES);
      expect(Math.min(...history)).toBeGreaterThan(0);
      // It swings by what one seal takes away, and not between the limits.
      const swing = Math.max(...history) - Math.min(...history);
      expect(swing).toBeLessThan(1.5 * (recorderBytesPerSecond / 2) + 2 * clients.length * commits * COMMIT_BYTES);
    },
  );
});
