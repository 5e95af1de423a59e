/** The choice of bases, for sources of several versions each; that the deltas are right: `test/property/merge-packs.test.ts`. */
import { describe, expect, it } from "vitest";
import { AnchorChain } from "../../../../../daemon/history/recorder/anchor-chain.js";

/** Sources one after the other, each with an anchor and so many deltas of it, of which each is one of the one before. */
function sources(count: number, followers: number): { readonly chain: AnchorChain; readonly bases: number[] } {
  const chain = new AnchorChain(count * (1 + followers));
  const bases: number[] = [];
  for (let source = 0, entry = 0; source < count; source++) {
    if (source > 0) {
      const [base] = chain.basesAfter(entry - 1);
      bases[entry] = base as number;
      chain.link(entry, entry - 1);
    }
    entry++;
    for (let follower = 0; follower < followers; follower++, entry++) {
      chain.follow(entry, entry - 1);
      bases[entry] = entry - 1;
    }
  }
  return { chain, bases };
}

describe("AnchorChain", () => {
  it("an anchor is a delta of the one before, the eighth or the 64th before", () => {
    for (const followers of [0, 3]) {
      const { bases } = sources(200, followers);
      const size = 1 + followers;
      for (let source = 1; source < 200; source++) {
        const step = source % 64 === 0 ? 64 : source % 8 === 0 ? 8 : 1;
        expect(bases[source * size]).toBe((source - step) * size);
      }
    }
  });

  it("the last version of 500 sources is few deltas away from the first", () => {
    const { bases } = sources(500, 5);
    const depths: number[] = [0];
    for (let entry = 1; entry < 3000; entry++) depths[entry] = (depths[bases[entry] as number] as number) + 1;
    expect(Math.max(...depths)).toBeLessThanOrEqual(7 + 7 + 500 / 64 + 5);
  });

  it("offers nearer versions too, the predecessor last", () => {
    const { chain } = sources(65, 2);
    const last = 64 * 3 - 1;
    expect(chain.basesAfter(last)).toEqual([0, 56 * 3, 63 * 3, last]);
    expect(chain.basesAfter(0)).toEqual([0]);
  });

  it("begins anew at an anchor that stays whole", () => {
    const { chain } = sources(8, 1);
    // Entries 14 and 15 would be the anchor of number 7 and its delta.
    expect(chain.basesAfter(15)).toEqual([0, 14, 15]);
    const whole = new AnchorChain(4);
    whole.link(1, 0);
    whole.follow(3, 2);
    expect(whole.basesAfter(3)).toEqual([2, 3]);
  });
});
