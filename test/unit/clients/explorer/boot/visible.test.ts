import { describe, expect, test } from "vitest";
import { courseOf } from "../../../../../clients/explorer/boot/happenings.js";
import { entryAt, placeOfEntry } from "../../../../../clients/explorer/boot/hit.js";
import { lanesBetween, layoutOf, markMiddle } from "../../../../../clients/explorer/boot/layout.js";
import { ARROW_KINDS, sceneOf, wholeOf, type Scene } from "../../../../../clients/explorer/boot/scene.js";
import {
  COLUMN_PIXELS,
  firstFrom,
  markOf,
  visible,
  xOf,
  type Sight,
} from "../../../../../clients/explorer/boot/visible.js";
import type { TraceLineJson } from "../../../../../protocol/http-api/trace.js";
import { BOOT, recordedBoot, START } from "./recorded-boot.js";

const boot = ((): Scene => {
  const recording = recordedBoot(BOOT);
  return sceneOf(recording, courseOf(recording), {});
})();

/** A storm: so many machines, each of which asks a thousand times. */
const storm = (machines: number): Scene => {
  const lines: TraceLineJson[] = [];
  for (let step = 0; step < 1000; step++) {
    for (let machine = 1; machine <= machines; machine++) {
      const origin = {
        time: START + step * 10_000 + machine,
        domain: machine,
        connection: `domain-${String(machine)}-1`,
      };
      const payload = `/local/domain/${String(machine)}/a\0`;
      if (step % 5 === 4) lines.push({ kind: "event", ...origin, path: "a", token: "t" });
      else lines.push({ kind: "request", ...origin, operation: step % 2 === 0 ? "READ" : "WRITE", payload, reply: "" });
    }
  }
  return sceneOf({ commits: [], lines, failures: [] }, courseOf({ commits: [], lines, failures: [] }), {});
};

const sightOf = (scene: Scene, rest: Partial<Sight> = {}): Sight => ({
  ...{ ...wholeOf(scene), width: 1200, first: 0, end: scene.lanes.length, isMerged: false, ...rest },
});

const sum = (counts: readonly { readonly count: number }[]): number =>
  counts.reduce((total, { count }) => total + count, 0);

describe("visible", () => {
  test.each([false, true])(
    "loses no arrow of a boot, whatever the width and however kinds are merged (%s)",
    (isMerged) => {
      for (const width of [1, 7, 300, 5000, 100_000]) {
        expect(sum(visible(boot, sightOf(boot, { width, isMerged })).marks)).toBe(boot.arrows.length);
      }
    },
  );

  test("counts each lane and kind by itself", () => {
    const { marks } = visible(boot, sightOf(boot));
    for (const [lane] of boot.lanes.entries()) {
      for (const kind of ARROW_KINDS) {
        const arrows = boot.arrows.filter((arrow) => arrow.lane === lane && arrow.arrow === kind);
        expect(sum(marks.filter((mark) => mark.lane === lane && mark.kind === kind))).toBe(arrows.length);
      }
    }
  });

  test("shows the arrows of a stretch alone, with both its ends", () => {
    const [first, last] = [boot.arrows[100], boot.arrows[200]];
    if (first === undefined || last === undefined) throw new Error("the boot is too short");
    expect(sum(visible(boot, sightOf(boot, { from: first.time, to: last.time })).marks)).toBe(101);
  });

  test("shows the lanes alone that can be seen", () => {
    const { marks } = visible(boot, sightOf(boot, { first: 1, end: 2 }));
    expect(new Set(marks.map(({ lane }) => lane))).toEqual(new Set([1]));
    expect(sum(marks)).toBe(boot.arrows.filter(({ lane }) => lane === 1).length);
  });

  test("draws no more of a storm of 100 machines than columns have room for, and counts all of it", () => {
    const scene = storm(100);
    expect(scene.arrows).toHaveLength(100_000);
    const sight = sightOf(scene, { isMerged: true });
    const { marks } = visible(scene, sight);
    expect(marks.length).toBeLessThanOrEqual(100 * (Math.ceil(sight.width / COLUMN_PIXELS) + 1));
    expect(sum(marks)).toBe(100_000);
  });

  test("loses no bracket and no bar either", () => {
    for (const width of [10, 1200]) {
      const { brackets, bars } = visible(boot, sightOf(boot, { width }));
      expect([sum(brackets), sum(bars)]).toEqual([boot.brackets.length, boot.bars.length]);
    }
  });

  test("shows each commit once in the store's row", () => {
    const seqs = new Set(boot.arrows.flatMap(({ seq }) => (seq === undefined ? [] : [seq])));
    expect(sum(visible(boot, sightOf(boot)).commits)).toBe(seqs.size);
  });

  test("shows the lowest states of lanes that are not tall, instead of bars", () => {
    const { bars, lowest } = visible(boot, sightOf(boot, { isMerged: true }));
    expect(bars).toEqual([]);
    expect(lowest[0]?.lowest.state).toBe("1");
  });
});

