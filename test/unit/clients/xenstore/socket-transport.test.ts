import { createServer, type Server, type Socket } from "node:net";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { machinePacing } from "../../../../clients/xenstore/backoff.js";
import { ConnectError } from "../../../../clients/xenstore/errors.js";
import { socketTransport } from "../../../../clients/xenstore/socket-transport.js";
import type { TransportHandler } from "../../../../clients/xenstore/transport.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import { immediatePacing } from "./immediate-pacing.js";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(path: string, accept: (socket: Socket) => void): Promise<Server> {
  const server = createServer(accept);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

const silent: TransportHandler = { received: () => {}, closed: () => {} };

function collector(): { handler: TransportHandler; text: () => string; closed: Promise<Error | undefined> } {
  let text = "";
  let settle: (error: Error | undefined) => void = () => {};
  const closed = new Promise<Error | undefined>((resolve) => (settle = resolve));
  return {
    handler: {
      received: (chunk) => (text += chunk),
      closed: (error) => {
        settle(error);
      },
    },
    text: () => text,
    closed,
  };
}

describe("socketTransport", () => {
  test("carries every byte both ways", async () => {
    const path = join(temporaryDirectory(), "socket");
    await serve(path, (socket) => {
      socket.on("data", (chunk) => socket.end(Buffer.from(chunk as Buffer).reverse()));
    });
    const { handler, text, closed } = collector();
    const connection = await socketTransport(path).open(handler);
    const bytes = String.fromCharCode(...Array(256).keys());
    connection.send(bytes);
    expect(await closed).toBeUndefined();
    expect(text()).toBe(String.fromCharCode(...[...Array(256).keys()].reverse()));
    connection.send("dropped");
  });

  test("tells of its own close", async () => {
    const path = join(temporaryDirectory(), "socket");
    await serve(path, () => {});
    const { handler, closed } = collector();
    (await socketTransport(path).open(handler)).close();
    expect(await closed).toBeUndefined();
  });

  test("says that there is no socket, at once", async () => {
    const path = join(temporaryDirectory(), "none");
    const pacing = immediatePacing();
    const opening = socketTransport(path, pacing).open(silent);
    await expect(opening).rejects.toThrow(
      `cannot connect to ${path}: there is no such socket; is the daemon running, and is this the right path? (ENOENT)`,
    );
    await expect(opening).rejects.toBeInstanceOf(ConnectError);
    expect(pacing.delays).toEqual([]);
  });

  test("says that a file is no socket that anybody serves", async () => {
    const path = join(temporaryDirectory(), "file");
    writeFileSync(path, "");
    await expect(socketTransport(path, immediatePacing()).open(silent)).rejects.toThrow(path);
  });

  test("tries a socket that nobody serves a few times", async () => {
    const path = join(temporaryDirectory(), "file");
    writeFileSync(path, "");
    const pacing = immediatePacing(1);
    await expect(socketTransport(path, pacing).open(silent)).rejects.toThrow(
      `cannot connect to ${path}: nobody listens there; the daemon that did is gone, or not ready yet (ECONNREFUSED, 6 attempts)`,
    );
    expect(pacing.delays).toEqual([5, 10, 20, 40, 80]);
  });

  test("connects when the daemon starts to listen between two attempts", async () => {
    const path = join(temporaryDirectory(), "file");
    writeFileSync(path, "");
    const connection = await socketTransport(path, {
      random: () => 1,
      delay: async () => {
        rmSync(path);
        await serve(path, () => {});
      },
    }).open(silent);
    connection.close();
  });

  test("many clients that connect at once all get in, though the queue is short", async () => {
    const path = join(temporaryDirectory(), "socket");
    let accepted = 0;
    const server = createServer((socket) => {
      accepted++;
      socket.on("error", () => {});
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen({ path, backlog: 4 }, resolve));
    let delays = 0;
    const transport = socketTransport(path, {
      ...machinePacing,
      delay: (milliseconds) => {
        delays++;
        return machinePacing.delay(milliseconds);
      },
    });
    const connections = await Promise.all(Array.from({ length: 200 }, () => transport.open(silent)));
    for (const connection of connections) connection.close();
    expect(connections).toHaveLength(200);
    await expect.poll(() => accepted).toBe(200);
    expect(delays).toBeGreaterThan(0);
  });

  test("refuses a path that a socket address cannot hold", async () => {
    const path = `/tmp/${"x".repeat(103)}`;
    await expect(socketTransport(path).open(silent)).rejects.toThrow(
      "the path has 108 bytes, and a Unix socket address holds 107",
    );
  });

  test("tells why a connection broke", async () => {
    const path = join(temporaryDirectory(), "socket");
    const accepted: Socket[] = [];
    const server = createServer({ pauseOnConnect: true }, (socket) => accepted.push(socket));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const { handler, closed } = collector();
    const connection = await socketTransport(path).open(handler);
    await expect.poll(() => accepted.length).toBe(1);
    connection.send("never read");
    accepted[0]?.destroy();
    expect(await closed).toMatchObject({ code: "ECONNRESET" });
  });
});
