/**
 * A watch, as the client's user sees it: an async iterator over its events.
 *
 * Owns the buffer between arrival and use. Invariants:
 *
 * 1. Events come out in the order of their arrival.
 * 2. At most `bufferedEventsMax` wait. An event too many empties the buffer, and one event on the watched path, with
 *    `missed` set, takes the place of all: a watch says *that* something changed, so reading everything below the path
 *    again makes up for any number of lost events.
 * 3. After `close` no event comes out; after a failure those that wait come out first, then the error.
 */
import type { ByteString } from "../../protocol/bytes.js";

/** A change, or the first event of a watch, which comes whether or not there was one. */
export interface WatchEvent {
  /** The path that changed: at or below the watched path, relative when that is relative, `@…` for a special watch. */
  readonly path: ByteString;
  /** The watch's token. */
  readonly token: ByteString;
  /**
   * Whether changes before this event may have been missed: after a reconnection, or when events came faster than they
   * were taken. Read all that the watch is about again.
   */
  readonly missed: boolean;
  /** Grows with each event of the client: merges the events of several watches in the order of their arrival. */
  readonly order: number;
}

/** How to watch. */
export interface WatchOptions {
  /** Comes with each event; unique among the client's watches. One is made up when left out. */
  readonly token?: ByteString;
  /** How many levels below the path are watched, 0 for the path itself; all when left out. Not every daemon has this. */
  readonly depth?: number;
  /** Most events that wait to be taken, at least 1; 10,000 when left out. */
  readonly bufferedEventsMax?: number;
  /**
   * Takes each event as it arrives, so none waits and none comes out of the iterator: for who merges the events of many
   * watches, such as a kernel with its one queue. Must not throw.
   */
  readonly onEvent?: (event: WatchEvent) => void;
}

/**
 * A registered watch. Take its events with `for await`, which closes it when the loop is left, or one by one with `next`.
 */
export interface Watch extends AsyncIterable<WatchEvent> {
  readonly path: ByteString;
  readonly token: ByteString;
  /** The next event, or undefined when the watch is closed. Rejects when the watch has failed. */
  next(): Promise<WatchEvent | undefined>;
  /** Removes the watch; no event follows. Resolves when the daemon has been told; harmless when repeated. */
  close(): Promise<void>;
}

const BUFFERED_EVENTS_MAX = 10_000;

interface Waiter {
  readonly resolve: (event: WatchEvent | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** The state of a watch, fed by the client. */
export class WatchQueue implements Watch {
  readonly path: ByteString;
  readonly token: ByteString;
  readonly depth: number | undefined;
  readonly #bufferedEventsMax: number;
  readonly #onEvent: ((event: WatchEvent) => void) | undefined;
  readonly #unwatch: (watch: WatchQueue) => Promise<void>;
  #events: WatchEvent[] = [];
  /** Where the oldest event is: taking one must not move all the others. */
  #head = 0;
  #waiters: Waiter[] = [];
  #missed = false;
  #isClosed = false;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /**
   * @param unwatch - called once, when the user closes the watch
   */
  constructor(
    path: ByteString,
    token: ByteString,
    options: WatchOptions,
    unwatch: (watch: WatchQueue) => Promise<void>,
  ) {
    this.path = path;
    this.token = token;
    this.depth = options.depth;
    this.#bufferedEventsMax = Math.max(1, options.bufferedEventsMax ?? BUFFERED_EVENTS_MAX);
    this.#onEvent = options.onEvent;
    this.#unwatch = unwatch;
  }

  /** Takes an event from the daemon. */
  push(path: ByteString, order: number): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    if (this.#onEvent !== undefined) {
      const missed = this.#missed;
      this.#missed = false;
      this.#onEvent({ path, token: this.token, missed, order });
      return;
    }
    const overflow = this.#events.length - this.#head >= this.#bufferedEventsMax;
    if (overflow) {
      this.#events = [];
      this.#head = 0;
    }
    const missed = this.#missed || overflow;
    const event = { path: overflow ? this.path : path, token: this.token, missed, order };
    this.#missed = false;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#events.push(event);
    else waiter.resolve(event);
  }

  /** Marks the next event as one before which others may have been missed. */
  markMissed(): void {
    this.#missed = true;
  }

  /** Ends the watch with an error, which comes after the events that wait. */
  fail(error: Error): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    this.#failure = error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  /** Ends the watch without telling the daemon, because that has removed it. */
  finish(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events = [];
    this.#head = 0;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(undefined);
  }

  async next(): Promise<WatchEvent | undefined> {
    if (this.#isClosed) return undefined;
    const event = this.#take();
    if (event !== undefined) return event;
    if (this.#failure !== undefined) throw this.#failure;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  async close(): Promise<void> {
    if (this.#closing === undefined) {
      const isOver = this.#isClosed || this.#failure !== undefined;
      this.finish();
      this.#closing = isOver ? Promise.resolve() : this.#unwatch(this);
    }
    await this.#closing;
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchEvent, undefined> {
    return {
      next: async () => {
        const event = await this.next();
        return event === undefined ? { done: true, value: undefined } : { done: false, value: event };
      },
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  #take(): WatchEvent | undefined {
    const event = this.#events[this.#head];
    if (event === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#events.length) {
      this.#events = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
    return event;
  }
}
