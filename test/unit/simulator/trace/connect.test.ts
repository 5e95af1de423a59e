import { createServer, type Server, type Socket } from "node:net";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Domid } from "../../../../protocol/identifiers.js";
import { serializeError, serializeMessage, serializeWatchEvent, type Message } from "../../../../protocol/message.js";
import { MessageParser } from "../../../../protocol/parser.js";
import { connectThrough } from "../../../../simulator/trace/connect.js";
import { withTemporaryDirectory } from "../../../support/temporary-directory.js";

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** Listens at a path and hands each message to `answer`. */
async function serve(path: string, answer: (message: Message, socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    const parser = new MessageParser();
    socket.setEncoding("latin1").on("error", () => {});
    socket.on("data", (chunk) => {
      parser.push(String(chunk));
      for (let message = parser.next(); message !== undefined; message = parser.next()) answer(message, socket);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

const send = (socket: Socket, bytes: string): void => {
  socket.write(bytes, "latin1");
};

describe("connectThrough", () => {
  test("connects an actor to the socket of its domain, and gives payloads and errors as replies", async () => {
    await withTemporaryDirectory(async (directory) => {
      mkdirSync(join(directory, "domains"));
      await serve(join(directory, "socket"), (message, socket) => {
        send(socket, serializeMessage({ ...message, payload: `dom0 in ${String(message.txId)}` }));
      });
      await serve(join(directory, "domains", "5"), ({ requestId, txId }, socket) => {
        send(socket, serializeError(requestId, txId, "EACCES"));
      });
      const connect = connectThrough(directory);
      const dom0 = await connect(0 as Domid, () => undefined);
      const guest = await connect(5 as Domid, () => undefined);
      expect(await dom0.request("READ", 7, "/a\0")).toEqual({ payload: "dom0 in 7" });
      expect(await guest.request("READ", 0, "/a\0")).toEqual({ error: "EACCES" });
      dom0.close();
      guest.close();
    });
  });

  test("hands events on, before the reply that follows them", async () => {
    await withTemporaryDirectory(async (directory) => {
      await serve(join(directory, "socket"), (message, socket) => {
        send(socket, serializeWatchEvent("/a", "t") + serializeMessage({ ...message, payload: "OK\0" }));
      });
      const events: unknown[] = [];
      const connection = await connectThrough(directory)(0 as Domid, (event) => events.push(event));
      await connection.request("WRITE", 0, "/a\0x");
      expect(events).toEqual([{ path: "/a", token: "t" }]);
      connection.close();
    });
  });

  test("rejects a request whose connection ends before its reply, and a socket that is not there", async () => {
    await withTemporaryDirectory(async (directory) => {
      await serve(join(directory, "socket"), (_message, socket) => {
        socket.destroy();
      });
      const connect = connectThrough(directory);
      const connection = await connect(0 as Domid, () => undefined);
      await expect(connection.request("READ", 0, "/a\0")).rejects.toThrow("READ was not answered");
      await expect(connect(9 as Domid, () => undefined)).rejects.toThrow("domains/9");
    });
  });
});
