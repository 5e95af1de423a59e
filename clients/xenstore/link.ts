/**
 * The link to the daemon: a session, the next one when that is lost, and the watches that live on over both.
 *
 * Owns reconnecting. Invariants:
 *
 * 1. At most one session is current. While there is none and one is being opened, new requests wait for it.
 * 2. What was under way on a lost session fails and is never sent again: whether it was carried out is not known, and only
 *    the caller can tell whether asking twice is harmless.
 * 3. On a new session the watches are registered before any other request is sent. The daemon answers each with its first
 *    event, which is marked: changes may have been missed.
 * 4. When the link has ended (closed, or given up), every request and every watch fails or ends; nothing waits for ever.
 *
 * States: open → (session lost) → reconnecting → open …; reconnecting → (attempts used up) → ended; any → (close) → ended.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { backoffMilliseconds, type BackoffRange, type Pacing } from "./backoff.js";
import { ConnectionLostError, isXenstoreError, messageOf, XenstoreError } from "./errors.js";
import { encodeRequest } from "./request.js";
import { openSession, type Session, type SessionHandler, type SessionRequest } from "./session.js";
import type { Transport } from "./transport.js";
import { WatchQueue, type WatchOptions } from "./watch.js";

/** How the link goes on after a loss. */
export interface LinkOptions {
  /** Attempts to reconnect after a loss; 0 for none. */
  readonly reconnectAttemptsMax: number;
  readonly pacing: Pacing;
}

const RECONNECT_RANGE: BackoffRange = { firstMilliseconds: 10, mostMilliseconds: 2000 };

/** Opens a link. Rejects when the first connection cannot be opened. */
export async function openLink(transport: Transport, options: LinkOptions): Promise<Link> {
  const link = new Link(transport, options);
  await link.connect();
  return link;
}

/** The link of one client. Made by `openLink`. */
export class Link {
  readonly #transport: Transport;
  readonly #options: LinkOptions;
  #session: Session | undefined;
  #reconnecting: Promise<Session> | undefined;
  #endedWith: Error | undefined;
  /** Ends the waiting between attempts to reconnect, while there is any. */
  #waiting: AbortController | undefined;
  /** By `watchKey`: watches that are registered, being registered, or being removed. */
  readonly #watches = new Map<ByteString, WatchQueue>();
  /** The watches that the daemon has accepted, in the order of their registration. */
  readonly #registered = new Set<WatchQueue>();
  #nextToken = 1;
  #eventCount = 0;

