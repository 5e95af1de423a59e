/**
 * A daemon without a journal and without history: `node … null-journal-daemon.js --dir DIR …`.
 *
 * Owns nothing but the sockets of a daemon in memory, whose commits nobody takes. It is what the real daemon is measured
 * against: the difference is what acknowledging and recording cost. Takes the daemon's flags and looks at `--dir` alone.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startMemoryDaemon } from "../../daemon/memory-daemon.js";
import { createLogger, limitRate, standardErrorSink } from "../../daemon/platform/log.js";
import { createNodeClock } from "../../daemon/platform/node-clock.js";
import { nodeTimers } from "../../daemon/platform/node-timers.js";
import { nodeIpcListener } from "../../daemon/server/node-ipc-listener.js";

const directory = process.argv[process.argv.indexOf("--dir") + 1];
if (directory === undefined) throw new Error("--dir DIR is missing");
const socket = join(directory, "run", "socket");
const domains = join(directory, "run", "domains");
mkdirSync(domains, { recursive: true });

const clock = createNodeClock();
const log = limitRate(createLogger({ level: "warn", sink: standardErrorSink(), clock }), clock);
const daemon = await startMemoryDaemon(
  {
    listener: nodeIpcListener((problem) => {
      log.log("error", "accept", problem);
    }),
    clock,
    timers: nodeTimers,
    committed: () => undefined,
    log: (level, key, message) => {
      log.log(level, key, message);
    },
  },
  { socket, domains },
);
process.once("SIGTERM", () => {
  daemon.stop();
  process.exit(0);
});
process.stdout.write(`wire socket: ${socket}\nGit repository: none\n`);
