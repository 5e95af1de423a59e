/** What the core tells of transactions that stand in each other's way. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { isAbout, type Contention } from "../../../../daemon/dispatch/contention.js";
import { CoreHarness } from "../../../support/core-harness.js";

let harness: CoreHarness;
let loser: Connection;
let winner: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  loser = harness.connect(0);
  winner = harness.connect(0);
  harness.ask(loser, "MKDIR", { path: "/d" });
});

/** Lists /d, then makes a node there. */
function open(connection: Connection, name: string): number {
  const txId = harness.startTransaction(connection);
  harness.ask(connection, "DIRECTORY", { path: "/d" }, txId);
  harness.ask(connection, "WRITE", { path: `/d/${name}`, value: "" }, txId);
  return txId;
}

const end = (connection: Connection, txId: number) =>
  harness.send(connection, "TRANSACTION_END", { commit: true }, txId);

describe("Core.takeContention", () => {
  test("names who failed, whose transaction was before it, and the path, once", () => {
    const [losing, winning] = [open(loser, "a"), open(winner, "b")];
    end(winner, winning);
    expect(harness.core.takeContention()).toBeUndefined();
    end(loser, losing);
    expect(harness.core.takeContention()).toEqual({
      connection: loser,
      culprit: winner,
      path: "/d",
    } satisfies Contention);
    expect(harness.core.takeContention()).toBeUndefined();
  });

  test.each(["wrote outside a transaction", "is gone"])("names no culprit that %s", (what) => {
    const losing = open(loser, "a");
    if (what === "is gone") {
      harness.ask(winner, "TRANSACTION_END", { commit: true }, open(winner, "b"));
      harness.disconnect(winner);
    } else {
      harness.ask(winner, "WRITE", { path: "/d/b", value: "" });
    }
    end(loser, losing);
    expect(harness.core.takeContention()).toMatchObject({ connection: loser, culprit: undefined });
  });

  test("tells nothing of an earlier tick", () => {
    const [losing, winning] = [open(loser, "a"), open(winner, "b")];
    end(winner, winning);
    end(loser, losing);
    harness.endTick();
    expect(harness.core.takeContention()).toBeUndefined();
  });
});

describe("isAbout", () => {
  /** Runs what `ask` asks in a transaction and commits it; whether that has to do with /d. */
  function concerns(ask: (txId: number) => void): boolean {
    const txId = harness.startTransaction(loser);
    ask(txId);
    const transaction = [...loser.transactions.values()].at(-1);
    end(loser, txId);
    const [commit] = harness.endTick().commits;
    if (transaction === undefined) throw new Error("no transaction");
    return isAbout("/d", transaction, commit);
  }

  const write = (path: string) =>
    concerns((txId) => {
      harness.ask(loser, "WRITE", { path, value: "" }, txId);
    });

  test("holds where the transaction asked about the path", () => {
    expect(concerns((txId) => harness.ask(loser, "DIRECTORY", { path: "/d" }, txId))).toBe(true);
    expect(concerns((txId) => harness.ask(loser, "DIRECTORY", { path: "/" }, txId))).toBe(false);
  });

  test("holds where its commit made or removed a child, or the node itself, and not further below or beside", () => {
    expect(write("/d/x/y/z"), "x came").toBe(true);
    expect(write("/d/x/y/z")).toBe(false);
    expect(write("/dd")).toBe(false);
    expect(concerns((txId) => harness.ask(loser, "RM", { path: "/d/x" }, txId))).toBe(true);
    expect(concerns((txId) => harness.ask(loser, "RM", { path: "/d" }, txId))).toBe(true);
  });
});
