import { describe, expect, test } from "vitest";
import type { Transport } from "../../../../clients/xenstore/transport.js";
import { connectXenstore, type XenstoreClient } from "../../../../clients/xenstore/client.js";
import { ConnectionLostError, isXenstoreError } from "../../../../clients/xenstore/errors.js";
import { OK_ANSWER, scriptedServer, type Answer, type SeenRequest } from "../../../support/memory-transport.js";
import { immediatePacing } from "./immediate-pacing.js";

/** A script that numbers transactions from 1 and ends each with what `end` says. */
function transactions(end: (count: number) => Answer, rest: (request: SeenRequest) => Answer = () => OK_ANSWER) {
  let started = 0;
  let committed = 0;
  return (request: SeenRequest): Answer => {
    if (request.operation === "TRANSACTION_START") return { payload: `${String(++started)}\0` };
    if (request.operation === "TRANSACTION_END") return request.payload === "T\0" ? end(++committed) : OK_ANSWER;
    return rest(request);
  };
}

const again = { error: "EAGAIN" } as const;

async function connect(transport: Transport, pacing = immediatePacing()): Promise<XenstoreClient> {
  return connectXenstore(transport, { reconnect: false, pacing });
}

const summary = (requests: readonly SeenRequest[]): string[] =>
  requests.map(({ operation, txId, strings }) => `${operation} ${String(txId)} ${strings.join(" ")}`.trimEnd());

