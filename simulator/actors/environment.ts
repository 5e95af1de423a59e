/**
 * What actors need from outside: connections, time and chance.
 *
 * Owns the ports. With sockets, the machine's clock and randomness they are a storm's; with everything in memory, virtual
 * time and a seed, a deterministic run's. Actors know each other through the store alone, so nothing here leads from one to
 * another.
 */
import type { XenstoreClient } from "../../clients/xenstore/client.js";
import type { Domid } from "../../protocol/identifiers.js";

/** The surroundings of an actor. */
export interface Environment {
  /**
   * Opens a connection as a domain, which reconnects when the daemon restarts.
   *
   * @param actor - who it is for, such as `xl` or `guest`: for whoever looks on
   */
  connect(domid: Domid, actor: string): Promise<XenstoreClient>;
  /** Resolves after this time; rejects with the signal's reason when that is aborted before. */
  delay(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** A number from 0 up to, but not including, 1. */
  random(): number;
  /** Wall-clock time in milliseconds since the Unix epoch. */
  nowMilliseconds(): number;
}
