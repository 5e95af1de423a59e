/**
 * A transport to a core in memory: a whole store without sockets, files or a process; and with a socket, for programs.
 */
import { createServer, type Server } from "node:net";
import type { Domid, Microseconds, Seq } from "../../../../protocol/identifiers.js";
import { MessageParser } from "../../../../protocol/parser.js";
import { Core } from "../../../../daemon/dispatch/core.js";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { emptyRoot } from "../../../../daemon/store/root.js";
import type { Transport } from "../../../../clients/xenstore/transport.js";
import { memoryTransport, type ServerEnd, type ServerEndHandler } from "../../../support/memory-transport.js";

/** A store in memory. */
export interface MemoryStore {
  /** The way to it, as a domain; dom0 unless told. */
  transport(domid?: number): Transport;
  /** Serves it on a Unix socket until the returned server is closed. */
  listen(path: string): Promise<Server>;
  /** Ends all connections. */
  drop(): void;
}

/** An empty store. */
export function memoryStore(): MemoryStore {
  const core = new Core(emptyRoot(), 0 as Seq, {
    log: () => {},
    describeHistory: () => "history\n",
    describeMemory: () => "memory\n",
    setAccessLog: () => {},
  });
  const ends = new Map<Connection, ServerEnd>();
  const transport = (domid = 0): Transport => memoryTransport({ accept: (end) => accept(end, domid as Domid) });
  const tick = (act: () => void): void => {
    core.beginTick(1_000_000_000_000_000 as Microseconds);
    act();
    for (const connection of core.endTick().dirty) ends.get(connection)?.send(connection.outbox.takeTick());
  };
  const accept = (end: ServerEnd, domid: Domid): ServerEndHandler => {
    const connection = core.connect(domid);
    const parser = new MessageParser();
    ends.set(connection, end);
    return {
      received: (chunk) => {
        parser.push(chunk);
        tick(() => {
          for (let message = parser.next(); message !== undefined; message = parser.next()) {
            core.dispatch(connection, message);
          }
        });
      },
      closed: () => {
        ends.delete(connection);
        core.disconnect(connection);
      },
    };
  };
  return {
    transport,
    listen: async (path) => {
      const server = createServer((socket) => {
        const handler = accept(
          { send: (bytes) => socket.write(bytes, "latin1"), close: () => socket.destroy() },
          0 as Domid,
        );
        socket.setEncoding("latin1").on("data", (chunk: string | Buffer) => {
          handler.received(chunk as string);
        });
        // A client that is killed resets the connection; "close" follows.
        socket.on("error", () => {});
        socket.on("close", () => {
          handler.closed();
        });
      });
      await new Promise<void>((resolve) => server.listen(path, resolve));
      return server;
    },
    drop: () => {
      for (const end of ends.values()) end.close();
    },
  };
}
