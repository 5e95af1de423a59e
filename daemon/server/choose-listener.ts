/**
 * Which implementation of the listener port carries the sockets.
 *
 * Owns the choice: the native reactor where it was built, node-ipc else, or what was asked for.
 */
import type { Listener } from "../platform/listener.js";
import { nodeIpcListener } from "./node-ipc-listener.js";
import { reactorListener, whyNoReactor } from "./reactor/reactor-listener.js";

/** What `--listener` takes. */
export const LISTENER_KINDS = ["reactor", "node-ipc"] as const;

/** An implementation of the listener port. */
export type ListenerKind = (typeof LISTENER_KINDS)[number];

/** The faster one of those that are there. */
export function bestListenerKind(): ListenerKind {
  return whyNoReactor() === undefined ? "reactor" : "node-ipc";
}

/**
 * A listener of a kind. Throws, with an error for people, where that kind was not built.
 *
 * @param report - told, in words for people, when a socket that listens cannot accept (no file descriptor is free, say)
 */
export function createListener(kind: ListenerKind, report: (problem: string) => void): Listener {
  return kind === "reactor" ? reactorListener(report) : nodeIpcListener(report);
}
