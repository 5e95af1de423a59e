import { describe, expect, it } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { planRewrites, type RewritablePack } from "../../../../../daemon/history/recorder/rewrite-plan.js";

const WANT = { boundary: 500 as Seq, droppedPartMin: 0.1 };

function pack(name: string, seq: number | undefined, needed: number, objects: number): RewritablePack {
  return { name, seq, needed, objects, bytes: objects * 100 };
}

describe("planRewrites", () => {
  it("puts what is left of dropped commits into the pack of the oldest that are kept, as in its worked example", () => {
    const packs = [pack("d", 900, 80, 80), pack("c", 620, 40, 70), pack("b", 300, 0, 50), pack("a", 100, 2, 90)];
    expect(planRewrites(packs, WANT)).toEqual({ rewrites: [["a", "c"]], useless: ["b"] });
  });

  it("takes the host along also when nothing of it goes, and rewrites the others one by one", () => {
    const packs = [
      pack("old", 200, 5, 50),
      pack("older", 100, 5, 50),
      pack("host", 500, 60, 60),
      pack("next", 700, 30, 60),
      pack("git", undefined, 30, 60),
      pack("nearly whole", 800, 99, 100),
      pack("old, nearly whole", 400, 99, 100),
    ];
    expect(planRewrites(packs, WANT)).toEqual({
      rewrites: [["older", "old", "host"], ["next"], ["git"]],
      useless: [],
    });
  });

  it("leaves what does not fit into the host's pack, or has no host, in packs of their own", () => {
    const packs = [pack("a", 100, 20, 50), pack("b", 200, 40, 50), pack("c", 600, 50, 60)];
    const limits = { bytesMax: 1_000_000, objectsMax: 75 };
    expect(planRewrites(packs, WANT, limits)).toEqual({ rewrites: [["a", "c"], ["b"]], useless: [] });
    expect(planRewrites(packs.slice(0, 2), WANT).rewrites).toEqual([["a"], ["b"]]);
  });
});
