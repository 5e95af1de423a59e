import { describe, expect, test } from "vitest";
import { connectXenstore } from "../../../../clients/xenstore/client.js";
import { serializeHeader } from "../../../../protocol/message.js";
import { TrafficMeter } from "../../../../simulator/storm/traffic-meter.js";
import {
  memoryTransport,
  OK_ANSWER,
  scriptedServer,
  type Answer,
  type SeenRequest,
} from "../../../support/memory-transport.js";

const NOTHING = { connections: 0, requests: 0, transactions: 0, errors: 0, conflicts: 0, events: 0 };
const ignore = { received: () => undefined, closed: () => undefined };

/** A script whose first END answers EAGAIN, and which knows one node. */
function daemon(): (request: SeenRequest) => Answer {
  let ends = 0;
  return ({ operation, payload, strings: [path] }) => {
    if (operation === "TRANSACTION_START") return { payload: "1\0" };
    if (operation === "TRANSACTION_END" && payload === "T\0" && ++ends === 1) return { error: "EAGAIN" };
    if (operation === "READ") return path === "/there" ? { payload: "value" } : { error: "ENOENT" };
    return OK_ANSWER;
  };
}

describe("TrafficMeter", () => {
  test.each([1, 7, Infinity])("counts whole messages, whatever the chunks: of %d bytes", async (chunkBytes) => {
    const server = scriptedServer(daemon(), chunkBytes);
    const meter = new TrafficMeter();
    const client = await connectXenstore(meter.through(server.transport), { reconnect: false });
    expect(meter.traffic()).toEqual({ ...NOTHING, connections: 1 });

    expect(await client.read("/there")).toBe("value");
    expect(meter.traffic()).toEqual({ ...NOTHING, connections: 1, requests: 1 });

    await expect(client.read("/missing")).rejects.toThrow("ENOENT");
    expect(meter.traffic()).toEqual({ ...NOTHING, connections: 1, requests: 2, errors: 1 });

    const watch = await client.watch("/a", { token: "t" });
    for (const path of ["/a", "/a/b"]) server.fire(path, "t");
    expect([(await watch.next())?.path, (await watch.next())?.path]).toEqual(["/a", "/a/b"]);
    expect(meter.traffic()).toMatchObject({ requests: 3, errors: 1, events: 2 });
    client.close();
  });

  test("counts the ends of transactions, those that are given up too, and EAGAIN apart", async () => {
    const meter = new TrafficMeter();
    const client = await connectXenstore(meter.through(scriptedServer(daemon()).transport), { reconnect: false });
    await client.transaction(async (transaction) => transaction.write("/a", "EAGAIN"));
    expect(meter.traffic()).toMatchObject({ requests: 6, transactions: 2, errors: 1, conflicts: 1 });
    const givenUp = client.transaction(() => Promise.reject(new Error("given up")));
    await expect(givenUp).rejects.toThrow("given up");
    expect(meter.traffic()).toMatchObject({ requests: 8, transactions: 3, errors: 1, conflicts: 1 });
    client.close();
  });

  test("adds up all its connections, and counts none that could not be opened", async () => {
    const server = scriptedServer(daemon());
    const meter = new TrafficMeter();
    const transport = meter.through(server.transport);
    for (let number = 1; number <= 3; number++) {
      const client = await connectXenstore(transport, { reconnect: false });
      await client.read("/there");
      client.close();
    }
    server.refuse = true;
    await expect(transport.open(ignore)).rejects.toThrow("connection refused");
    expect(meter.traffic()).toEqual({ ...NOTHING, connections: 3, requests: 3 });
    expect(transport.name).toBe(server.transport.name);
  });

  test("gives counts of a moment, which do not change afterwards", async () => {
    const meter = new TrafficMeter();
    const before = meter.traffic();
    await meter.through(scriptedServer(daemon()).transport).open(ignore);
    expect([before.connections, meter.traffic().connections]).toEqual([0, 1]);
  });

  test("lets everything through as it is, also what is no message, and the end with its reason", async () => {
    const sent: string[] = [];
    const received: string[] = [];
    const garbage = serializeHeader(0xffff_ffff, 1, 2, 0xffff_ffff) + "\0\xff";
    let isClosedByClient = false;
    const transport = memoryTransport({
      accept: (end) => ({
        received: (chunk) => {
          sent.push(chunk);
          end.send(garbage);
          end.close(new Error("cannot frame it"));
        },
        closed: () => {
          isClosedByClient = true;
        },
      }),
    });
    const closed = new Promise<Error | undefined>((resolve, reject) => {
      new TrafficMeter()
        .through(transport)
        .open({ received: (chunk) => received.push(chunk), closed: resolve })
        .then((connection) => {
          connection.send(garbage);
        }, reject);
    });
    expect((await closed)?.message).toBe("cannot frame it");
    expect([sent, received]).toEqual([[garbage], [garbage]]);

    isClosedByClient = false;
    const ended = new Promise<void>((resolve, reject) => {
      new TrafficMeter()
        .through(transport)
        .open({
          received: () => undefined,
          closed: () => {
            resolve();
          },
        })
        .then((connection) => {
          connection.close();
        }, reject);
    });
    await ended;
    expect(isClosedByClient).toBe(true);
  });
});
