/**
 * `kill -9` of the built daemon under load, 40 times, ten of them on the same store. `npm run crash:kill` does it as often as one likes.
 */
import { describe, expect, it } from "vitest";
import { buildDaemon } from "../support/built-daemon.js";
import { seed } from "../support/seed.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { runKillRounds } from "./kill-rounds.js";
import { createWriters, settle, type Writer } from "./load.js";

const ROUNDS = 40;
/** What Git is asked about a store takes as long as that has commits, and each round makes some ten thousand. */
const ROUNDS_PER_STORE = 10;
const FORK_ROUNDS = 8;

describe("settle", () => {
  /** A writer and a transaction's, each with 20 writes sent and 18 acknowledged, and the state after the 19th. */
  const afterNineteen = (): { writers: Writer[]; state: Map<string, string> } => {
    const writers = createWriters().filter(({ name }) => name === "w0" || name === "t4");
    for (const writer of writers) Object.assign(writer, { acknowledged: 18, sent: 20 });
    const state = new Map([
      ["/load/t4/first", "19"],
      ["/load/t4/second", "19"],
    ]);
    for (let count = 1; count <= 19; count++) state.set(`/load/w0/${String(count % 16)}`, String(count));
    return { writers, state };
  };
  const settled = (change: (state: Map<string, string>) => void): (() => number) => {
    const { writers, state } = afterNineteen();
    change(state);
    return () => settle(writers, (path) => state.get(path));
  };

  it("takes what lies between acknowledged and sent, and tells the seq", () => {
    expect(settled(() => undefined)()).toBe(1 + 19 + 19);
  });

  it("sees a write that is lost, one in the midst of others too, one that was never sent, and half a transaction", () => {
    const lost = settled((state) => {
      for (let count = 18; count <= 19; count++) state.set(`/load/w0/${String(count % 16)}`, String(count - 16));
    });
    expect(lost).toThrow("w0: 18 writes were acknowledged and 17 are there");
    expect(settled((state) => state.set("/load/w0/2", "2"))).toThrow(
      "after 19 writes of w0, /load/w0/2 is 2 and should be 18",
    );
    expect(settled((state) => state.delete("/load/w0/9"))).toThrow("/load/w0/9 is 0 and should be 9");
    const invented = settled((state) => {
      for (const count of [20, 21]) state.set(`/load/w0/${String(count % 16)}`, String(count));
    });
    expect(invented).toThrow("w0: 20 writes were sent and 21 are there");
    expect(settled((state) => state.set("/load/t4/second", "18"))).toThrow("/load/t4/second is 18 and should be 19");
  });
});

describe("a daemon", () => {
  it("killed at any moment under load has on its next start all that was acknowledged and nothing that was not sent", async () => {
    const outcome = await runKillRounds({
      rounds: ROUNDS,
      seed: seed(),
      durability: "process",
      command: buildDaemon(temporaryDirectory()),
      directory: temporaryDirectory(),
      roundsPerGitCheck: ROUNDS_PER_STORE,
      roundsPerStore: ROUNDS_PER_STORE,
    });
    console.log(JSON.stringify(outcome));
    expect(outcome.rounds).toBe(ROUNDS);
    expect(outcome.acknowledged).toBeGreaterThan(ROUNDS);
    expect(outcome.commits).toBeGreaterThan(outcome.acknowledged);
  }, 600_000);

  it("keeps the same promise to a fork that is written to beside main", async () => {
    const outcome = await runKillRounds({
      rounds: FORK_ROUNDS,
      seed: seed(),
      durability: "process",
      command: buildDaemon(temporaryDirectory()),
      directory: temporaryDirectory(),
      roundsPerGitCheck: 4,
      roundsPerStore: FORK_ROUNDS,
      hasFork: true,
    });
    console.log(JSON.stringify(outcome));
    expect(outcome.rounds).toBe(FORK_ROUNDS);
    expect(outcome.acknowledged).toBeGreaterThan(FORK_ROUNDS);
    expect(outcome.commits).toBeGreaterThan(outcome.acknowledged);
  }, 600_000);
});
