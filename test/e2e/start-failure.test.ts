/** A daemon that cannot start leaves nothing behind in the process that wanted it. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { assemble, type DaemonConfig, type DaemonPorts } from "../../daemon/daemon.js";
import type { Listener } from "../../daemon/platform/listener.js";
import { createLogger } from "../../daemon/platform/log.js";
import { createNodeClock } from "../../daemon/platform/node-clock.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { nodeTimers } from "../../daemon/platform/node-timers.js";
import { nodeIpcListener } from "../../daemon/server/node-ipc-listener.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";
import { connectClient } from "../support/wire-client.js";

function portsWith(listener: Listener): DaemonPorts {
  const clock = createNodeClock();
  const sink = { write: () => undefined, reopen: () => undefined, close: () => undefined };
  const logger = createLogger({ level: "error", sink, clock });
  return { fileSystem: nodeFileSystem, clock, timers: nodeTimers, listener, logger };
}

function configIn(directory: string): DaemonConfig {
  return {
    stateDirectory: join(directory, "state"),
    runDirectory: join(directory, "run"),
    durability: "process",
    sealMilliseconds: 100,
    journalBytesMax: 1 << 20,
    hostName: "host",
    trace: { file: join(directory, "trace.json"), bytesMax: 1 << 20, filesMax: 2 },
  };
}

/** Threads and sockets; files are not among them, and timers are the test runner's too. */
function resources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name !== "Timeout");
}

/** What is open besides, once all that was closed has had time to go. */
async function resourcesBeyond(before: readonly string[]): Promise<string[]> {
  let beyond: string[] = [];
  for (let turn = 0; turn < 100; turn++) {
    const left = [...before];
    beyond = resources().filter((name) => left.indexOf(name) < 0 || left.splice(left.indexOf(name), 1).length === 0);
    if (beyond.length === 0) break;
    await delay(20);
  }
  return beyond;
}

const listener = nodeIpcListener(() => undefined);
/** Binds the first socket, and has bad news of it. */
const failingListener: Listener = {
  listen: (path, accept) => {
    const socket = listener.listen(path, accept);
    const listening = socket.listening.then(() => Promise.reject(new Error("no more sockets")));
    return {
      ...socket,
      listening,
      close: () => {
        socket.close();
      },
    };
  },
};

describe("assemble", () => {
  it("closes what it has opened when its sockets cannot be had, and starts the next time", async () => {
    await withTemporaryDirectory(async (directory) => {
      const before = resources();
      await expect(assemble(portsWith(failingListener), configIn(directory))).rejects.toThrow("no more sockets");
      expect(await resourcesBeyond(before)).toEqual([]);
      const daemon = await assemble(portsWith(listener), configIn(directory));
      const client = await connectClient(daemon.socket);
      await client.must("WRITE", ["/a", "1"]);
      client.destroy();
      expect(await daemon.stop()).toEqual({ isComplete: true });
      expect(await resourcesBeyond(before)).toEqual([]);
    });
  });

  it("closes what it has opened when the journal is not readable", async () => {
    await withTemporaryDirectory(async (directory) => {
      const config = configIn(directory);
      const daemon = await assemble(portsWith(listener), config);
      await daemon.stop();
      const journal = join(config.stateDirectory, "journal");
      rmSync(journal, { recursive: true });
      writeFileSync(journal, "");
      const before = resources();
      await expect(assemble(portsWith(listener), config)).rejects.toThrow(/journal/);
      expect(await resourcesBeyond(before)).toEqual([]);
      rmSync(journal);
      mkdirSync(journal);
      await (await assemble(portsWith(listener), config)).stop();
    });
  });
});
