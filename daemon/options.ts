/**
 * The command line of the daemon.
 *
 * Owns flags, their defaults and their checks. A bad one ends the process with code 2 and a message that says what would
 * be right.
 */
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { TraceConfig } from "./daemon.js";
import {
  DEFAULT_HTTP_ADDRESS,
  formatHttpAddress,
  isHostName,
  isLoopback,
  parseHttpAddress,
  type HttpAddress,
} from "./http/http-address.js";
import type { HttpConfig } from "./http/messages.js";
import type { Durability } from "./journal/journal.js";
import { parsePathGlob, type PathGlob } from "./journal/path-glob.js";
import { messageOf } from "./platform/error-message.js";
import { LOG_LEVELS, type LogLevel } from "./platform/log.js";
import { LISTENER_KINDS, type ListenerKind } from "./server/choose-listener.js";
import { parseKeepAge, parseKeepCommits } from "./retention-option.js";

/** What the daemon was asked to do. */
export interface DaemonOptions {
  /** Absolute path of the directory of journal and repository. */
  readonly stateDirectory: string;
  /** Absolute path of the directory of the sockets. */
  readonly runDirectory: string;
  readonly durability: Durability;
  readonly sealMilliseconds: number;
  /** Paths whose values reach neither journal nor history. */
  readonly redact: readonly PathGlob[];
  /** The most bytes of commits that wait in the journal for the history. */
  readonly journalBytesMax: number;
  /** How many of the newest commits stay; undefined when their number does not matter. */
  readonly keepCommits: number | undefined;
  /** How old a commit may become; undefined when its age does not matter. */
  readonly keepSeconds: number | undefined;
  readonly logLevel: LogLevel;
  /** Absolute path; undefined for standard error. */
  readonly logFile: string | undefined;
  /** Where requests are traced, its path absolute; undefined for nowhere. */
  readonly trace: TraceConfig | undefined;
  /** What carries the sockets; undefined for the best that is there. */
  readonly listenerKind: ListenerKind | undefined;
  /** Whether the admin socket is served. */
  readonly hasConsole: boolean;
  readonly http: Omit<HttpConfig, "tokenFile"> | undefined;
  /** Whether requests are counted. */
  readonly hasMetrics: boolean;
}

const DURABILITIES: readonly Durability[] = ["process", "power", "none"];
const SEAL_MILLISECONDS_MAX = 60_000;

/**
 * A half of it, where slowing begins, is two to four million small commits: a burst of seconds, at whatever rate, that nobody is
 * slowed for. All of it is what a start after a crash may have to replay before it serves: 50,000 commits took a third of a second
 * (`npm run bench -- startup --rounds 1 --commits 20000`, with a tail and without).
 */
const JOURNAL_BYTES_MAX = "1G";
const TRACE_BYTES_MAX = "64M";
/** Of the journal and of a trace file; a request with its reply takes up to 48 KiB of the latter. */
const SIZE_LEAST: number = 64 * 1024;
const TRACE_FILES_MAX = 8;
const TRACE_FILES_MOST = 1000;

const AFTER_HELP = `
Durability, what an acknowledged change survives:
  process  the death of the daemon (kill -9), not a power cut
  power    a power cut too: each batch of replies waits for the disk
  none     nothing for certain; at present it writes what "process" writes

Redaction: a value at a path that a --redact glob matches reaches journal and history only as a keyed hash (the key is
STATE/redaction.key). Clients see it until the daemon is started again; then it is empty, and whoever needs it writes it
anew. "*" and "?" match within a name, "**" any number of names. What was recorded before stays in the history.

History is kept for ever unless --keep-commits or --keep-age says how much of it; with both, a commit stays when either
wants it. What is older goes, except what a tag or another branch holds on to; no commit changes its id.

Trace: one line of JSON for every request with its reply, reads and failures too, and for every watch event, connection and
disconnection; "tail -f FILE | jq". Lines wait up to 0.1 s for a write, and the last ones are lost with kill -9; when they
cannot be written they are dropped, and clients notice nothing. What is in FILE at start stays before them. The values
that --redact names are left out.

Examples:
  xenstored-tng                                  # sockets in ./.xenstore/run
  xenstored-tng --dir /var/lib/xenstored-tng --run /run/xenstored
  xenstored-tng --redact '/vm/*/vncpasswd' --redact '/local/domain/*/backend/vfb/**/vncpasswd'
  xenstored-tng --trace /var/log/xenstored-tng/trace.json --trace-bytes-max 256M
  XENSTORED_PATH=.xenstore/run/socket xenstore-write /hello world
  git -C .xenstore/state/store.git log -p`;