describe("XenstoreClient.transaction", () => {
  test("runs the body inside, commits, and resolves to what it returned", async () => {
    const server = scriptedServer(transactions(() => OK_ANSWER));
    const client = await connect(server.transport);
    const result = await client.transaction(async (transaction) => {
      await transaction.write("/a", "1");
      return transaction.id;
    });
    expect(result).toBe(1);
    expect(summary(server.requests)).toEqual(["TRANSACTION_START 0", "WRITE 1 /a 1", "TRANSACTION_END 1 T"]);
  });

  test("runs the body again after EAGAIN, with delays that double (transaction invariant 3)", async () => {
    const server = scriptedServer(transactions((count) => (count < 5 ? again : OK_ANSWER)));
    const pacing = immediatePacing(0.5);
    const client = await connect(server.transport, pacing);
    let runs = 0;
    const result = await client.transaction(async (transaction) => {
      await transaction.read("/a");
      return ++runs;
    });
    expect(result).toBe(5);
    expect(pacing.delays).toEqual([0.5, 1, 2, 4]);
    expect(summary(server.requests).filter((line) => line.startsWith("READ"))).toEqual(
      [1, 2, 3, 4, 5].map((id) => `READ ${String(id)} /a`),
    );
  });

  test("gives up after attemptsMax and says how often it tried", async () => {
    const server = scriptedServer(transactions(() => again));
    const client = await connect(server.transport);
    const attempt = client.transaction(() => undefined, { attemptsMax: 3 });
    await expect(attempt).rejects.toThrow("TRANSACTION_END: given up after 3 attempts");
    await expect(attempt).rejects.toSatisfy((error) => isXenstoreError(error, "EAGAIN"));
    expect(summary(server.requests).filter((line) => line.startsWith("TRANSACTION_START"))).toHaveLength(3);
  });

  test("ends with F when the body throws, and passes its error on (transaction invariant 2)", async () => {
    const server = scriptedServer(transactions(() => OK_ANSWER));
    const client = await connect(server.transport);
    const error = new Error("mine");
    const failing = client.transaction(async (transaction) => {
      await transaction.write("/a", "1");
      throw error;
    });
    await expect(failing).rejects.toBe(error);
    expect(summary(server.requests).at(-1)).toBe("TRANSACTION_END 1 F");
  });

  test("another error of the end is not tried again", async () => {
    const server = scriptedServer(transactions(() => ({ error: "ENOSPC" })));
    const client = await connect(server.transport);
    await expect(client.transaction(() => undefined)).rejects.toThrow("ENOSPC");
    expect(server.requests).toHaveLength(2);
  });

  test("an EAGAIN inside the body is the body's", async () => {
    const server = scriptedServer(
      transactions(
        () => OK_ANSWER,
        () => again,
      ),
    );
    const client = await connect(server.transport);
    await expect(client.transaction((transaction) => transaction.read("/a"))).rejects.toThrow("READ /a");
    expect(summary(server.requests).at(-1)).toBe("TRANSACTION_END 1 F");
  });

  test("an aborted signal ends it with F between two requests (transaction invariant 2)", async () => {
    const server = scriptedServer(transactions(() => OK_ANSWER));
    const client = await connect(server.transport);
    const controller = new AbortController();
    const reason = new Error("stop");
    const stopped = client.transaction(
      async (transaction) => {
        await transaction.write("/a", "1");
        controller.abort(reason);
        await transaction.write("/b", "1");
      },
      { signal: controller.signal },
    );
    await expect(stopped).rejects.toBe(reason);
    expect(summary(server.requests)).toEqual(["TRANSACTION_START 0", "WRITE 1 /a 1", "TRANSACTION_END 1 F"]);
  });

  test("an aborted signal ends the waiting between attempts", async () => {
    const controller = new AbortController();
    const server = scriptedServer(
      transactions(() => {
        controller.abort(new Error("stop"));
        return again;
      }),
    );
    const client = await connect(server.transport);
    await expect(client.transaction(() => undefined, { signal: controller.signal })).rejects.toThrow("stop");
    expect(server.requests).toHaveLength(2);
  });

  test("with a signal aborted before it sends nothing", async () => {
    const server = scriptedServer(transactions(() => OK_ANSWER));
    const client = await connect(server.transport);
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(client.transaction(() => undefined, { signal })).rejects.toThrow("stop");
    expect(server.requests).toEqual([]);
  });

  test("fails when its connection is lost, and is not tried on the next (transaction invariant 1)", async () => {
    const server = scriptedServer(
      transactions(
        () => OK_ANSWER,
        () => "later",
      ),
    );
    const client = await connectXenstore(server.transport, { pacing: immediatePacing() });
    let runs = 0;
    const lost = client.transaction(async (transaction) => {
      runs++;
      await transaction.write("/a", "1").catch(() => undefined);
      await transaction.write("/b", "1");
    });
    await server.arrived("WRITE");
    server.drop();
    await expect(lost).rejects.toBeInstanceOf(ConnectionLostError);
    expect(runs).toBe(1);
    await client.transaction(() => undefined);
    expect(server.requests.filter(({ strings }) => strings[0] === "/b")).toEqual([]);
    expect(server.connections).toBe(2);
    client.close();
  });

  test("its requests fail once it is over", async () => {
    const server = scriptedServer(transactions(() => OK_ANSWER));
    const client = await connect(server.transport);
    const leaked = await client.transaction((transaction) => transaction);
    await expect(leaked.read("/a")).rejects.toThrow("READ /a: the transaction is over (ENOENT)");
    expect(server.requests).toHaveLength(2);
  });

  test.each(["0\0", "x\0", "", "4294967296\0"])("a transaction id of %j is refused", async (payload) => {
    const server = scriptedServer(() => ({ payload }));
    const client = await connect(server.transport);
    await expect(client.transaction(() => undefined)).rejects.toThrow(/transaction|TRANSACTION_START/);
  });
});

describe("OpenTransaction", () => {
  test("is ended by its owner, once", async () => {
    const server = scriptedServer(transactions(() => OK_ANSWER));
    const client = await connect(server.transport);
    const first = await client.startTransaction();
    const second = await client.startTransaction();
    await second.write("/b", "2");
    await first.abort();
    await second.commit();
    await expect(second.abort()).rejects.toThrow("TRANSACTION_END: the transaction is over (ENOENT)");
    expect(summary(server.requests).slice(2)).toEqual(["WRITE 2 /b 2", "TRANSACTION_END 1 F", "TRANSACTION_END 2 T"]);
  });
});
