/**
 * The daemon, assembled: the one place where the core, the server, the journal and the recorder are wired together.
 *
 * Start: lock → repository → root at the tip, journal replayed behind it (`recover-state.ts`) → sockets, the admin socket last;
 * the recorder loads the tip meanwhile.
 * A reply is released when its commit is in the journal; the recorder follows the journal into Git, and where it falls too
 * far behind, the clients that commit are slowed (`backlog.ts`). Stop: sockets close, the recorder seals what the journal
 * holds, within a time limit; what it does not reach it records at the next start. The request trace, of which nobody was
 * promised anything, is waited for meanwhile, and for less long.
 */
import { join } from "node:path";
import { createConsoleLink } from "./console-link.js";
import { formatLag, HistoryBacklog, segmentBytesFor } from "./backlog.js";
import { Core } from "./dispatch/core.js";
import type { CorePorts } from "./dispatch/state.js";
import { startRecorder, type FlushOptions, type Recorder } from "./history/recorder/handle.js";
import { createRepository } from "./history/repository/layout.js";
import { FailureFile } from "./failure-file.js";
import { startConsole, type Console, type ConsoleHost } from "./http/handle.js";
import type { CoreLink } from "./http/messages.js";
import type { Durability, Journal } from "./journal/journal.js";
import type { PathGlob } from "./journal/path-glob.js";
import { lockDirectory, type DirectoryLock } from "./platform/directory-lock.js";
import { messageOf } from "./platform/error-message.js";
import type { Clock } from "./platform/clock.js";
import type { FileSystem } from "./platform/file-system.js";
import type { Listener } from "./platform/listener.js";
import { limitRate, type Logger, type RateLimitedLog } from "./platform/log.js";
import { describeMemory } from "./platform/memory.js";
import { packageVersion } from "./platform/package-version.js";
import { makePrivateDirectory } from "./platform/private-directory.js";
import type { Timers } from "./platform/timers.js";
import { recoverState, type RecoveredState } from "./recover-state.js";
import type { Path, Seq } from "../protocol/identifiers.js";
import { getOperation } from "../protocol/operation.js";
import { Server, type ServerPorts } from "./server/server.js";
import { startTraceThread, type TraceThread } from "./trace/handle.js";
import { RequestTrace } from "./trace/request-trace.js";
import { checkSocketPath, isServed } from "./server/socket-path.js";

/** Longest that a stop waits for the history. */
const STOP_MILLISECONDS_MAX = 5000;
/** Longest that a stop waits for the request trace. */
const TRACE_STOP_MILLISECONDS_MAX = 2000;
/** Longest that a stop waits for the console; what it is asked by then is not answered. */
const CONSOLE_STOP_MILLISECONDS_MAX = 2000;
/** How often failed requests are written down. */
const FAILURES_MILLISECONDS = 1000;
/** How often the log says what its rate limit left out. */
const LOG_FLUSH_MILLISECONDS = 1000;

/** What the daemon needs from outside. */
export interface DaemonPorts {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly listener: Listener;
  readonly logger: Logger;
}

/** What the daemon is told. Paths are absolute. */
export interface DaemonConfig {
  readonly stateDirectory: string;
  readonly runDirectory: string;
  readonly durability: Durability;
  readonly sealMilliseconds: number;
  /** The most bytes of acknowledged commits that wait in the journal for the history; clients that commit wait for it. */
  readonly journalBytesMax: number;
  /** Part of the authors' mail addresses in the history. */
  readonly hostName: string;
  /** Paths whose values are not written down; none unless told. */
  readonly redact?: readonly PathGlob[];
  /** The kernel's boot id; left out where there is none. */
  readonly bootId?: string | undefined;
  /** How many of the newest commits stay in the history; any number unless told. */
  readonly keepCommits?: number | undefined;
  /** How old, in seconds, a commit becomes before it leaves the history; any age unless told. */
  readonly keepSeconds?: number | undefined;
  /** Where every request is traced; nowhere unless told. */
  readonly trace?: TraceConfig | undefined;
  /** Whether the admin socket is served; not unless told. */
  readonly hasConsole?: boolean | undefined;
}

