/**
 * What a service manager is told.
 *
 * Owns the way there: Node has no datagram sockets of the Unix kind, so systemd's own program sends it (sd_notify(3)).
 */
import { execFile } from "node:child_process";

/**
 * Tells that the daemon serves, where somebody wants to know (`NOTIFY_SOCKET`).
 *
 * @param failed - told why that could not be done, in words for people
 */
export function notifyReady(
  environment: Readonly<Record<string, string | undefined>>,
  failed: (reason: string) => void,
): void {
  if ((environment["NOTIFY_SOCKET"] ?? "") === "") return;
  execFile("systemd-notify", ["--ready"], (error) => {
    if (error !== null) failed(`the service manager could not be told that the daemon serves: ${error.message}`);
  });
}
