/**
 * The directory of a socket that is there for a moment.
 *
 * Owns where it is, for a Unix socket address holds 107 bytes, that nobody else may look into it, and its removal, also when the
 * process is ended meanwhile.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../daemon/platform/error-message.js";
import { usageError } from "./exit.js";

/** Bytes of `sun_path` less its NUL (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;
const PREFIX = "xs-bisect-";
/** What `mkdtemp` puts behind the prefix, and the socket's name. */
const SUFFIX = "XXXXXX/socket";

/** Calls `use` with a fresh private directory whose `socket` can be bound, and removes it with all that is in it. */
export async function withMountDirectory<T>(
  use: (directory: string) => Promise<T>,
  places: readonly string[] = [tmpdir(), "/tmp"],
): Promise<T> {
  const place = places.find((each) => Buffer.byteLength(join(each, PREFIX + SUFFIX)) <= SOCKET_PATH_BYTES_MAX);
  if (place === undefined) {
    throw usageError(
      `${places.join(" and ")} are too long for a socket, whose path has at most ${String(SOCKET_PATH_BYTES_MAX)} bytes: ` +
        "set TMPDIR to a shorter directory",
    );
  }
  const directory = makeDirectory(place);
  const remove = (): void => {
    rmSync(directory, { recursive: true, force: true });
  };
  // Who ends the process by force does not come back here.
  process.once("exit", remove);
  try {
    return await use(directory);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

function makeDirectory(place: string): string {
  try {
    return mkdtempSync(join(place, PREFIX));
  } catch (error) {
    throw usageError(
      `no directory can be made in ${place} (${messageOf(error)}): set TMPDIR to one that is there and can be written`,
    );
  }
}