describe("markOf", () => {
  test("finds the mark that stands for any arrow", () => {
    for (const isMerged of [false, true]) {
      const sight = sightOf(boot, { width: 400, isMerged });
      const { marks } = visible(boot, sight);
      expect(boot.arrows.every((_arrow, index) => markOf(marks, boot, sight, index) !== undefined)).toBe(true);
    }
  });
});

describe("firstFrom", () => {
  test("finds the first that is not before a time", () => {
    const times = [1, 3, 3, 7];
    const at = (time: number): number => firstFrom(times.length, (index) => times[index] ?? 0, time);
    expect([0, 1, 2, 3, 4, 8].map(at)).toEqual([0, 0, 1, 1, 3, 4]);
  });
});

describe("layoutOf", () => {
  test("makes many lanes low unless they are wanted otherwise", () => {
    const scene = storm(20);
    expect([
      layoutOf(boot, undefined).height,
      layoutOf(scene, undefined).height,
      layoutOf(scene, "thin").height,
    ]).toEqual(["tall", "low", "thin"]);
  });

  test("fits a hundred thin lanes on a page", () => {
    expect(layoutOf(storm(100), "thin").total).toBeLessThanOrEqual(600);
  });

  test("stands lanes below each other, of which some can be seen", () => {
    const layout = layoutOf(storm(20), "low");
    const height = layout.places[0]?.height ?? 0;
    expect(lanesBetween(layout, 0, layout.total)).toEqual({ first: 0, end: 20 });
    expect(lanesBetween(layout, height * 3 + 1, height * 5)).toEqual({ first: 3, end: 5 });
    expect(lanesBetween(layout, layout.total, layout.total + 100)).toEqual({ first: 20, end: 20 });
  });
});

describe("entryAt", () => {
  test("finds the arrow at its mark, and its place in the list", () => {
    const layout = layoutOf(boot, "tall");
    const arrow = boot.arrows.findIndex(({ operation }) => operation === "INTRODUCE");
    const time = boot.arrows[arrow]?.time ?? 0;
    const sight = sightOf(boot, { from: time - 1000, to: time + 1000 });
    const lane = boot.arrows[arrow]?.lane ?? 0;
    const place = layout.places[lane];
    if (place === undefined) throw new Error("the lane has no place");
    const point = { x: xOf(sight, time), y: markMiddle(layout, place, "change") };
    const hit = entryAt(boot, visible(boot, sight), layout, point);
    expect(hit).toMatchObject({ count: 1, entry: { kind: "arrow", index: arrow, time } });
    const listed = boot.entries[placeOfEntry(boot, { kind: "arrow", index: arrow, time })];
    expect(listed).toEqual({ kind: "arrow", index: arrow, time });
  });

  test("finds brackets and bars", () => {
    const layout = layoutOf(boot, "tall");
    const sight = sightOf(boot, { width: 20_000 });
    const seen = visible(boot, sight);
    const [bracket, bar] = [seen.brackets[0], seen.bars[1]];
    if (bracket === undefined || bar === undefined) throw new Error("nothing is seen");
    const [first, second] = [layout.places[bracket.bracket.lane], layout.places[bar.bar.lane]];
    const inBracket = { x: (bracket.x + bracket.endX) / 2, y: (first?.bracketsTop ?? 0) + 3 };
    const inBar = { x: (bar.x + bar.endX) / 2, y: (second?.barsTop ?? 0) + bar.bar.row * 16 + 3 };
    expect(entryAt(boot, seen, layout, inBracket)?.entry.kind).toBe("bracket");
    expect(entryAt(boot, seen, layout, inBar)?.entry).toMatchObject({ kind: "bar", index: bar.index });
  });

  test("finds nothing below all lanes", () => {
    const layout = layoutOf(boot, "tall");
    expect(entryAt(boot, visible(boot, sightOf(boot)), layout, { x: 10, y: layout.total + 10 })).toBeUndefined();
  });
});
