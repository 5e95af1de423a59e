/**
 * A daemon without a journal and without history: `node … null-journal-daemon.js --dir DIR …`.
 *
 * Owns nothing but the wiring of core, server and sockets to a journal that counts. It is what the real daemon is measured
 * against: the difference is what acknowledging and recording cost. Takes the daemon's flags and looks at `--dir` alone.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Seq } from "../../protocol/identifiers.js";
import { Core } from "../../daemon/dispatch/core.js";
import type { Commit } from "../../daemon/store/commit.js";
import { emptyRoot } from "../../daemon/store/root.js";
import { createLogger, limitRate, standardErrorSink } from "../../daemon/platform/log.js";
import { createNodeClock } from "../../daemon/platform/node-clock.js";
import { nodeTimers } from "../../daemon/platform/node-timers.js";
import { nodeIpcListener } from "../../daemon/server/node-ipc-listener.js";
import { Server } from "../../daemon/server/server.js";
import { WriteGate } from "../../daemon/server/write-gate.js";

const directory = process.argv[process.argv.indexOf("--dir") + 1];
if (directory === undefined) throw new Error("--dir DIR is missing");
const socket = join(directory, "run", "socket");
const domains = join(directory, "run", "domains");
mkdirSync(domains, { recursive: true });

const clock = createNodeClock();
const log = limitRate(createLogger({ level: "warn", sink: standardErrorSink(), clock }), clock);
const core = new Core(emptyRoot(), 0 as Seq, {
  log: (level, key, message) => {
    log.log(level, key, message);
  },
  describeHistory: () => "",
  describeMemory: () => "",
  setAccessLog: () => undefined,
});
let commitCount = 0;
const journal = {
  append: (commits: readonly Commit[]) => {
    commitCount += commits.length;
    return { segment: "none", offset: 0, seq: commitCount as Seq };
  },
  lineBytesMax: () => 0,
};
const server = new Server(
  {
    core,
    journal,
    listener: nodeIpcListener((problem) => {
      log.log("error", "accept", problem);
    }),
    clock,
    timers: nodeTimers,
    log,
    writeGate: new WriteGate(Infinity, { unsealedBytes: () => 0, sealedSeq: () => 0, trouble: () => undefined }),
    journalWritten: () => undefined,
    flushHistory: () => Promise.resolve(),
    compactHistory: () => Promise.resolve({ refusal: "there is no history" }),
    accessLog: () => undefined,
  },
  { socket, domains },
);
await server.start();
process.once("SIGTERM", () => {
  server.stop();
  process.exit(0);
});
process.stdout.write(`wire socket: ${socket}\nGit repository: none\n`);
