/** The last commits of a stream. */
import { describe, expect, it } from "vitest";
import { COMMITS_KEPT, CommitWindow } from "../../../../clients/explorer/live/commit-window.js";
import type { CommitEvent } from "../../../../protocol/http-api/events.js";

const commits = (from: number, count: number): CommitEvent[] =>
  Array.from({ length: count }, (_, index) => ({
    oid: String(from + index),
    seq: from + index,
    subject: "",
    paths: [],
  }));

describe("the window of commits", () => {
  it("has the newest first", () => {
    const window = new CommitWindow();
    window.push(commits(1, 3), 0);
    expect([0, 1, 2, 3].map((index) => window.at(index)?.seq)).toEqual([3, 2, 1, undefined]);
  });

  it("keeps the last ones, however many come, and counts all", () => {
    const window = new CommitWindow();
    for (let seq = 1; seq <= 10 * COMMITS_KEPT; seq += 100) window.push(commits(seq, 100), seq);
    expect(window.count).toBe(10 * COMMITS_KEPT);
    expect(window.length).toBeLessThanOrEqual(2 * COMMITS_KEPT);
    for (const index of [0, 1, COMMITS_KEPT - 1]) expect(window.at(index)?.seq).toBe(10 * COMMITS_KEPT - index);
  });

  it("tells how many come in a second, and forgets", () => {
    const window = new CommitWindow();
    window.push(commits(1, 1000), 0);
    window.push(commits(1001, 1000), 1000);
    expect(window.rate(1500)).toBe(1000);
    expect(window.rate(2500)).toBe(500);
    window.clear();
    expect([window.count, window.length, window.rate(2500)]).toEqual([0, 0, 0]);
  });
});
