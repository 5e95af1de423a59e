/**
 * Which daemon a command talks to.
 *
 * Owns the order of preference. The environment variables are those of the xenstore-* tools; a daemon that was started in
 * the working directory comes before the system's, because whoever starts one there wants to use it.
 */
import { basename, dirname, join } from "node:path";
import type { CliIo } from "./io.js";

/** The socket of a daemon that runs as a part of the system. */
const SYSTEM_SOCKET = "/run/xenstored/socket";
/** The socket of a daemon that was started in the working directory. */
const LOCAL_SOCKET = join(".xenstore", "run", "socket");

/** The directory of forks' sockets, in that of the daemon's. */
const FORKS_DIRECTORY = "branches";

/** What `--fork` names where it names no fork. */
const MAIN = "main";

/** A socket, and what it is of. */
export interface ChosenSocket {
  readonly socket: string;
  /** The directory of the daemon's sockets, where it is not a guest's. */
  readonly runDirectory: string;
  /** The fork that it serves; undefined for any other socket. */
  readonly fork: string | undefined;
  /** Whether the options or the environment name a daemon; else it is one where daemons are by custom, or nowhere. */
  readonly isNamed: boolean;
}

/** The socket to use; with a fork, that of the fork, and with main that of main. */
export function chooseSocket(
  given: string | undefined,
  fork: string | undefined,
  io: Pick<CliIo, "environment" | "fileExists">,
): ChosenSocket {
  const named = namedSocket(given, io);
  const socket = named ?? (io.fileExists(LOCAL_SOCKET) ? LOCAL_SOCKET : SYSTEM_SOCKET);
  const isNamed = named !== undefined;
  const directory = dirname(socket);
  // A daemon may serve main in a directory of that name.
  const hasAdmin = (run: string): boolean => io.fileExists(join(run, "admin.sock"));
  const isOfFork =
    basename(directory) === FORKS_DIRECTORY &&
    !hasAdmin(directory) &&
    (hasAdmin(dirname(directory)) || fork !== undefined);
  const runDirectory = isOfFork ? dirname(directory) : directory;
  const socketOfMain = isOfFork ? join(runDirectory, basename(SYSTEM_SOCKET)) : socket;
  if (fork === MAIN) return { socket: socketOfMain, runDirectory, fork: undefined, isNamed };
  if (fork !== undefined) return { socket: join(runDirectory, FORKS_DIRECTORY, fork), runDirectory, fork, isNamed };
  return { socket, runDirectory, fork: isOfFork ? basename(socket) : undefined, isNamed };
}

function namedSocket(given: string | undefined, { environment }: Pick<CliIo, "environment">): string | undefined {
  if (given !== undefined) return given;
  const path = environment["XENSTORED_PATH"] ?? "";
  if (path !== "") return path;
  const directory = environment["XENSTORED_RUNDIR"] ?? "";
  return directory === "" ? undefined : join(directory, "socket");
}
