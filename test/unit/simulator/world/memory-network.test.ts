import { describe, expect, test } from "vitest";
import type { Stream } from "../../../../daemon/platform/listener.js";
import { MemoryNetwork } from "../../../../simulator/world/memory-network.js";
import { createRandom } from "../../../../simulator/world/random.js";
import { Scheduler } from "../../../../simulator/world/scheduler.js";

interface Ends {
  readonly scheduler: Scheduler;
  readonly stream: Stream;
  readonly send: (bytes: string) => void;
  readonly close: () => void;
  readonly tapped: string[];
  readonly toDaemon: string[];
  readonly toClient: string[];
}

/** One connection, and what comes out at its ends. */
async function connect(options: { readonly cutsChunks: boolean }): Promise<Ends> {
  const scheduler = new Scheduler(createRandom({ seed: 1 }));
  const network = new MemoryNetwork(scheduler, options.cutsChunks ? createRandom({ seed: 2 }) : undefined);
  const [tapped, toDaemon, toClient]: string[][] = [[], [], []];
  let stream: Stream | undefined;
  network.listen("/socket", (accepted) => {
    stream = accepted;
    return { data: (chunk) => toDaemon?.push(chunk), drain: () => {}, ended: () => {}, closed: () => {} };
  });
  const tap = {
    opened: () => tapped?.push("opened"),
    sent: (chunk: string) => tapped?.push(`sent ${chunk}`),
    received: (chunk: string) => tapped?.push(`received ${chunk}`),
    closed: () => tapped?.push("closed"),
  };
  const transport = network.transport("/socket", tap);
  const connection = await transport.open({ received: (chunk) => toClient?.push(chunk), closed: () => {} });
  if (stream === undefined || tapped === undefined || toDaemon === undefined || toClient === undefined) {
    throw new Error("not accepted");
  }
  const send = (bytes: string): void => connection.send(bytes);
  return { scheduler, stream, send, close: () => connection.close(), tapped, toDaemon, toClient };
}

describe("MemoryNetwork", () => {
  test("tells a tap what reaches an end, from the opening to the closing and not behind it", async () => {
    const { scheduler, stream, send, close, tapped } = await connect({ cutsChunks: false });
    send("ask");
    await scheduler.runUntilQuiet();
    stream.write("answer");
    await scheduler.runUntilQuiet();
    stream.write("too late");
    close();
    await scheduler.runUntilQuiet();
    expect(tapped).toEqual(["opened", "sent ask", "received answer", "closed"]);
  });

  test("cuts what is sent at random places, in both directions, and loses nothing", async () => {
    const { scheduler, stream, send, toDaemon, toClient } = await connect({ cutsChunks: true });
    const text = "abcdefgh".repeat(4);
    for (let times = 0; times < 20; times++) {
      send(text);
      stream.write(text);
    }
    await scheduler.runUntilQuiet();
    for (const chunks of [toDaemon, toClient]) {
      expect(chunks.join("")).toBe(text.repeat(20));
      expect(new Set(chunks.map(({ length }) => length)).size).toBeGreaterThan(10);
      expect(chunks).not.toContain("");
    }
  });
});