/** Where requests are traced, and how much of them is kept. */
export interface TraceConfig {
  /** Absolute path; its directory must be there. */
  readonly file: string;
  /** Most bytes of one file. */
  readonly bytesMax: number;
  /** Most files, the one that is written included. */
  readonly filesMax: number;
}

/** A running daemon. */
export interface Daemon {
  /** The privileged wire socket. */
  readonly socket: string;
  /** The Git repository. */
  readonly repository: string;
  /** The socket of the HTTP API, as soon as it is served; undefined where it is not. Clients of the wire do not wait for it. */
  readonly adminSocket: Promise<string | undefined>;
  /** Goes on in a new trace file, after somebody renamed the one at hand. */
  reopenTrace(): void;
  /** Ends it: resolves when the sockets are closed and the history is sealed, or the time for that is over. */
  stop(): Promise<Stopped>;
}

/** How a daemon has ended. */
export interface Stopped {
  /** Whether its threads have ended too; one that has not may hang in a call to a disk. */
  readonly isComplete: boolean;
}

/** Opens the state, starts all parts and serves. Throws an error for people when it cannot. */
export async function assemble(ports: DaemonPorts, config: DaemonConfig): Promise<Daemon> {
  const { fileSystem } = ports;
  const domains = join(config.runDirectory, "domains");
  const socket = join(config.runDirectory, "socket");
  const adminSocket = config.hasConsole === true ? join(config.runDirectory, "admin.sock") : undefined;
  checkSocketPath(socket);
  if (adminSocket !== undefined) checkSocketPath(adminSocket);
  checkSocketPath(join(domains, "65535"));
  for (const directory of [config.stateDirectory, config.runDirectory, domains]) makePrivateDirectory(directory);
  const locks = [...new Set([config.stateDirectory, config.runDirectory])].map((directory) => lockDirectory(directory));
  const lock: DirectoryLock = {
    release: () => {
      for (const each of locks) each.release();
    },
  };
  try {
    for (const path of adminSocket === undefined ? [socket] : [socket, adminSocket]) {
      if (await isServed(path)) {
        throw new Error(`another daemon serves ${path}: stop it first, or choose another --run directory`);
      }
    }
    // Left by a daemon that was killed: domains that are still introduced get new ones.
    for (const name of fileSystem.list(domains)) fileSystem.remove(join(domains, name));
    return await serve(ports, config, { lock, socket, domains, adminSocket });
  } catch (error) {
    // What still runs may write: the lock falls with the process.
    if (!(error instanceof IncompleteStopError)) lock.release();
    throw error;
  }
}

/** The daemon cannot start, as the message says, and a thread of it has not ended; it may hang in a call to a disk. */
export class IncompleteStopError extends Error {
  override readonly name = "IncompleteStopError";
}

interface Places {
  readonly lock: DirectoryLock;
  readonly socket: string;
  readonly domains: string;
  readonly adminSocket: string | undefined;
}

/** Closes what was opened; says whether it has ended. */
type Closing = () => boolean | Promise<boolean>;

async function serve(ports: DaemonPorts, config: DaemonConfig, places: Places): Promise<Daemon> {
  const opened: Closing[] = [];
  try {
    return await open(ports, config, places, opened);
  } catch (error) {
    let isComplete = true;
    for (const close of opened.toReversed()) {
      try {
        isComplete = (await close()) && isComplete;
      } catch {
        // What kept it from starting is what there is to tell.
      }
    }
    throw isComplete ? error : new IncompleteStopError(messageOf(error), { cause: error });
  }
}

