import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { levelOf, planMerge, type PackSize } from "../../../../../daemon/history/recorder/merge-plan.js";
import { propertyParameters } from "../../../../support/seed.js";

const MEBIBYTE = 1024 * 1024;
const OBJECTS_PER_COMMIT = 9;
const COMMITS = 1_000_000;

function pack(seq: number, objects: number, bytes = objects * 100): PackSize {
  return { name: String(seq).padStart(40, "0"), objects, bytes, seq };
}

/** Packs under seals and merges; a merged pack keeps all objects, which is the worst case. */
class Simulation {
  packs: PackSize[] = [];
  countMax = 0;
  objectsRewritten = 0;
  #seq = 0;

  seal(commits: number, bytesPerCommit: number): void {
    this.#seq += commits;
    this.packs.push(pack(this.#seq, commits * OBJECTS_PER_COMMIT, commits * bytesPerCommit));
    for (let sources = planMerge(this.packs); sources.length > 0; sources = planMerge(this.packs)) this.#merge(sources);
    this.countMax = Math.max(this.countMax, this.packs.length);
  }

  #merge(sources: readonly PackSize[]): void {
    const objects = sources.reduce((sum, source) => sum + source.objects, 0);
    const bytes = sources.reduce((sum, source) => sum + source.bytes, 0);
    expect(sources.length).toBeGreaterThan(1);
    expect(bytes).toBeLessThanOrEqual(1024 * MEBIBYTE);
    expect(objects).toBeLessThanOrEqual(4 * 1024 * 1024);
    this.objectsRewritten += objects;
    const last = sources[sources.length - 1] as PackSize;
    this.packs = this.packs.filter((other) => !sources.includes(other));
    this.packs.push({ ...last, objects, bytes });
  }
}

describe("planMerge", () => {
  it("merges the packs of a level with the smaller ones between them, the oldest first", () => {
    const packs = [5000, 9, 9, 4500, 9, 4100, 20, 4800, 9].map((objects, index) => pack(index + 1, objects));
    expect(planMerge([...packs].reverse()).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(planMerge(packs.slice(0, 7))).toEqual([]);
  });

  it("merges the smallest packs, which are one level, when there are eight", () => {
    const packs = [9, 250, 9, 100, 9, 9, 9, 9].map((objects, index) => pack(index + 1, objects));
    expect(levelOf(9)).toBe(levelOf(255));
    expect(levelOf(256)).toBe(levelOf(255) + 1);
    expect(planMerge(packs)).toHaveLength(8);
    expect(planMerge(packs.slice(1))).toEqual([]);
  });

  it("makes no pack beyond the limits, and finds two that fit where the oldest do not", () => {
    const sizes = [900, 800, 700, 200];
    const packs = sizes.map((mebibytes, index) => pack(index + 1, 2_000_000, mebibytes * MEBIBYTE));
    expect(planMerge(packs).map(({ seq }) => seq)).toEqual([3, 4]);
    expect(planMerge(packs.slice(0, 3))).toEqual([]);
    const large = [1, 2, 3, 4, 5].map((seq) => pack(seq, 2_000_000, 600 * MEBIBYTE));
    expect(planMerge(large)).toEqual([]);
  });

  it("leaves at most 40 packs at any moment of 1,000,000 commits, whatever is sealed when", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 17 }), fc.double({ min: 0.5, max: 1, noNaN: true })), {
          minLength: 1,
          maxLength: 40,
        }),
        fc.integer({ min: 500, max: 3000 }),
        (pattern, bytesPerCommit) => {
          const simulation = new Simulation();
          let left = COMMITS;
          for (let index = 0, seals = 0; left > 0 && seals < 20_000; index++, seals++) {
            const [exponent, factor] = pattern[index % pattern.length] as [number, number];
            const commits = Math.min(left, Math.max(1, Math.round(2 ** exponent * factor)));
            simulation.seal(commits, bytesPerCommit);
            left -= commits;
          }
          expect(simulation.countMax).toBeLessThanOrEqual(40);
        },
      ),
      propertyParameters(40),
    );
  });

  it("rewrites each object at most 10 times, one commit a pack", () => {
    const simulation = new Simulation();
    const commits = 50_000;
    for (let commit = 0; commit < commits; commit++) simulation.seal(1, 3000);
    expect(simulation.countMax).toBeLessThanOrEqual(40);
    expect(simulation.objectsRewritten / (commits * OBJECTS_PER_COMMIT)).toBeLessThanOrEqual(10);
  });
});
