#!/usr/bin/env -S node --max-semi-space-size=4
/**
 * The process entry of the daemon: command line, signals, exit codes.
 *
 * The first line bounds V8's young generation, as `platform/worker.ts` does for the other threads and says why; started
 * without that flag the daemon works the same in somewhat more memory.
 *
 * Exit codes: 0 after SIGTERM or SIGINT, 1 when it cannot start or go on, 2 for a bad command line.
 */
import { hostname } from "node:os";
import { assemble } from "./daemon.js";
import { parseDaemonOptions } from "./options.js";
import { createLogger, fileSink, standardErrorSink } from "./platform/log.js";
import { createNodeClock } from "./platform/node-clock.js";
import { nodeFileSystem } from "./platform/node-file-system.js";
import { packageVersion } from "./platform/package-version.js";
import { nodeIpcListener } from "./server/node-ipc-listener.js";

async function main(): Promise<void> {
  // Before anything is created: files, directories and sockets are for the daemon's user alone.
  process.umask(0o077);
  const options = parseDaemonOptions(process.argv.slice(2), process.env, packageVersion(import.meta.url));
  const clock = createNodeClock();
  const sink = options.logFile === undefined ? standardErrorSink() : fileSink(options.logFile);
  const logger = createLogger({ level: options.logLevel, sink, clock });
  const ports = { fileSystem: nodeFileSystem, clock, listener: nodeIpcListener(), logger };
  const daemon = await assemble(ports, { ...options, hostName: hostname() });
  process.stdout.write(`wire socket: ${daemon.socket}\nGit repository: ${daemon.repository}\n`);
  const stop = (signal: NodeJS.Signals): void => {
    logger.info("stopping", { signal });
    void daemon.stop().then(() => {
      logger.info("stopped");
      process.exit(0);
    });
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  process.on("SIGHUP", () => {
    logger.reopen();
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`xenstored-tng: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
