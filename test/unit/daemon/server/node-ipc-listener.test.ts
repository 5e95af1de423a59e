/**
 * The listener over node-ipc, on real sockets.
 */
import { existsSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ListeningSocket, Stream, StreamHandler } from "../../../../daemon/platform/listener.js";
import { nodeIpcListener } from "../../../../daemon/server/node-ipc-listener.js";
import { withTemporaryDirectory } from "../../../support/temporary-directory.js";

const BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");

/** Listens in a temporary directory, and closes at the end. */
async function withListener(
  accept: (stream: Stream) => Partial<StreamHandler>,
  use: (path: string, socket: ListeningSocket) => Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const path = join(directory, "socket");
    const ignore = { data: () => {}, drain: () => {}, ended: () => {}, closed: () => {} };
    const socket = nodeIpcListener(() => undefined).listen(path, (stream) => ({ ...ignore, ...accept(stream) }));
    try {
      await socket.listening;
      await use(path, socket);
    } finally {
      socket.close();
    }
  });
}

/** Connects; resolves when the peer has closed, with all that it sent. */
function client(path: string): { readonly socket: Socket; readonly received: Promise<string> } {
  const socket = createConnection({ path, allowHalfOpen: true });
  socket.setEncoding("latin1");
  let text = "";
  socket.on("data", (chunk: string) => {
    text += chunk;
  });
  const received = new Promise<string>((resolve) => {
    for (const event of ["end", "error", "close"]) socket.once(event, () => resolve(text));
  });
  return { socket, received };
}

describe("nodeIpcListener", () => {
  test("carries every byte in both directions, and answers a client that has closed its sending side", async () => {
    let got = "";
    await withListener(
      (stream) => ({
        data: (chunk) => {
          got += chunk;
          stream.write(chunk);
        },
        ended: () => {
          stream.finish();
        },
      }),
      async (path) => {
        const { socket, received } = client(path);
        socket.end(BYTES, "latin1");
        expect(await received).toBe(BYTES);
        expect(got).toBe(BYTES);
        socket.destroy();
      },
    );
  });

  test("says when the kernel takes no more, how much waits, and when it has gone", async () => {
    const output = "x".repeat(8 * 1024 * 1024);
    const seen: { took: boolean; pending: number; drained: number } = { took: true, pending: 0, drained: -1 };
    await withListener(
      (stream) => ({
        data: () => {
          seen.took = stream.write(output);
          seen.pending = stream.pendingBytes();
        },
        drain: () => {
          seen.drained = stream.pendingBytes();
          stream.finish();
        },
      }),
      async (path) => {
        const { socket, received } = client(path);
        socket.pause();
        socket.write("go");
        await new Promise((resolve) => socket.once("readable", resolve));
        expect(seen.took).toBe(false);
        expect(seen.pending).toBeGreaterThan(1024 * 1024);
        expect(seen.drained).toBe(-1);
        socket.resume();
        expect(await received).toHaveLength(output.length);
        expect(seen.drained).toBe(0);
        socket.destroy();
      },
    );
  });

  test("tells once that a peer is gone, and after a close of our own", async () => {
    let closings = 0;
    let told: (() => void) | undefined;
    const gone = async () => new Promise<void>((resolve) => (told = resolve));
    await withListener(
      (stream) => ({
        data: () => {
          stream.close();
        },
        // A peer that is gone looks like one that sends no more, until something is written or finished.
        ended: () => {
          stream.finish();
        },
        closed: () => {
          closings++;
          told?.();
        },
      }),
      async (path) => {
        const first = client(path);
        const firstGone = gone();
        first.socket.write("close me");
        await firstGone;
        expect(closings).toBe(1);
        await first.received;
        const second = client(path);
        const secondGone = gone();
        second.socket.once("connect", () => second.socket.destroy());
        await secondGone;
        expect(closings).toBe(2);
      },
    );
  });

  test("close ends every connection and removes the socket file before it returns", async () => {
    let accepted: (() => void) | undefined;
    const connected = new Promise<void>((resolve) => (accepted = resolve));
    await withListener(
      () => {
        accepted?.();
        return {};
      },
      async (path, socket) => {
        const { received } = client(path);
        await connected;
        socket.close();
        expect(existsSync(path)).toBe(false);
        expect(await received).toBe("");
      },
    );
  });

  test("throws for a path that is too long, and rejects one that cannot be bound", async () => {
    const listener = nodeIpcListener(() => undefined);
    const accept = () => ({ data: () => {}, drain: () => {}, ended: () => {}, closed: () => {} });
    expect(() => listener.listen(`/${"a".repeat(107)}`, accept)).toThrow(/108 bytes/);
    await withTemporaryDirectory(async (directory) => {
      const path = join(directory, "missing", "socket");
      await expect(listener.listen(path, accept).listening).rejects.toThrow(path);
    });
  });
});
