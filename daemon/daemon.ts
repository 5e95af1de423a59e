/**
 * The daemon, assembled: the one place where the branches, the recorder, the console and the request trace are wired together.
 *
 * Start: lock → repository → root at the tip, journal replayed behind it (`recover-state.ts`) → sockets, the admin socket and the
 * forks last; the recorder loads the tip meanwhile.
 * A reply is released when its commit is in the journal; the recorder follows the journal into Git, and where it falls too
 * far behind, the clients that commit are slowed (`backlog.ts`). Stop: sockets close, the recorder seals what the journal
 * holds, within a time limit; what it does not reach it records at the next start. The request trace, of which nobody was
 * promised anything, is waited for meanwhile, and for less long.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  flushNowAndThen,
  recoverBranch,
  serveBranch,
  type BranchConfig,
  type BranchPorts,
  type Closing,
} from "./branch.js";
import { endsInTime } from "./ends-in-time.js";
import { branchesDirectory, Forks } from "./forks.js";
import { startRecorder, type MainRecorder } from "./history/recorder/handle.js";
import { createRepository, MAIN_BRANCH } from "./history/repository/layout.js";
import { startConsole, type Console, type ConsoleHost } from "./http/handle.js";
import type { ConsoleWorkerData, CoreLink, DaemonLink, HttpConfig } from "./http/messages.js";
import { namesBranch } from "./http/names-in.js";
import { lockDirectory, type DirectoryLock } from "./platform/directory-lock.js";
import { messageOf } from "./platform/error-message.js";
import type { Clock } from "./platform/clock.js";
import { limitRate, type RateLimitedLog } from "./platform/log.js";
import { packageVersion } from "./platform/package-version.js";
import { makePrivateDirectory } from "./platform/private-directory.js";
import type { RecoveredState } from "./recover-state.js";
import type { Path, Seq } from "../protocol/identifiers.js";
import { startTraceThread, type TraceThread } from "./trace/handle.js";
import { RequestTrace } from "./trace/request-trace.js";
import { checkSocketPath, isServed } from "./server/socket-path.js";
import { bestListenerKind, type ListenerKind } from "./server/choose-listener.js";

/** Longest that a start which fails waits for the recorder. */
const STOP_MILLISECONDS_MAX = 5000;
/** Longest that a stop waits for the forks, which wait for their history as long as main does. */
const FORKS_STOP_MILLISECONDS_MAX = 6000;
/** Longest that a stop waits for the request trace. */
const TRACE_STOP_MILLISECONDS_MAX = 2000;
/** Longest that a stop waits for the console; what it is asked by then is not answered. */
const CONSOLE_STOP_MILLISECONDS_MAX = 2000;

/** What the daemon needs from outside. */
export type DaemonPorts = BranchPorts;

/** What the daemon is told. Paths are absolute. */
export interface DaemonConfig extends Pick<
  BranchConfig,
  "stateDirectory" | "durability" | "journalBytesMax" | "redact" | "bootId"
> {
  readonly runDirectory: string;
  readonly sealMilliseconds: number;
  /** Part of the authors' mail addresses in the history. */
  readonly hostName: string;
  /** How many of the newest commits stay in the history; any number unless told. */
  readonly keepCommits?: number | undefined;
  /** How old, in seconds, a commit becomes before it leaves the history; any age unless told. */
  readonly keepSeconds?: number | undefined;
  /** Where every request is traced; nowhere unless told. */
  readonly trace?: TraceConfig | undefined;
  /** What carries the sockets of forks, whose threads have listeners of their own; the best that is there unless told. */
  readonly listenerKind?: ListenerKind | undefined;
  /** Whether the admin socket is served; not unless told. */
  readonly hasConsole?: boolean | undefined;
  /** Where browsers reach the HTTP API; nowhere unless told. */
  readonly http?: Omit<HttpConfig, "tokenFile"> | undefined;
  /** Whether main's requests are counted, for the metrics that the admin socket serves; not unless told. */
  readonly hasMetrics?: boolean | undefined;
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
  /** Where the HTTP API is, as soon as it is served; undefined where it is not. Clients of the wire do not wait for it. */
  readonly console: Promise<ConsolePlaces | undefined>;
  /** Goes on in a new trace file, after somebody renamed the one at hand. */
  reopenTrace(): void;
  /** Ends it: resolves when the sockets are closed and the history is sealed, or the time for that is over. */
  stop(): Promise<Stopped>;
}