/** Parses the command line; ends the process for `--help`, `--version` and mistakes. */
export function parseDaemonOptions(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  version: string,
): DaemonOptions {
  const program = new Command("xenstored-tng")
    .description("A XenStore daemon that remembers: every committed change is a Git commit.")
    .version(version)
    .addOption(directoryOption("--dir <dir>", "directory of state/ and run/").default("./.xenstore"))
    .addOption(directoryOption("--state <dir>", "directory of journal and repository (default: DIR/state)"))
    .addOption(directoryOption("--run <dir>", "directory of the sockets (default: $XENSTORED_RUNDIR or DIR/run)"))
    .addOption(new Option("--durability <kind>", "what a reply promises").choices(DURABILITIES).default("process"))
    .addOption(
      new Option("--seal-ms <ms>", "how long history may lag behind, in milliseconds")
        .default(500)
        .argParser(parseSeal),
    )
    .addOption(new Option("--keep-commits <n>", "drop history before the newest n commits").argParser(parseKeepCommits))
    .addOption(new Option("--keep-age <age>", "drop history older than this, e.g. 30d or 12h").argParser(parseKeepAge))
    .addOption(
      new Option("--redact <glob>", "keep values at these paths out of journal and history (may be repeated)")
        .default([], "none")
        .argParser(parseRedact),
    )
    .addOption(journalMaxOption())
    .addOption(
      new Option("--log-level <level>", "least important level that is logged").choices(LOG_LEVELS).default("info"),
    )
    .addOption(
      new Option("--listener <kind>", "what carries the sockets (default: reactor where it was built)").choices(
        LISTENER_KINDS,
      ),
    )
    .addOption(
      new Option("--no-admin", "serve no admin socket (RUN/admin.sock): xs then reads no history of this daemon"),
    )
    .addOption(new Option("--no-metrics", "count nothing for /metrics of the admin socket (Prometheus)"))
    .addOption(new Option("--log-file <file>", "log to a file, reopened on SIGHUP (default: standard error)"))
    .addHelpText("after", AFTER_HELP)
    .allowExcessArguments(false)
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    });
  for (const option of [...httpOptions(), ...traceOptions()]) program.addOption(option);
  program.parse(argv, { from: "user" });
  refuseUselessTraceOptions(program);
  refuseBadHttpOptions(program);
  const flags = program.opts<Flags>();
  const directory = resolve(flags.dir);
  const fromEnvironment = environment["XENSTORED_RUNDIR"];
  const run = flags.run ?? (fromEnvironment === "" ? undefined : fromEnvironment) ?? join(directory, "run");
  return {
    stateDirectory: resolve(flags.state ?? join(directory, "state")),
    runDirectory: resolve(run),
    durability: flags.durability,
    sealMilliseconds: flags.sealMs,
    redact: flags.redact,
    journalBytesMax: flags.journalMax,
    keepCommits: flags.keepCommits,
    keepSeconds: flags.keepAge,
    logLevel: flags.logLevel,
    logFile: flags.logFile === undefined ? undefined : resolve(flags.logFile),
    trace: traceOf(flags),
    listenerKind: flags.listener,
    hasConsole: flags.admin,
    http: httpOf(flags),
    hasMetrics: flags.metrics && flags.admin,
  };
}

/** An empty path would be the working directory, where an unset variable of a script would put everything. */
function directoryOption(flag: string, purpose: string): Option {
  return new Option(flag, purpose).argParser((text) => {
    if (text !== "") return text;
    throw new InvalidArgumentError('It is the path of a directory and not empty; "." is the working directory.');
  });
}

interface Flags extends TraceFlags, HttpFlags {
  readonly dir: string;
  readonly state?: string;
  readonly run?: string;
  readonly durability: Durability;
  readonly sealMs: number;
  readonly redact: readonly PathGlob[];
  readonly journalMax: number;
  readonly keepCommits?: number;
  readonly keepAge?: number;
  readonly logLevel: LogLevel;
  readonly logFile?: string;
  readonly listener?: ListenerKind;
  readonly metrics: boolean;
}

interface HttpFlags {
  readonly admin: boolean;
  readonly http: HttpAddress | "off";
  readonly httpCert?: string;
  readonly httpKey?: string;
  readonly httpName: readonly string[];
}

interface TraceFlags {
  readonly trace?: string;
  readonly traceBytesMax: number;
  readonly traceFilesMax: number;
}

function httpOptions(): readonly Option[] {
  const name = "a name by which it may be asked there besides its address (may be repeated)";
  return [
    httpOption(),
    fileOption("--http-cert <file>", "serve HTTPS there, with this certificate (PEM)"),
    fileOption("--http-key <file>", "and its key (PEM)"),
    new Option("--http-name <name>", name).default([], "none").argParser((text, before: readonly string[]) => {
      if (isHostName(text)) return [...before, text];
      throw new InvalidArgumentError("It is a name or an address without a port, such as xen.example.");
    }),
  ];
}

