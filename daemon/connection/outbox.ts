/**
 * Outboxes: the output of a connection between the core and its socket.
 *
 * Owns the order and the bounds of what a client has not read yet. Invariants:
 *
 * 1. What a tick produces stays in `tick` until the tick's commits are in the journal: `discardTick` undoes it,
 *    `takeTick` or `settleTick` releases it.
 * 2. While the socket takes no more, released output waits in the backlog, flat, so that it keeps no input chunk alive.
 * 3. While a backlog waits or the socket holds output, an event equal to one that waits already may be dropped
 *    (collapsed): the client learns that the path changed either way. Special events are never collapsed.
 */
import { flattenBytes, type ByteString } from "../../protocol/bytes.js";

/** What an outbox did, for metrics. */
export interface OutboxCounters {
  collapsedEvents: number;
  droppedEvents: number;
}

/** What becomes of an event: an equal one waits already, or the client has left too much unread. */
export type EventFate = "sent" | "collapsed" | "dropped";

/** Output of one connection. */
export class Outbox {
  readonly counters: OutboxCounters = { collapsedEvents: 0, droppedEvents: 0 };
  /** Bytes that the socket's own queue holds; kept by the server. */
  socketBytes = 0;
  /** Replies in `tick` and backlog. */
  #replies = 0;
  #tick: ByteString = "";
  #tickReplies = 0;
  readonly #tickEvents = new Set<ByteString>();
  #backlog: ByteString[] = [];
  #backlogBytes = 0;
  readonly #waitingEvents = new Set<ByteString>();
  #tickEventBytes = 0;
  #waitingEventBytes = 0;

  /** Bytes that are held because the client has not read: output, and the copies of events that may be collapsed. */
  get unreadBytes(): number {
    const events = this.#tickEventBytes + this.#waitingEventBytes;
    return this.#tick.length + this.#backlogBytes + events + this.socketBytes;
  }

  /** Replies that the socket has not been given. */
  get unsentReplies(): number {
    return this.#replies + this.#tickReplies;
  }

  /** Whether released output waits for the socket. */
  get hasBacklog(): boolean {
    return this.#backlogBytes > 0;
  }

  /** Adds a reply, which is never dropped. */
  addReply(message: ByteString): void {
    this.#tick += message;
    this.#tickReplies++;
  }

  /**
   * Adds an event.
   *
   * @param bytesMax - unread bytes above which it is dropped and counted
   * @returns what becomes of it; one that is collapsed or dropped is not sent
   */
  addEvent(message: ByteString, options: { readonly collapsible: boolean; readonly bytesMax: number }): EventFate {
    const remembered = options.collapsible && (this.hasBacklog || this.socketBytes > 0);
    if (remembered && (this.#waitingEvents.has(message) || this.#tickEvents.has(message))) {
      this.counters.collapsedEvents++;
      return "collapsed";
    }
    const bytes = remembered ? 2 * message.length : message.length;
    if (this.unreadBytes + bytes > options.bytesMax) {
      this.counters.droppedEvents++;
      return "dropped";
    }
    if (remembered) {
      this.#tickEvents.add(flattenBytes(message));
      this.#tickEventBytes += message.length;
    }
    this.#tick += message;
    return "sent";
  }

  /** Drops what this tick produced. */
  discardTick(): void {
    this.#tick = "";
    this.#tickReplies = 0;
    if (this.#tickEvents.size === 0) return;
    this.#tickEvents.clear();
    this.#tickEventBytes = 0;
  }

  /** Releases what this tick produced to a socket that takes it all; the caller sees that there is no backlog. */
  takeTick(): ByteString {
    const output = this.#tick;
    this.discardTick();
    return output;
  }

  /** Releases what this tick produced into the backlog. */
  settleTick(): void {
    if (this.#tick === "") return;
    this.#backlog.push(flattenBytes(this.#tick));
    this.#backlogBytes += this.#tick.length;
    this.#replies += this.#tickReplies;
    for (const event of this.#tickEvents) this.#waitingEvents.add(event);
    this.#waitingEventBytes += this.#tickEventBytes;
    this.discardTick();
  }

  /** Takes the whole backlog for the socket. */
  takeBacklog(): ByteString {
    const output = this.#backlog.join("");
    this.#backlog = [];
    this.#backlogBytes = 0;
    this.#replies = 0;
    this.#waitingEvents.clear();
    this.#waitingEventBytes = 0;
    return output;
  }
}