/** @param opened - takes what is to be closed when it throws */
async function open(ports: DaemonPorts, config: DaemonConfig, places: Places, opened: Closing[]): Promise<Daemon> {
  const { logger, clock, listener } = ports;
  const log = limitRate(logger, clock);
  // First, because a path that cannot be opened is a mistake on the command line.
  const traceThread = await openTrace(config, log);
  let trace: RequestTrace | undefined;
  const closeTrace = (): Promise<boolean> =>
    endsInTime(trace?.close() ?? traceThread?.close(0), TRACE_STOP_MILLISECONDS_MAX);
  opened.push(closeTrace);
  const endLog = flushNowAndThen(log);
  opened.push(endLog);
  const repository = join(config.stateDirectory, "store.git");
  createRepository(ports.fileSystem, repository);
  const console = new ConsoleStart(places.adminSocket, repository, log);
  opened.push(() => console.close());
  const { recovered, recorder } = await openHistory(ports, config, repository, opened);
  const { journal, root, seq } = recovered;
  watchRecorder(recorder, journal, log);
  recorder.publish(journal.position());
  const backlog = new HistoryBacklog({ recorder, journal, clock, journalBytesMax: config.journalBytesMax });
  let isAccessLogged = false;
  if (traceThread !== undefined) trace = startTrace(traceThread, { config, clock, log, seq });
  const core = new Core(root, seq, {
    ...corePorts(log, backlog, (enabled) => (isAccessLogged = enabled)),
    observer: trace,
  });
  const accessLog = (): ReturnType<ServerPorts["accessLog"]> => (isAccessLogged ? accessLine(logger) : undefined);
  const server = new Server(
    { core, journal, listener, clock, timers: ports.timers, log, ...historyPorts(recorder, backlog), accessLog },
    places,
  );
  const endFailures = keepFailures(core, ports.fileSystem, join(config.stateDirectory, "failures.log"), log);
  opened.push(endFailures);
  backlog.roomMade = () => {
    server.askGateAgain();
  };
  opened.push(() => {
    server.stop();
    return true;
  });
  await server.start();
  const flushHistory = (options: FlushOptions): Promise<unknown> => recorder.flush(options);
  console.serve(createConsoleLink({ server, flushHistory, emptyRedacted: recovered.emptyRedacted }));
  let stopping: Promise<Stopped> | undefined;
  const stop = async (): Promise<Stopped> => {
    server.stop();
    const [hasConsoleEnded, hasTraceEnded, hasRecorderEnded] = await Promise.all([
      console.close(),
      closeTrace(),
      closeRecorder(recorder, backlog, log),
    ]);
    if (!hasTraceEnded) {
      log.log("warn", "trace stop", "the request trace was not written in time: its last lines are missing");
    }
    endFailures();
    endLog();
    journal.close();
    // A recorder that is late may still write: then the lock falls with the process.
    if (hasRecorderEnded) places.lock.release();
    return { isComplete: hasConsoleEnded && hasTraceEnded && hasRecorderEnded };
  };
  return {
    socket: places.socket,
    repository,
    adminSocket: console.socket,
    reopenTrace: () => trace?.reopen(),
    stop: () => (stopping ??= stop()),
  };
}

/** Has failed requests remembered from one life of the daemon to the next; the result writes what is left, and ends that. */
function keepFailures({ failures }: Core, fileSystem: FileSystem, path: string, log: RateLimitedLog): () => true {
  const file = new FailureFile(fileSystem, path);
  const warn = (what: string, error: unknown): void => {
    log.log("warn", "failures", `failed requests cannot be ${what}: ${path}: ${messageOf(error)}`);
  };
  try {
    failures.restore(file.read());
  } catch (error) {
    warn("read", error);
  }
  const write = (): void => {
    try {
      file.append(failures.takeFresh(), () => failures.list());
    } catch (error) {
      warn("written down", error);
    }
  };
  const timer = setInterval(write, FAILURES_MILLISECONDS).unref();
  return () => {
    clearInterval(timer);
    write();
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

/** The console while the daemon starts: its thread loads beside the state, and is answered when that is served. */
class ConsoleStart {
  #serve: (core: CoreLink) => void = () => undefined;
  readonly #console: Promise<Console | undefined>;
  /** Its socket when it is served; undefined where it is not wanted, or could not start, which is logged. */
  readonly socket: Promise<string | undefined>;

  /** @param socketPath - undefined where no admin socket is wanted */
  constructor(socketPath: string | undefined, repositoryDirectory: string, log: RateLimitedLog) {
    const link = new Promise<CoreLink>((resolve) => {
      this.#serve = resolve;
    });
    const host: ConsoleHost = {
      core: { ask: async (name, asked) => (await link).ask(name, asked) },
      log: (level, text) => {
        log.log(level, "console", text);
      },
    };
    this.#console =
      socketPath === undefined ? Promise.resolve(undefined) : startConsole({ socketPath, repositoryDirectory }, host);
    this.socket = this.#console.then(
      () => socketPath,
      (error: unknown) => {
        log.log("error", "console", messageOf(error));
        return undefined;
      },
    );
  }

  /** Has its questions answered from now on. */
  serve(core: CoreLink): void {
    this.#serve(core);
  }

  /** Resolves to whether its thread has ended. */
  close(): Promise<boolean> {
    const closed = this.#console.then(
      (console) => console?.close(),
      () => undefined,
    );
    return endsInTime(closed, CONSOLE_STOP_MILLISECONDS_MAX);
  }
}

