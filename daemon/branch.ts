/**
 * One branch, served: its state, its journal, its sockets, and what is told of it.
 *
 * Owns the wiring that main and every fork have in common, so that a fork is as safe as main: root at the tip and the journal
 * replayed behind it (`recover-state.ts`); a core and a server; a backlog that slows who commits faster than the recorder
 * follows; the failed requests, remembered in a file. It belongs to one thread, which is the daemon's main one for main and
 * another for each fork (`fork-worker.ts`).
 */
import { createConsoleLink } from "./console-link.js";
import { formatLag, HistoryBacklog, segmentBytesFor } from "./backlog.js";
import { Core } from "./dispatch/core.js";
import type { RequestObserver } from "./dispatch/observer.js";
import { RequestMeter } from "./dispatch/request-meter.js";
import type { CorePorts } from "./dispatch/state.js";
import { endsInTime } from "./ends-in-time.js";
import { FiguresTaker } from "./figures-taker.js";
import { FailureFile } from "./failure-file.js";
import type { FlushOptions, Recorder } from "./history/recorder/handle.js";
import type { CoreLink } from "./http/messages.js";
import type { Durability } from "./journal/journal.js";
import type { PathGlob } from "./journal/path-glob.js";
import type { Clock } from "./platform/clock.js";
import { messageOf } from "./platform/error-message.js";
import type { FileSystem } from "./platform/file-system.js";
import type { Listener } from "./platform/listener.js";
import type { Logger, RateLimitedLog } from "./platform/log.js";
import { describeMemory } from "./platform/memory.js";
import type { Timers } from "./platform/timers.js";
import { recoverState, type RecoveredState } from "./recover-state.js";
import { getOperation } from "../protocol/operation.js";
import { Server, type ServerPaths, type ServerPorts } from "./server/server.js";

/** How often failed requests are written down, and about how many bytes then: more would hold up those who are served. */
const FAILURES_MILLISECONDS = 1000;
const FAILURES_BYTES_MAX: number = 256 * 1024;
/** How often the log says what its rate limit left out. */
const LOG_FLUSH_MILLISECONDS = 1000;
/** Longest that a stop waits for the history. */
const STOP_MILLISECONDS_MAX = 5000;

/** What a branch needs from outside. */
export interface BranchPorts {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly listener: Listener;
  readonly logger: Logger;
}

/** What is told of a branch. Paths are absolute. */
export interface BranchConfig {
  readonly stateDirectory: string;
  readonly repositoryDirectory: string;
  /** Without `refs/heads/`. */
  readonly branch: string;
  readonly durability: Durability;
  /** The most bytes of acknowledged commits that wait in the journal for the history; clients that commit wait for it. */
  readonly journalBytesMax: number;
  /** Paths whose values are not written down; none unless told. */
  readonly redact?: readonly PathGlob[] | undefined;
  /** The kernel's boot id; left out where there is none. */
  readonly bootId?: string | undefined;
  /** Where failed requests are remembered. */
  readonly failuresFile: string;
  readonly sockets: ServerPaths;
  /** Whether requests are counted, for the metrics; not unless told. */
  readonly hasMetrics?: boolean | undefined;
}

/** What a branch is put together of. */
export interface BranchParts {
  /** What `recoverBranch` gave. */
  readonly recovered: RecoveredState;
  /** Of this branch. */
  readonly recorder: Recorder;
  readonly log: RateLimitedLog;
  /** Told of every request; nobody unless given. */
  readonly observer?: RequestObserver | undefined;
}

/** Closes what was opened; says whether it has ended. */
export type Closing = () => boolean | Promise<boolean>;

/** A branch that is served. */
export interface ServedBranch {
  /** Answers the console's questions about it. */
  readonly link: CoreLink;
  /** Closes the sockets. What was acknowledged is in the journal. */
  stop(): void;
  /** Has the recorder seal what the journal holds, within a time limit; resolves to whether its thread has ended. */
  closeRecorder(): Promise<boolean>;
  /** After the recorder: closes the files. */
  close(): void;
}

