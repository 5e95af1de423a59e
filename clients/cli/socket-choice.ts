/**
 * Which daemon a command talks to.
 *
 * Owns the order of preference. The environment variables are those of the xenstore-* tools; a daemon that was started in
 * the working directory comes before the system's, because whoever starts one there wants to use it.
 */
import { join } from "node:path";
import type { CliIo } from "./io.js";

/** The socket of a daemon that runs as a part of the system. */
const SYSTEM_SOCKET = "/run/xenstored/socket";
/** The socket of a daemon that was started in the working directory. */
const LOCAL_SOCKET = join(".xenstore", "run", "socket");

/** The socket to use. */
export function chooseSocket(
  given: string | undefined,
  { environment, fileExists }: Pick<CliIo, "environment" | "fileExists">,
): string {
  if (given !== undefined) return given;
  const path = environment["XENSTORED_PATH"] ?? "";
  if (path !== "") return path;
  const directory = environment["XENSTORED_RUNDIR"] ?? "";
  if (directory !== "") return join(directory, "socket");
  return fileExists(LOCAL_SOCKET) ? LOCAL_SOCKET : SYSTEM_SOCKET;
}
