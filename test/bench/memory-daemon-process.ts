/**
 * A daemon in memory as a process of its own, for comparisons with the real one.
 *
 * Owns its sockets and its end. It takes the daemon's flags and looks at `--dir` and `--listener` alone.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startMemoryDaemon, type MemoryDaemonPorts } from "../../daemon/memory-daemon.js";
import { createLogger, limitRate, standardErrorSink } from "../../daemon/platform/log.js";
import { createNodeClock } from "../../daemon/platform/node-clock.js";
import { nodeTimers } from "../../daemon/platform/node-timers.js";
import { bestListenerKind, createListener, LISTENER_KINDS } from "../../daemon/server/choose-listener.js";

/** Serves until SIGTERM. @param takeCommits - gives, for the directory of `--dir`, what becomes of the commits of each tick */
export async function runMemoryDaemon(
  takeCommits: (directory: string) => MemoryDaemonPorts["committed"],
): Promise<void> {
  const { values } = parseArgs({
    options: { dir: { type: "string" }, listener: { type: "string" } },
    strict: false,
  });
  const { dir: directory } = values;
  if (typeof directory !== "string") throw new Error("--dir DIR is missing");
  const socket = join(directory, "run", "socket");
  const domains = join(directory, "run", "domains");
  mkdirSync(domains, { recursive: true });
  const clock = createNodeClock();
  const log = limitRate(createLogger({ level: "warn", sink: standardErrorSink(), clock }), clock);
  const kind = LISTENER_KINDS.find((each) => each === values["listener"]) ?? bestListenerKind();
  const daemon = await startMemoryDaemon(
    {
      listener: createListener(kind, (problem) => {
        log.log("error", "accept", problem);
      }),
      clock,
      timers: nodeTimers,
      committed: takeCommits(directory),
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
}