/** Recovers the state of a branch, and tells what was found. @throws what `recoverState` throws */
export function recoverBranch({ fileSystem, logger }: BranchPorts, config: BranchConfig): RecoveredState {
  const { journalBytesMax, ...rest } = config;
  const recovered = recoverState({ fileSystem, ...rest, segmentBytesMax: segmentBytesFor(journalBytesMax) });
  const { seq, recorded, opened } = recovered;
  reportRecovery(logger, opened);
  logger.info("state loaded", { seq, recorded, replayed: seq - recorded });
  return recovered;
}

/**
 * Serves a branch: resolves when its socket listens.
 *
 * @param opened - takes what is to be closed when it throws
 */
export async function serveBranch(
  ports: BranchPorts,
  config: BranchConfig,
  { recovered, recorder, log, observer }: BranchParts,
  opened: Closing[],
): Promise<ServedBranch> {
  const { fileSystem, logger, clock, timers, listener } = ports;
  const { journal, root, seq, emptyRedacted } = recovered;
  const { journalBytesMax } = config;
  watchRecorder(recorder, recovered, log);
  recorder.publish(journal.position());
  const backlog = new HistoryBacklog({ recorder, journal, clock, journalBytesMax });
  let isAccessLogged = false;
  const setAccessLog = (isOn: boolean): void => {
    isAccessLogged = isOn;
  };
  const meter = config.hasMetrics === true ? new RequestMeter() : undefined;
  const core = new Core(root, seq, { ...corePorts(log, backlog, setAccessLog), observer, meter });
  const accessLog = (): ReturnType<ServerPorts["accessLog"]> => (isAccessLogged ? accessLine(logger) : undefined);
  const server = new Server(
    { core, journal, listener, clock, timers, log, ...historyPorts(recorder, backlog), accessLog, meter },
    config.sockets,
  );
  const endFailures = keepFailures(core, new FailureFile(fileSystem, config.failuresFile), log);
  opened.push(endFailures);
  backlog.roomMade = () => {
    server.askGateAgain();
  };
  opened.push(() => {
    server.stop();
    return true;
  });
  await server.start();
  const figures =
    meter === undefined ? undefined : new FiguresTaker({ core, meter, journal, recorder, lag: () => backlog.lag() });
  const flushHistory = (options: FlushOptions): Promise<unknown> => recorder.flush(options);
  return {
    link: createConsoleLink({
      server,
      flushHistory,
      emptyRedacted,
      isFull: () => backlog.gate.isFull(0),
      takeFigures: () => figures?.take(),
    }),
    stop: () => {
      server.stop();
    },
    closeRecorder: () => closeRecorder(recorder, backlog, log),
    close: () => {
      endFailures();
      figures?.close();
      journal.close();
    },
  };
}

/** Has the log say what its rate limit left out; the result ends that. */
export function flushNowAndThen(log: RateLimitedLog): () => true {
  const flush = (): void => {
    log.flush();
  };
  const timer = setInterval(flush, LOG_FLUSH_MILLISECONDS).unref();
  return () => {
    flush();
    clearInterval(timer);
    return true;
  };
}

/** Has failed requests remembered from one life of the daemon to the next; the result writes what is left, and ends that. */
function keepFailures({ failures }: Core, file: FailureFile, log: RateLimitedLog): () => true {
  const warn = (what: string, error: unknown): void => {
    log.log("warn", "failures", `failed requests cannot be ${what}: ${file.path}: ${messageOf(error)}`);
  };
  try {
    failures.restore(file.read());
  } catch (error) {
    warn("read", error);
  }
  const write = (bytesMax: number): void => {
    try {
      file.append(failures.takeFresh(bytesMax), () => failures.all(), bytesMax);
    } catch (error) {
      warn("written down", error);
    }
  };
  const timer = setInterval(write, FAILURES_MILLISECONDS, FAILURES_BYTES_MAX).unref();
  return () => {
    clearInterval(timer);
    write(Infinity);
    return true;
  };
}

