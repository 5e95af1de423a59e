#!/usr/bin/env -S node --max-semi-space-size=4 --no-parallel-scavenge
/**
 * The process entry of the daemon: command line, signals, exit codes.
 *
 * The first line bounds V8's young generation, as `platform/worker.ts` does for the other threads and says why. It also has
 * each thread collect its young generation alone: helpers take longer to wake on busy processors than they save of so little,
 * and whoever waits for an answer waits for them. Started without the flags the daemon works the same in somewhat more memory.
 *
 * Exit codes: 0 after SIGTERM or SIGINT, 1 when it cannot start or go on, 2 for a bad command line. Where a disk hangs at the
 * end, the process ends by a signal: by the one that it got, or by SIGKILL when it cannot start.
 */
import { hostname } from "node:os";
import { assemble, IncompleteStopError } from "./daemon.js";
import { parseDaemonOptions } from "./options.js";
import { readBootId } from "./platform/boot-id.js";
import { createLogger, fileSink, limitRate, standardErrorSink, type LogSink } from "./platform/log.js";
import { createNodeClock } from "./platform/node-clock.js";
import { nodeFileSystem } from "./platform/node-file-system.js";
import { nodeTimers } from "./platform/node-timers.js";
import { packageVersion } from "./platform/package-version.js";
import { notifyReady } from "./platform/service-manager.js";
import { bestListenerKind, createListener } from "./server/choose-listener.js";
import { messageOf } from "./platform/error-message.js";

async function main(): Promise<void> {
  // Before anything is created: files, directories and sockets are for the daemon's user alone.
  process.umask(0o077);
  const options = parseDaemonOptions(process.argv.slice(2), process.env, packageVersion(import.meta.url));
  const clock = createNodeClock();
  const logger = createLogger({ level: options.logLevel, sink: logSink(options.logFile), clock });
  const limited = limitRate(logger, clock);
  const listenerKind = options.listenerKind ?? bestListenerKind();
  const listener = createListener(listenerKind, (problem) => {
    limited.log("error", "accept", problem);
  });
  const ports = { fileSystem: nodeFileSystem, clock, timers: nodeTimers, listener, logger };
  const daemon = await assemble(ports, { ...options, listenerKind, hostName: hostname(), bootId: readBootId() });
  const stop = (signal: NodeJS.Signals): void => {
    logger.info("stopping", { signal });
    daemon.stop().then(
      ({ isComplete }) => {
        logger.info("stopped");
        if (isComplete) process.exit(0);
        endBySignal(signal);
      },
      (error: unknown) => {
        logger.error(`the stop failed; the journal keeps what was acknowledged: ${String(error)}`);
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  process.on("SIGHUP", () => {
    logger.reopen();
    daemon.reopenTrace();
  });
  // Last, so that whoever has read them may send a signal; and nobody needs to read them.
  process.stdout.on("error", () => undefined);
  process.stdout.write(`wire socket: ${daemon.socket}\nGit repository: ${daemon.repository}\n`);
  notifyReady(process.env, (reason) => {
    limited.log("warn", "service manager", reason);
  });
  const console = await daemon.console;
  if (console === undefined) return;
  if (console.url !== undefined) process.stdout.write(`HTTP API: ${console.url}\n`);
  process.stdout.write(`admin socket: ${console.adminSocket}\n`);
}

/** Longest that a signal takes that this process sends itself. */
const SIGNAL_MILLISECONDS_MAX = 500;

/**
 * Ends the process although a thread hangs in a call to a disk: `process.exit` would wait for it without end. A supervisor takes
 * SIGTERM and SIGINT for a clean end. The first process of a container cannot send itself any, and aborts.
 */
function endBySignal(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  setTimeout(() => {
    process.abort();
  }, SIGNAL_MILLISECONDS_MAX);
}

function logSink(file: string | undefined): LogSink {
  if (file === undefined) return standardErrorSink();
  try {
    return fileSink(file);
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`the log file ${file} cannot be opened: ${reason}`, { cause: error });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`xenstored-tng: ${messageOf(error)}\n`);
  if (error instanceof IncompleteStopError) endBySignal("SIGKILL");
  else process.exit(1);
});