/** Where the HTTP API is served. */
export interface ConsolePlaces {
  readonly adminSocket: string;
  /** For browsers; undefined where they do not reach it. */
  readonly url: string | undefined;
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
  const branches = branchesDirectory(config.runDirectory);
  for (const directory of [config.stateDirectory, config.runDirectory, domains, branches])
    makePrivateDirectory(directory);
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
    for (const name of fileSystem.list(branches)) rmSync(join(branches, name), { recursive: true, force: true });
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
  const { logger, clock } = ports;
  const log = limitRate(logger, clock);
  // First, because a path that cannot be opened is a mistake on the command line.
  const traceThread = await openTrace(config, log);
  let trace: RequestTrace | undefined;
  const closeTrace = (): Promise<boolean> =>
    endsInTime(trace?.close() ?? traceThread?.close(0), TRACE_STOP_MILLISECONDS_MAX);
  opened.push(closeTrace);
  const endLog = flushNowAndThen(log);
  opened.push(endLog);
  const branchConfig = configOfMain(config, places);
  const { repositoryDirectory: repository } = branchConfig;
  createRepository(ports.fileSystem, repository);
  const console = new ConsoleStart(consoleData(config, places, repository), log);
  opened.push(() => console.close());
  const { recovered, recorder } = await openHistory(ports, config, branchConfig, opened);
  if (traceThread !== undefined) trace = startTrace(traceThread, { config, clock, log, seq: recovered.seq });
  const main = await serveBranch(ports, branchConfig, { recovered, recorder, log, observer: trace }, opened);
  const { runDirectory, listenerKind = bestListenerKind() } = config;
  const forks = new Forks({
    fileSystem: ports.fileSystem,
    logger,
    runDirectory,
    // The metrics are main's.
    config: { ...branchConfig, hasMetrics: false },
    recorder,
    listenerKind,
  });
  // Main does not wait for them; what goes wrong is logged.
  void forks.start();
  console.serve(daemonLink(main.link, forks));
  let stopping: Promise<Stopped> | undefined;
  const stop = async (): Promise<Stopped> => {
    main.stop();
    const closeHistory = async (): Promise<readonly boolean[]> => {
      // The forks first: their recorders are in the same thread.
      const haveForksEnded = await closeForks(forks, log);
      return [haveForksEnded, await main.closeRecorder()];
    };
    const [hasConsoleEnded, hasTraceEnded, historyEnds] = await Promise.all([
      console.close(),
      closeTrace(),
      closeHistory(),
    ]);
    const hasHistoryEnded = historyEnds.every(Boolean);
    if (!hasTraceEnded) {
      log.log("warn", "trace stop", "the request trace was not written in time: its last lines are missing");
    }
    endLog();
    main.close();
    // A recorder that is late may still write: then the lock falls with the process.
    if (hasHistoryEnded) places.lock.release();
    return { isComplete: hasConsoleEnded && hasTraceEnded && hasHistoryEnded };
  };
  return {
    socket: places.socket,
    repository,
    console: console.places,
    reopenTrace: () => trace?.reopen(),
    stop: () => (stopping ??= stop()),
  };
}

function configOfMain(config: DaemonConfig, { socket, domains }: Places): BranchConfig {
  const { stateDirectory, durability, journalBytesMax, redact, bootId, hasMetrics } = config;
  return {
    stateDirectory,
    repositoryDirectory: join(stateDirectory, "store.git"),
    branch: MAIN_BRANCH,
    durability,
    journalBytesMax,
    redact,
    bootId,
    failuresFile: join(stateDirectory, "failures.log"),
    sockets: { socket, domains },
    hasMetrics,
  };
}