function httpOption(): Option {
  return new Option("--http <address>", 'where browsers reach the HTTP API, with the token in RUN/http-token; or "off"')
    .default(DEFAULT_HTTP_ADDRESS, formatHttpAddress(DEFAULT_HTTP_ADDRESS))
    .argParser((text) => {
      const address = text === "off" ? text : parseHttpAddress(text);
      if (address !== undefined) return address;
      throw new InvalidArgumentError("It is an address and a port, such as 127.0.0.1:7437 or [::1]:7437, or off.");
    });
}

/** What would be reached otherwise than somebody believes. */
function refuseBadHttpOptions(program: Command): void {
  const { admin, http, httpCert, httpKey, httpName } = program.opts<HttpFlags>();
  const refuse = (text: string): void => {
    program.error(`error: ${text}`);
  };
  const given = ["http", "httpCert", "httpKey", "httpName"].filter(
    (name) => program.getOptionValueSource(name) === "cli",
  );
  if (!admin && given.length > 0 && http !== "off") refuse("--no-admin serves no HTTP API: leave it out, or --http");
  if ((httpCert === undefined) !== (httpKey === undefined)) refuse("--http-cert and --http-key go together");
  if (http === "off" || isLoopback(http.host)) return;
  const where = formatHttpAddress(http);
  if (httpCert === undefined)
    refuse(`--http ${where} can be reached from elsewhere: that needs --http-cert and --http-key`);
  if (httpName.length === 0) refuse(`--http ${where} needs the names by which it is asked: --http-name NAME`);
}

function httpOf({ admin, http: address, httpCert, httpKey, httpName: names }: HttpFlags): DaemonOptions["http"] {
  if (!admin || address === "off") return undefined;
  const tls =
    httpCert === undefined || httpKey === undefined
      ? undefined
      : { certFile: resolve(httpCert), keyFile: resolve(httpKey) };
  return { address, tls, names };
}

function traceOptions(): readonly Option[] {
  return [
    fileOption("--trace <file>", "write every request and its reply to a file, reopened on SIGHUP"),
    new Option("--trace-bytes-max <size>", "size at which a trace file is renamed to FILE.1, K, M or G")
      .default(parseSize(TRACE_BYTES_MAX), TRACE_BYTES_MAX)
      .argParser(parseSize),
    new Option("--trace-files-max <number>", "most trace files, FILE included; the oldest goes")
      .default(TRACE_FILES_MAX)
      .argParser(parseTraceFiles),
  ];
}

/** A limit without a trace is the mistake of somebody who believes that there is one. */
function refuseUselessTraceOptions(program: Command): void {
  if (program.getOptionValueSource("trace") !== undefined) return;
  const useless = traceOptions().find((option) => program.getOptionValueSource(option.attributeName()) === "cli");
  if (useless === undefined) return;
  const { long = "" } = useless;
  program.error(`error: ${long} says how large a trace may be, and there is none: add --trace FILE, or leave it out`);
}

function traceOf({ trace, traceBytesMax, traceFilesMax }: TraceFlags): TraceConfig | undefined {
  return trace === undefined ? undefined : { file: resolve(trace), bytesMax: traceBytesMax, filesMax: traceFilesMax };
}

/** An empty path is the mistake of an unset variable of a script. */
function fileOption(flag: string, purpose: string): Option {
  return new Option(flag, purpose).argParser((text) => {
    if (text !== "") return text;
    throw new InvalidArgumentError("It is the path of a file and not empty.");
  });
}

function parseTraceFiles(text: string): number {
  const value = /^[0-9]{1,4}$/.test(text) ? Number(text) : NaN;
  if (value >= 1 && value <= TRACE_FILES_MOST) return value;
  throw new InvalidArgumentError(`It is a number of files from 1 to ${String(TRACE_FILES_MOST)}.`);
}

function parseSeal(text: string): number {
  const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (value >= 1 && value <= SEAL_MILLISECONDS_MAX) return value;
  throw new InvalidArgumentError(`It is a number of milliseconds from 1 to ${String(SEAL_MILLISECONDS_MAX)}.`);
}

function parseRedact(text: string, before: readonly PathGlob[]): readonly PathGlob[] {
  try {
    return [...before, parsePathGlob(text)];
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["K", 1024],
  ["M", 1024 ** 2],
  ["G", 1024 ** 3],
]);

function journalMaxOption(): Option {
  const purpose =
    "most bytes that wait for the history, K, M or G: from a half of it on, clients that commit are slowed";
  return new Option("--journal-max <size>", purpose)
    .default(parseSize(JOURNAL_BYTES_MAX), JOURNAL_BYTES_MAX)
    .argParser(parseSize);
}

function parseSize(text: string): number {
  const [, digits = "", unit = ""] = /^([0-9]{1,12})([KMG]?)$/i.exec(text) ?? [];
  const bytes = digits === "" ? NaN : Number(digits) * (UNITS.get(unit.toUpperCase()) ?? NaN);
  if (bytes >= SIZE_LEAST && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError("It is a number of bytes, or one with K, M or G behind it; at least 64K.");
}
