/**
 * Conflict fairness (XSA-206): five points, one back every 50 ms, dom0 exempt.
 */
import { describe, expect, test } from "vitest";
import { CREDIT_MAX, Fairness, REGAIN_MICROSECONDS } from "../../../../daemon/connection/fairness.js";
import { domainId } from "../../../support/core-harness.js";

const guest = domainId(1);
const START = 1_000_000;

function exhausted(now = START): Fairness {
  const fairness = new Fairness();
  for (let point = 0; point < CREDIT_MAX; point++) fairness.charge(guest, now);
  return fairness;
}

describe("Fairness", () => {
  test("has oxenstored's figures", () => {
    expect([CREDIT_MAX, REGAIN_MICROSECONDS]).toEqual([5, 50_000]);
  });

  test("holds a guest that has no point left, until it regains one", () => {
    const fairness = new Fairness();
    for (let point = 1; point < CREDIT_MAX; point++) fairness.charge(guest, START);
    expect(fairness.holdMicroseconds(guest, START)).toBe(0);
    fairness.charge(guest, START);
    expect(fairness.holdMicroseconds(guest, START)).toBe(REGAIN_MICROSECONDS);
    expect(fairness.holdMicroseconds(guest, START + 49_999)).toBe(1);
    expect(fairness.holdMicroseconds(guest, START + 50_000)).toBe(0);
    expect(fairness.holdMicroseconds(domainId(2), START), "others are free").toBe(0);
  });

  test("lets no debt grow: one point comes back after 50 ms, however many charges there were", () => {
    const fairness = exhausted();
    for (let more = 0; more < 100; more++) fairness.charge(guest, START);
    expect(fairness.holdMicroseconds(guest, START + REGAIN_MICROSECONDS)).toBe(0);
    fairness.charge(guest, START + REGAIN_MICROSECONDS);
    expect(fairness.holdMicroseconds(guest, START + REGAIN_MICROSECONDS)).toBe(REGAIN_MICROSECONDS);
  });

  test("regains a point every 50 ms, up to five, and keeps the part of 50 ms that has passed", () => {
    const fairness = exhausted();
    const later = START + 2 * REGAIN_MICROSECONDS + 20_000;
    fairness.charge(guest, later);
    fairness.charge(guest, later);
    expect(fairness.holdMicroseconds(guest, later)).toBe(30_000);
    const muchLater = START + 1_000 * REGAIN_MICROSECONDS;
    for (let point = 1; point < CREDIT_MAX; point++) fairness.charge(guest, muchLater);
    expect(fairness.holdMicroseconds(guest, muchLater)).toBe(0);
  });

  test("never holds dom0", () => {
    const fairness = new Fairness();
    for (let point = 0; point < 100; point++) fairness.charge(domainId(0), START);
    expect(fairness.holdMicroseconds(domainId(0), START)).toBe(0);
  });

  test("undoes a charge, the first one of a domain too", () => {
    const fairness = new Fairness();
    const undos = Array.from({ length: CREDIT_MAX }, () => fairness.charge(guest, START));
    expect(fairness.holdMicroseconds(guest, START)).toBeGreaterThan(0);
    for (const undo of undos.reverse()) undo();
    for (let point = 1; point < CREDIT_MAX; point++) fairness.charge(guest, START);
    expect(fairness.holdMicroseconds(guest, START)).toBe(0);
  });

  test("neither gives nor takes when the clock steps back, and goes on from there", () => {
    const fairness = exhausted();
    const back = START - 3_600_000_000;
    expect(fairness.holdMicroseconds(guest, back)).toBe(REGAIN_MICROSECONDS);
    expect(fairness.holdMicroseconds(guest, back + REGAIN_MICROSECONDS)).toBe(0);
  });

  test("forgets a domain that is gone", () => {
    const fairness = exhausted();
    fairness.forget(guest);
    expect(fairness.holdMicroseconds(guest, START)).toBe(0);
  });
});
