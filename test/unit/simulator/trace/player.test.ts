import { describe, expect, test } from "vitest";
import type { OperationName } from "../../../../protocol/operation.js";
import { parseTrace } from "../../../../simulator/trace/parser.js";
import {
  TRANSACTION_ATTEMPTS_MAX,
  TracePlayer,
  type ArrivedEvent,
  type Connect,
  type Reply,
} from "../../../../simulator/trace/player.js";
import type { Phase } from "../../../../simulator/trace/trace.js";

const HEAD = "trace 1\nactor xl dom0\nactor hotplug dom0 each\nactor guest dom5\nphase boot it boots\n";

function phaseOf(...lines: string[]): Phase {
  const [phase] = parseTrace(HEAD + lines.join("\n"), "test.trace").phases;
  if (phase === undefined) throw new Error("no phase");
  return phase;
}

interface FakeRequest {
  readonly connection: number;
  readonly operation: OperationName;
  readonly txId: number;
  readonly payload: string;
}

/** A daemon that answers what `answer` says, OK without it, and gives each START the next transaction id. */
function fakeDaemon(answer: (request: FakeRequest, tell: (event: ArrivedEvent) => void) => Reply | Error | undefined) {
  const requests: FakeRequest[] = [];
  const domids: number[] = [];
  const closed: number[] = [];
  let transactions = 0;
  const connect: Connect = async (domid, onEvent) => {
    const connection = domids.push(domid);
    return {
      request: async (operation, txId, payload) => {
        const request = { connection, operation, txId, payload };
        requests.push(request);
        const reply = answer(request, onEvent);
        if (reply instanceof Error) throw reply;
        if (reply !== undefined) return reply;
        return { payload: operation === "TRANSACTION_START" ? `${String(++transactions)}\0` : "OK\0" };
      },
      close: () => closed.push(connection),
    };
  };
  return { connect, requests, domids, closed };
}

const playerOn = (connect: Connect, eventMillisecondsMax = 10_000) =>
  new TracePlayer({ connect, eventMillisecondsMax });

