/** The choice of bases against a model that keeps every version's bytes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SkipChain } from "../../../../../daemon/history/recorder/skip-chain.js";
import { propertyParameters } from "../../../../support/seed.js";

describe("SkipChain", () => {
  it("each version is a delta of one at most 64 back, and few deltas away from the first", () => {
    const chain = new SkipChain(0, 100);
    const steps = [0];
    for (let version = 1; version <= 1000; version++) {
      const { base } = chain.next();
      expect(version - base).toBeOneOf([1, 8, 64]);
      steps.push((steps[base] as number) + 1);
      chain.advance(version, 100);
    }
    expect(steps[64]).toBe(1);
    expect(steps[8]).toBe(1);
    expect(Math.max(...steps.slice(0, 64))).toBe(14);
    for (const [version, count] of steps.entries()) expect(count).toBeLessThanOrEqual(14 + version / 64);
  });

  it("after a level's edit has become too fine a lower level is taken, not the whole directory (skip chain invariant 3)", () => {
    const chain = new SkipChain(0, 1_000_000);
    const steps: number[] = [];
    for (let version = 1; version <= 128; version++) {
      // Each changes twenty stretches far from each other, which 64 versions together are too many of.
      for (let at = 0; at < 20; at++) chain.splice(version * 50 + at * 10_000, 20, 20);
      const { base, edit } = chain.next();
      expect(edit.isWhole).toBe(false);
      if (version % 64 === 0) steps.push(version - base);
      chain.advance(version, 1_000_000);
    }
    expect(steps).toEqual([8, 8]);
  });

  it("the edit of the next version leads from its base's content (skip chain invariant 1)", () => {
    const splice = fc.record({ at: fc.nat(200), removed: fc.nat(6), inserted: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(splice, { minLength: 1, maxLength: 150 }), (splices) => {
        let next = 0;
        const fresh = (count: number): string =>
          Array.from({ length: count }, () => String.fromCharCode(next++)).join("");
        let now = fresh(100);
        const versions = [now];
        const chain = new SkipChain(0, now.length);
        for (const { at, removed, inserted } of splices) {
          const position = Math.min(at, now.length);
          const gone = Math.min(removed, now.length - position);
          now = now.slice(0, position) + fresh(inserted) + now.slice(position + gone);
          chain.splice(position, gone, inserted);
          const { base, edit } = chain.next();
          const old = versions[base] as string;
          let made = "";
          for (let piece = 0; piece < edit.count; piece++) {
            const [start, length] = [edit.startOf(piece), edit.lengthOf(piece)];
            made += start < 0 ? now.slice(made.length, made.length + length) : old.slice(start, start + length);
          }
          expect(made).toBe(now);
          expect(edit.oldBytes).toBe(old.length);
          chain.advance(versions.length, now.length);
          versions.push(now);
        }
      }),
      propertyParameters(100),
    );
  });
});
