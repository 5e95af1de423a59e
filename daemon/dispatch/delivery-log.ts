/**
 * What became of the last watch events: who was sent them, who might not know, who lost them.
 *
 * Owns a bounded memory of that, for who asks why a watch did not fire.
 *
 * Invariant: what a tick notes counts when the tick has ended (`settle`); of a tick that is undone nothing stays (`discard`).
 */
import { flattenBytes, type ByteString } from "../../protocol/bytes.js";
import type { Domid, Seq } from "../../protocol/identifiers.js";
import type { Connection } from "../connection/connection.js";
import type { EventFate } from "../connection/outbox.js";
import type { Watch } from "../watch/watch-table.js";

/** `refused`: the watch's owner may not know of it; `dropped` is also one that is too long for a message. */
export type DeliveryFate = EventFate | "refused";

/** An event for one watch. */
export interface LoggedDelivery {
  /** The commit that caused it. */
  readonly seq: Seq;
  readonly connection: string;
  readonly domid: Domid;
  /** What the watch is on. */
  readonly watchPath: ByteString;
  readonly token: ByteString;
  /** What the event is about. (A client whose watch is relative reads less of it.) */
  readonly absolutePath: ByteString;
  readonly fate: DeliveryFate;
}

/** So many are remembered. */
export const DELIVERIES_MAX = 4096;

/** The last deliveries. */
export class DeliveryLog {
  #kept: LoggedDelivery[] = [];
  #noted: LoggedDelivery[] = [];
  /** The last path as it was given, and without ties to the chunk that it came in: one write may have many watchers. */
  #given = "";
  #flat = "";

  /**
   * Notes a delivery of this tick.
   *
   * @param path - as the watch's owner reads it
   */
  note(watch: Watch<Connection>, path: ByteString, what: { readonly seq: Seq; readonly fate: DeliveryFate }): void {
    if (path !== this.#given) this.#given = this.#flat = flattenBytes(path);
    const { owner, path: watchPath, token, relativeBase } = watch;
    const { seq, fate } = what;
    const absolutePath = relativeBase === 0 ? this.#flat : watchPath.slice(0, relativeBase) + this.#flat;
    this.#noted.push({ seq, connection: owner.name, domid: owner.domid, watchPath, token, absolutePath, fate });
    // One commit can have more watchers than are remembered.
    if (this.#noted.length > 2 * DELIVERIES_MAX) this.#noted = this.#noted.slice(-DELIVERIES_MAX);
  }

  settle(): void {
    if (this.#noted.length === 0) return;
    for (const delivery of this.#noted) this.#kept.push(delivery);
    this.#noted = [];
    if (this.#kept.length > 2 * DELIVERIES_MAX) this.#kept = this.#kept.slice(-DELIVERIES_MAX);
  }

  discard(): void {
    this.#noted = [];
  }

  /** What is remembered, newest first. */
  *newestFirst(): Generator<LoggedDelivery, undefined> {
    const first = Math.max(0, this.#kept.length - DELIVERIES_MAX);
    for (let index = this.#kept.length - 1; index >= first; index--) yield this.#kept[index] as LoggedDelivery;
    return undefined;
  }
}