/** What the server asks of the history. */
function historyPorts(
  recorder: Recorder,
  backlog: HistoryBacklog,
): Pick<ServerPorts, "writeGate" | "journalWritten" | "flushHistory" | "compactHistory"> {
  return {
    writeGate: backlog.gate,
    journalWritten: (position) => {
      backlog.written(position);
    },
    flushHistory: async () => {
      await recorder.flush();
    },
    compactHistory: (revision) => recorder.compact(revision),
  };
}

/** Says what the journal's recovery removed or passed over. */
function reportRecovery(logger: Logger, { cut, passedOver }: RecoveredState["opened"]): void {
  if (cut !== undefined) {
    const { file, offset, bytes, reason, goodLines } = cut;
    if (goodLines === 0) {
      // After the death of the daemon this is a batch that was never answered.
      logger.warn("the journal did not end in a whole line: the rest was removed", { file, offset, bytes, reason });
    } else {
      const message =
        "the journal has a bad line that had perhaps not been synced before the machine stopped: it was removed, and the commits behind it too";
      logger.error(message, { file, offset, bytes, reason, commits: goodLines });
    }
  }
  for (const bad of passedOver) {
    logger.warn("the journal is damaged where the history has all its commits: passed over", { ...bad });
  }
}

function watchRecorder(recorder: Recorder, { journal }: RecoveredState, log: RateLimitedLog): void {
  recorder.onSealed((status) => {
    try {
      journal.discardThrough(status.sealedSeq);
    } catch (error) {
      log.log("warn", "discard", `old journal segments could not be removed: ${String(error)}`);
    }
  });
  recorder.onPassedOver(({ file, offset, reason }) => {
    const message = "the journal is damaged where the history has all its commits: passed over";
    log.log("warn", "passed over", message, { file, offset, reason });
  });
  recorder.onDropped((text) => {
    log.log("info", "retention", text);
  });
  recorder.onFailure((error) => {
    log.log("error", "recorder", `${error.message} (the journal keeps what the history lacks)`);
  });
}

/** Closes the recorder; resolves to whether its thread has ended. */
async function closeRecorder(recorder: Recorder, backlog: HistoryBacklog, log: RateLimitedLog): Promise<boolean> {
  const keeps = (): string => `the journal keeps the rest for the next start (lag: ${formatLag(backlog.lag())})`;
  try {
    const isInTime = await endsInTime(recorder.close(), STOP_MILLISECONDS_MAX);
    if (!isInTime) log.log("warn", "stop", `the history was not complete in time; ${keeps()}`);
    return isInTime;
  } catch (error) {
    log.log("warn", "stop", `the history could not be completed; ${keeps()}: ${String(error)}`);
    return true;
  }
}

function corePorts(log: RateLimitedLog, backlog: HistoryBacklog, setAccessLog: (isOn: boolean) => void): CorePorts {
  return {
    log: (level, key, message) => {
      log.log(level, key, message);
    },
    describeHistory: () => backlog.describe(),
    describeMemory,
    setAccessLog,
  };
}

/**
 * Shows a request as the access log does: operation and the first string of its payload. Of a payload in which no string
 * ends nothing is shown, since it may be all value.
 */
function accessLine(logger: Logger): (connection: { readonly name: string }, message: AccessedMessage) => void {
  return (connection, { type, txId, payload }) => {
    const operation = getOperation(type)?.name ?? `type ${String(type)}`;
    const end = payload.indexOf("\0");
    const path = end === -1 ? undefined : payload.slice(0, end);
    logger.info("request", {
      connection: connection.name,
      operation,
      transaction: txId === 0 ? undefined : txId,
      path,
    });
  };
}

interface AccessedMessage {
  readonly type: number;
  readonly txId: number;
  readonly payload: string;
}