  constructor(transport: Transport, options: LinkOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  /** Opens a session, registers the watches on it, and makes it the current one. */
  async connect(): Promise<Session> {
    let isCurrent = false;
    const handler: SessionHandler = {
      event: (path, token) => {
        this.#watches.get(watchKey(path, token))?.push(path, ++this.#eventCount);
      },
      ended: (cause) => {
        if (isCurrent) this.#lost(cause);
      },
    };
    const session = await openSession(this.#transport, handler);
    if (this.#endedWith !== undefined) session.end(this.#endedWith);
    if (session.endedWith !== undefined) throw session.endedWith;
    isCurrent = true;
    this.#session = session;
    for (const watch of this.#registered) this.#registerAgain(session, watch);
    return session;
  }

  /** The current session, or the next one. */
  async session(): Promise<Session> {
    const session = this.#session ?? this.#reconnecting;
    if (session !== undefined) return session;
    throw this.#endedWith ?? new ConnectionLostError(`there is no connection to ${this.#transport.name}`);
  }

  /** Sends a request on the current session, or the next one. */
  async request(request: SessionRequest): Promise<ByteString> {
    const session = this.#session ?? (await this.session());
    return session.request(request);
  }

  /** Registers a watch. */
  async watch(path: ByteString, options: WatchOptions): Promise<WatchQueue> {
    const token = options.token ?? this.#makeToken();
    const key = watchKey(path, token);
    const other = this.#watches.get(key);
    if (other !== undefined) {
      const reason = `the token ${token} is in use for the watch on ${other.path}; events are told apart by it`;
      throw new XenstoreError({ operation: "WATCH", subject: path, code: "EEXIST", reason });
    }
    const watch = new WatchQueue(path, token, options, (closed) => this.#unwatch(closed));
    const request = watchRequest(watch);
    this.#watches.set(key, watch);
    try {
      await this.request(request);
    } catch (error) {
      this.#forget(watch);
      throw error;
    }
    this.#registered.add(watch);
    return watch;
  }

  /** Sends RESET_WATCHES; the watches that were registered when it was called end. */
  async resetWatches(): Promise<void> {
    const watches = [...this.#watches.values()];
    await this.request(encodeRequest("RESET_WATCHES", {}, 0));
    for (const watch of watches) {
      watch.finish();
      this.#forget(watch);
    }
  }

  /** Ends the link: requests under way fail, watches end. */
  close(): void {
    const reason = new ConnectionLostError(`the client of ${this.#transport.name} was closed`);
    const watches = this.#end(reason);
    for (const watch of watches) watch.finish();
  }

  /** Ends the link; returns the watches that there were. */
  #end(reason: Error): WatchQueue[] {
    if (this.#endedWith !== undefined) return [];
    this.#endedWith = reason;
    this.#waiting?.abort(reason);
    this.#session?.end(reason);
    this.#session = undefined;
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    this.#registered.clear();
    return watches;
  }

  #lost(cause: Error | undefined): void {
    this.#session = undefined;
    if (this.#options.reconnectAttemptsMax > 0) {
      this.#reconnecting = this.#reconnect();
      // Requests that wait for it see the failure; there may be none.
      this.#reconnecting.catch(() => undefined);
      return;
    }
    const why = cause === undefined ? "" : `: ${cause.message}`;
    this.#giveUp(new ConnectionLostError(`the connection to ${this.#transport.name} was lost${why}`, { cause }));
  }

  #giveUp(reason: Error): void {
    for (const watch of this.#end(reason)) watch.fail(reason);
  }

  async #reconnect(): Promise<Session> {
    const { pacing, reconnectAttemptsMax } = this.#options;
    const waiting = new AbortController();
    this.#waiting = waiting;
    let failure: unknown;
    for (let attempt = 1; attempt <= reconnectAttemptsMax; attempt++) {
      const milliseconds = backoffMilliseconds(attempt, RECONNECT_RANGE, () => pacing.random());
      await pacing.delay(milliseconds, waiting.signal);
      try {
        if (this.#endedWith === undefined) return await this.connect();
      } catch (error) {
        failure = error;
      }
      if (this.#endedWith !== undefined) throw this.#endedWith;
    }
    const attempts = `gave up reconnecting after ${String(reconnectAttemptsMax)} attempts`;
    const message = `the connection to ${this.#transport.name} was lost; ${attempts}: ${messageOf(failure)}`;
    const reason = new ConnectionLostError(message, { cause: failure });
    this.#giveUp(reason);
    throw reason;
  }

  #registerAgain(session: Session, watch: WatchQueue): void {
    watch.markMissed();
    session.request(watchRequest(watch)).catch((error: unknown) => {
      // When this session is lost too, the next one will carry the watch.
      if (!isXenstoreError(error)) return;
      watch.fail(error);
      this.#forget(watch);
    });
  }

  /** Removes a watch that its user has closed. Its token stays taken until the daemon sends no more events with it. */
  async #unwatch(watch: WatchQueue): Promise<void> {
    if (!this.#registered.delete(watch)) return;
    const { path, token } = watch;
    try {
      // Without a session there is nothing to remove: the next one will not carry the watch.
      await this.#session?.request(encodeRequest("UNWATCH", { path, token }, 0));
    } catch (error) {
      if (!(error instanceof ConnectionLostError) && !isXenstoreError(error, "ENOENT")) throw error;
    } finally {
      this.#forget(watch);
    }
  }

  #forget(watch: WatchQueue): void {
    this.#registered.delete(watch);
    const key = watchKey(watch.path, watch.token);
    if (this.#watches.get(key) === watch) this.#watches.delete(key);
  }

  #makeToken(): ByteString {
    let token;
    do token = `watch-${String(this.#nextToken++)}`;
    while (this.#watches.has(token));
    return token;
  }
}

/**
 * What tells the watches of a client apart: the token, and for a special watch its name too, since its events can have no
 * other path. So both special watches may have one token, as xenconsoled's have; with nodes' watches that are nested, an
 * event would not tell which of two it is for.
 */
function watchKey(path: ByteString, token: ByteString): string {
  if (!path.startsWith("@")) return token;
  const end = path.indexOf("/");
  return `${end === -1 ? path : path.slice(0, end)}\0${token}`;
}

function watchRequest({ path, token, depth }: WatchQueue): SessionRequest {
  return encodeRequest("WATCH", depth === undefined ? { path, token } : { path, token, depth }, 0);
}