/** Who answers the console. What is asked of the history is asked of the branches that the question may be about. */
function daemonLink(main: CoreLink, forks: Forks): DaemonLink {
  const flush = async (revisions: readonly string[] | undefined): Promise<{ readonly behind: string | undefined }> => {
    const isMeant = (name: string): boolean => revisions?.some((text) => namesBranch(text, name)) ?? true;
    const [{ behind }, others] = await Promise.all([main.ask("flush", undefined), forks.flush(isMeant)]);
    const told = [...(behind === undefined ? [] : [behind]), ...others];
    return { behind: told.length === 0 ? undefined : told.join("; ") };
  };
  const core: CoreLink = {
    ask: (name, asked) => (name === "flush" ? flush(asked as readonly string[] | undefined) : main.ask(name, asked)),
  };
  return {
    core,
    forks: forks.questions(),
    branch: (name) => (name === MAIN_BRANCH ? core : forks.link(name)),
  };
}

async function closeForks(forks: Forks, log: RateLimitedLog): Promise<boolean> {
  let isComplete = true;
  const closing = forks.close().then((areComplete) => {
    isComplete = areComplete;
  });
  const isInTime = await endsInTime(closing, FORKS_STOP_MILLISECONDS_MAX);
  if (!isInTime)
    log.log("warn", "forks stop", "the forks did not end in time; their journals keep what the history lacks");
  return isInTime && isComplete;
}

function consoleData(
  { runDirectory, http, trace }: DaemonConfig,
  { adminSocket: socketPath }: Places,
  repositoryDirectory: string,
): ConsoleWorkerData | undefined {
  if (socketPath === undefined) return undefined;
  const tokenFile = join(runDirectory, "http-token");
  return { socketPath, repositoryDirectory, http: http && { ...http, tokenFile }, traceFile: trace?.file };
}

/** The console while the daemon starts: its thread loads beside the state, and is answered when that is served. */
class ConsoleStart {
  #serve: (daemon: DaemonLink) => void = () => undefined;
  readonly #console: Promise<Console | undefined>;
  /** Where it is when it is served; undefined where it is not wanted, or could not start, which is logged. */
  readonly places: Promise<ConsolePlaces | undefined>;

  /** @param data - undefined where no console is wanted */
  constructor(data: ConsoleWorkerData | undefined, log: RateLimitedLog) {
    const link = new Promise<DaemonLink>((resolve) => {
      this.#serve = resolve;
    });
    const host: ConsoleHost = {
      daemon: {
        core: { ask: async (name, asked) => (await link).core.ask(name, asked) },
        forks: { ask: async (name, asked) => (await link).forks.ask(name, asked) },
        branch: (branch) => ({ ask: async (name, asked) => (await link).branch(branch).ask(name, asked) }),
      },
      log: (level, text) => {
        log.log(level, "console", text);
      },
    };
    this.#console = data === undefined ? Promise.resolve(undefined) : startConsole(data, host);
    this.places = this.#console.then(
      (console) => data && { adminSocket: data.socketPath, url: console?.url },
      (error: unknown) => {
        log.log("error", "console", messageOf(error));
        return undefined;
      },
    );
  }

  /** Has its questions answered from now on. */
  serve(daemon: DaemonLink): void {
    this.#serve(daemon);
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

/** Loads the state, and has the recorder load the tip meanwhile: it touches no journal before the first publish, and no ref. */
async function openHistory(
  ports: DaemonPorts,
  config: DaemonConfig,
  branchConfig: BranchConfig,
  opened: Closing[],
): Promise<{ readonly recovered: RecoveredState; readonly recorder: MainRecorder }> {
  const starting = startRecorder({
    stateDirectory: config.stateDirectory,
    branch: MAIN_BRANCH,
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
  recovered = recoverBranch(ports, branchConfig);
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