/** Has the log say what its rate limit left out; the result ends that. */
function flushNowAndThen(log: RateLimitedLog): () => true {
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

/** Loads the state, and has the recorder load the tip meanwhile: it touches no journal before the first publish, and no ref. */
async function openHistory(
  ports: DaemonPorts,
  config: DaemonConfig,
  repository: string,
  opened: Closing[],
): Promise<{ readonly recovered: RecoveredState; readonly recorder: Recorder }> {
  const starting = startRecorder({
    stateDirectory: config.stateDirectory,
    branch: "main",
    hostName: config.hostName,
    sealMilliseconds: config.sealMilliseconds,
    retention: { keepCommits: config.keepCommits, keepSeconds: config.keepSeconds },
  });
  // The recorder ends first: it has the journal remove what is sealed.
  let recovered: RecoveredState | undefined = undefined;
  opened.push(() => {
    recovered?.journal.close();
    return true;
  });
  const closeUnused = async (): Promise<void> => (await starting).close();
  opened.push(() => endsInTime(closeUnused(), STOP_MILLISECONDS_MAX));
  recovered = recover(ports, config, repository);
  return { recovered, recorder: await starting };
}

async function openTrace({ trace }: DaemonConfig, log: RateLimitedLog): Promise<TraceThread | undefined> {
  if (trace === undefined) return undefined;
  const { file: path, bytesMax, filesMax } = trace;
  return startTraceThread({ path, bytesMax, filesMax, daemon: packageVersion(import.meta.url) }, log);
}

interface TraceStart {
  readonly config: DaemonConfig;
  readonly clock: Clock;
  readonly log: RateLimitedLog;
  readonly seq: Seq;
}

function startTrace(thread: TraceThread, { config, clock, log, seq }: TraceStart): RequestTrace {
  const { redact = [] } = config;
  const isSecret = redact.length === 0 ? undefined : (path: Path) => redact.some((glob) => glob.matches(path));
  thread.start(seq);
  return new RequestTrace({ sink: thread, clock, log, isSecret });
}

/** Recovers the state, and tells what was found. */
function recover({ fileSystem, logger }: DaemonPorts, config: DaemonConfig, repository: string): RecoveredState {
  const recovered = recoverState({
    fileSystem,
    stateDirectory: config.stateDirectory,
    repositoryDirectory: repository,
    durability: config.durability,
    bootId: config.bootId,
    redact: config.redact,
    segmentBytesMax: segmentBytesFor(config.journalBytesMax),
  });
  const { seq, recorded, opened } = recovered;
  reportRecovery(logger, opened);
  logger.info("state loaded", { seq, recorded, replayed: seq - recorded });
  return recovered;
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

function watchRecorder(recorder: Recorder, journal: Journal, log: RateLimitedLog): void {
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

/** Resolves to whether something ended in time; rejects when it fails before. */
async function endsInTime(end: Promise<void> | undefined, millisecondsMax: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, millisecondsMax);
  });
  try {
    return await Promise.race([Promise.resolve(end).then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function corePorts(log: RateLimitedLog, backlog: HistoryBacklog, setAccessLog: (on: boolean) => void): CorePorts {
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