describe("TracePlayer", () => {
  test("sends the requests in order, with the transaction of their actor, and counts them", async () => {
    const daemon = fakeDaemon(() => undefined);
    const player = playerOn(daemon.connect);
    await player.play(
      phaseOf(
        "xl . TRANSACTION_START",
        "xl T RM /a",
        "guest . TRANSACTION_START",
        "xl . GET_DOMAIN_PATH 5",
        'guest T WRITE b "1"',
        "xl . TRANSACTION_END T",
        "guest . TRANSACTION_END F",
      ),
    );
    expect(daemon.requests.map(({ operation, txId }) => [operation, txId])).toEqual([
      ["TRANSACTION_START", 0],
      ["RM", 1],
      ["TRANSACTION_START", 0],
      ["GET_DOMAIN_PATH", 0],
      ["WRITE", 2],
      ["TRANSACTION_END", 1],
      ["TRANSACTION_END", 2],
    ]);
    expect(daemon.domids).toEqual([0, 5]);
    expect(player.tally()).toEqual({
      requests: 7,
      transactions: 2,
      repeats: 0,
      errors: 0,
      connections: 2,
      events: 0,
      differences: [],
      missing: [],
      additional: [],
    });
  });

  test("connects anew for each request of an actor that keeps no connection, and closes it", async () => {
    const daemon = fakeDaemon(() => undefined);
    const player = playerOn(daemon.connect);
    await player.play(phaseOf("hotplug . READ /a", "hotplug . READ /b", "xl . READ /c"));
    expect(daemon.requests.map(({ connection }) => connection)).toEqual([1, 2, 3]);
    expect(daemon.closed).toEqual([1, 2]);
    player.close();
    expect(daemon.closed).toEqual([1, 2, 3]);
    expect(player.tally().connections).toBe(3);
  });

  test("tells an error that is due from one that is not, and from one that does not come", async () => {
    const daemon = fakeDaemon(({ payload }) => (payload.startsWith("/missing") ? { error: "ENOENT" } : undefined));
    const player = playerOn(daemon.connect);
    await player.play(
      phaseOf(
        "xl . READ /missing/a ! ENOENT",
        "xl . READ /missing/b",
        "xl . READ /c ! ENOENT",
        "xl . READ /missing/d ! EACCES",
      ),
    );
    const { errors, differences } = player.tally();
    expect(errors).toBe(1);
    expect(differences.map(({ step, got }) => [step.line, step.error, got])).toEqual([
      [7, undefined, "ENOENT"],
      [8, "ENOENT", undefined],
      [9, "EACCES", "ENOENT"],
    ]);
  });

  test("repeats a transaction that ends in EAGAIN from its START on (invariant 2)", async () => {
    let refusals = 2;
    const daemon = fakeDaemon(({ operation }) =>
      operation === "TRANSACTION_END" && refusals-- > 0 ? { error: "EAGAIN" } : undefined,
    );
    const player = playerOn(daemon.connect);
    await player.play(
      phaseOf(
        "xl . TRANSACTION_START",
        "xl T READ /a",
        "xl . READ /outside",
        'xl T WRITE /a "1"',
        "xl . TRANSACTION_END T",
      ),
    );
    const sent = daemon.requests.map(({ operation, txId }) => `${operation} ${String(txId)}`);
    expect(sent).toEqual([
      ...["TRANSACTION_START 0", "READ 1", "READ 0", "WRITE 1", "TRANSACTION_END 1"],
      ...["TRANSACTION_START 0", "READ 2", "WRITE 2", "TRANSACTION_END 2"],
      ...["TRANSACTION_START 0", "READ 3", "WRITE 3", "TRANSACTION_END 3"],
    ]);
    expect(player.tally()).toMatchObject({ requests: 13, transactions: 1, repeats: 2, differences: [] });
  });

  test("gives a transaction up after the last attempt, as a difference", async () => {
    const daemon = fakeDaemon(({ operation }) => (operation === "TRANSACTION_END" ? { error: "EAGAIN" } : undefined));
    const player = playerOn(daemon.connect);
    await player.play(phaseOf("xl . TRANSACTION_START", "xl . TRANSACTION_END T"));
    const { repeats, differences } = player.tally();
    expect(repeats).toBe(TRANSACTION_ATTEMPTS_MAX - 1);
    expect(differences.map(({ got }) => got)).toEqual(["EAGAIN"]);
  });

  test("waits for an event that is due, and takes those of one actor in any order (invariant 1)", async () => {
    const daemon = fakeDaemon(({ operation }, tell) => {
      if (operation !== "WATCH") return undefined;
      tell({ path: "second", token: "t" });
      setImmediate(() => {
        tell({ path: "first", token: "t" });
      });
      return undefined;
    });
    const player = playerOn(daemon.connect);
    await player.play(phaseOf("guest . WATCH x t", "guest < first t", "guest < second t"));
    expect(player.tally()).toMatchObject({ events: 2, missing: [], additional: [] });
  });

  test("reports events that are missing, after a bounded wait, and events that are additional", async () => {
    const daemon = fakeDaemon(({ operation }, tell) => {
      if (operation === "WATCH") for (let count = 0; count < 3; count++) tell({ path: "came", token: "t" });
      return undefined;
    });
    const player = playerOn(daemon.connect, 1);
    await player.play(phaseOf("guest . WATCH x t", "guest < came t", "guest < came other", "xl < never t"));
    const { events, missing, additional } = player.tally();
    expect(events).toBe(1);
    expect(missing.map(({ line, path, token }) => [line, path, token])).toEqual([
      [8, "came", "other"],
      [9, "never", "t"],
    ]);
    expect(additional.map(({ actor, path, count }) => [actor.name, path, count])).toEqual([["guest", "came", 2]]);
  });

  test("finish sees what arrives before one more reply, and minds no connection that has ended", async () => {
    const daemon = fakeDaemon(({ connection, operation }, tell) => {
      if (operation !== "GET_DOMAIN_PATH") return undefined;
      if (connection === 1) return new Error("the connection was lost");
      tell({ path: "late", token: "t" });
      return undefined;
    });
    const player = playerOn(daemon.connect);
    await player.play(phaseOf("guest . READ a", "xl . READ /a"));
    await player.finish();
    const { additional, requests } = player.tally();
    expect(additional.map(({ actor, path }) => [actor.name, path])).toEqual([["xl", "late"]]);
    expect(requests).toBe(2);
  });

  test("ends with phase, line and actor when a connection ends (invariant 3)", async () => {
    const daemon = fakeDaemon(({ payload }) => (payload === "/b\0" ? new Error("the daemon closed it") : undefined));
    const player = playerOn(daemon.connect);
    await expect(player.play(phaseOf("xl . READ /a", "xl . READ /b"))).rejects.toThrow(
      "phase boot, line 7 of the trace (xl): the daemon closed it",
    );
  });

  test("ends when a transaction cannot be opened", async () => {
    const daemon = fakeDaemon(() => ({ error: "ENOSPC" }));
    await expect(
      playerOn(daemon.connect).play(phaseOf("xl . TRANSACTION_START", "xl . TRANSACTION_END T")),
    ).rejects.toThrow("no transaction was opened: ENOSPC");
  });

  test("calls onStep after each step", async () => {
    const daemon = fakeDaemon(({ operation }, tell) => {
      if (operation === "WATCH") tell({ path: "x", token: "t" });
      return undefined;
    });
    let steps = 0;
    const player = new TracePlayer({ connect: daemon.connect, eventMillisecondsMax: 10_000, onStep: () => steps++ });
    await player.play(phaseOf("guest . WATCH x t", "guest < x t"));
    expect(steps).toBe(2);
  });
});
