/**
 * The player's connections, through the sockets of a daemon.
 *
 * Owns which socket an actor connects to: that of its domain, because what connects there is that domain. Uses the client
 * library's sessions rather than its client, which would reconnect, repeat and pipeline on its own account: a trace says what
 * is sent.
 */
import { join } from "node:path";
import { isErrorName } from "../../protocol/errno.js";
import { isXenstoreError } from "../../clients/xenstore/errors.js";
import { openSession } from "../../clients/xenstore/session.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import type { Connect, PlayerConnection, Reply } from "./player.js";

/** Connects to the daemon whose sockets are in `runDirectory`. */
export function connectThrough(runDirectory: string): Connect {
  return async (domid, onEvent): Promise<PlayerConnection> => {
    const socket = join(runDirectory, domid === 0 ? "socket" : `domains/${String(domid)}`);
    const session = await openSession(socketTransport(socket), {
      event: (path, token) => {
        onEvent({ path, token });
      },
      // The next request says so; a connection that is not used any more may end.
      ended: () => undefined,
    });
    return {
      request: async (operation, txId, payload): Promise<Reply> => {
        try {
          const [subject = ""] = payload.split("\0");
          return { payload: await session.request({ operation, txId, payload, subject }) };
        } catch (error) {
          if (isXenstoreError(error) && isErrorName(error.code)) return { error: error.code };
          throw error;
        }
      },
      close: () => {
        session.end(new Error("the player is done"));
      },
    };
  };
}
