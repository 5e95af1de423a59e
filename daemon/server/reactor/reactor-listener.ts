/**
 * The listener port over the native reactor.
 *
 * Owns the JavaScript half: which stream or listening socket is meant by a slot, and the calls that its owner gets. One
 * reactor serves all listening sockets of a thread, so that everything that arrived at once, wherever, is one call from C,
 * and one tick of the server.
 */
import { rmSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import { flattenBytes } from "../../../protocol/bytes.js";
import { messageOf } from "../../platform/error-message.js";
import type { Listener, ListeningSocket, Stream, StreamHandler } from "../../platform/listener.js";
import { checkSocketPath } from "../socket-path.js";
import { loadReactorAddon, type ReactorAddon } from "./addon.js";

/** As in `reactor.c`. */
const RECORDS_MAX = 1024;
const RECORD_FIELDS = 4;
/** The field after the records: how many of them were taken up. */
const TAKEN = RECORDS_MAX * RECORD_FIELDS;
/** What one call sends: so many outputs, and it ends with the one that reaches so many bytes. */
const SENDS_MAX = 1024;
const SEND_FIELDS = 3;
const SEND_BYTES = 64 * 1024;
const ACCEPTED = 0;
const DATA = 1;
const ENDED = 2;
const DRAINED = 3;
const CLOSED = 4;

/** Connections that may wait to be accepted; the kernel cuts it to `net.core.somaxconn`. */
const BACKLOG = 4096;
/** A chunk may keep so much of others alive: the most that a slice of Node's own chunks does. */
const KEPT_BYTES_MAX = 64 * 1024;
/** How long a listener rests that cannot accept, nor turn away. */
const REST_MILLISECONDS = 100;

/** A bound socket. */
interface Bound {
  readonly accept: (stream: Stream) => StreamHandler;
  readonly report: (problem: string) => void;
  readonly streams: Set<ReactorStream>;
  readonly path: string;
  readonly slot: number;
  readonly generation: number;
}

/** One accepted connection. */
class ReactorStream implements Stream {
  /** Who is told; set when the owner has taken it up. */
  handler: StreamHandler | undefined;
  readonly slot: number;
  readonly generation: number;
  readonly #reactor: Reactor;
  readonly #addon: ReactorAddon;
  readonly #forget: (stream: ReactorStream) => void;
  /** Whether the kernel had not taken everything when it was last looked at: it may have taken more since. */
  #isPending = false;
  #isClosed = false;

  constructor(
    reactor: Reactor,
    addon: ReactorAddon,
    slot: number,
    generation: number,
    forget: (stream: ReactorStream) => void,
  ) {
    this.#reactor = reactor;
    this.#addon = addon;
    this.slot = slot;
    this.generation = generation;
    this.#forget = forget;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  write(data: string): boolean {
    this.#reactor.writeAll([this], [data]);
    return this.#isClosed || !this.#isPending;
  }

  /** What became of something that was sent: how much waits for the kernel, or -1 when the peer is gone. */
  sent(pending: number): void {
    this.#isPending = pending > 0;
    if (pending < 0) this.close();
  }

  pendingBytes(): number {
    if (this.#isClosed || !this.#isPending) return 0;
    const pending = this.#addon.pendingBytes(this.slot, this.generation);
    this.#isPending = pending > 0;
    return pending;
  }

  pause(): void {
    this.#read(false);
  }

  resume(): void {
    this.#read(true);
  }

  finish(): void {
    if (!this.#isClosed && this.#addon.finish(this.slot, this.generation)) this.#tellLater();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#addon.close(this.slot, this.generation);
    this.#tellLater();
  }

  /** Tells its owner that what it wrote has gone, unless it has written more since. */
  drained(): void {
    if (this.pendingBytes() === 0) this.handler?.drain();
  }

  /** The native half has closed it. */
  wasClosed(): void {
    this.#isClosed = true;
    this.#forget(this);
    this.handler?.closed();
  }

  #read(isRead: boolean): void {
    if (!this.#isClosed && !this.#addon.read(this.slot, this.generation, isRead)) this.close();
  }

  /** Its owner is told of a close of his own once he has returned to the event loop. */
  #tellLater(): void {
    this.#isClosed = true;
    this.#forget(this);
    process.nextTick(() => this.handler?.closed());
  }
}

/** The reactor of this thread. */
class Reactor {
  readonly #addon: ReactorAddon;
  readonly #records = new Int32Array(TAKEN + 1);
  readonly #sends = new Int32Array(SENDS_MAX * SEND_FIELDS);
  /** By slot. */
  readonly #streams: (ReactorStream | undefined)[] = [];
  readonly #bound = new Map<number, Bound>();
  #lastId = 0;

  constructor(addon: ReactorAddon) {
    this.#addon = addon;
    addon.start(this.#records, this.#sends, (input, count) => {
      this.#handle(input, count);
    });
  }

  /** Binds a path; throws when that fails. */
  listen(
    path: string,
    accept: (stream: Stream) => StreamHandler,
    report: (problem: string) => void,
  ): { close: () => void } {
    const id = ++this.#lastId;
    const [slot, generation] = this.#addon.listen(path, BACKLOG, id);
    const bound: Bound = { accept, report, path, slot, generation, streams: new Set() };
    this.#bound.set(id, bound);
    return {
      close: () => {
        if (!this.#bound.delete(id)) return;
        this.#addon.close(slot, generation);
        for (const stream of bound.streams) stream.close();
        removeFile(path, report);
      },
    };
  }

  /** See `Listener.writeAll`. What is for a stream that is closed goes nowhere. */
  writeAll(streams: readonly Stream[], outputs: readonly string[]): void {
    for (let from = 0; from < streams.length;) from = this.#send(streams, outputs, from);
  }

  /** Sends as much as one call does, from one of them on. Returns which is next. */
  #send(streams: readonly Stream[], outputs: readonly string[], from: number): number {
    const sends = this.#sends;
    let bytes = "";
    let next = from;
    while (next < streams.length && next - from < SENDS_MAX && bytes.length < SEND_BYTES) {
      const { slot, generation, isClosed } = ownStream(streams[next]);
      const output = isClosed ? "" : (outputs[next] as string);
      const at = (next - from) * SEND_FIELDS;
      sends[at] = slot;
      sends[at + 1] = generation;
      sends[at + 2] = output.length;
      bytes += output;
      next++;
    }
    this.#addon.send(bytes, next - from);
    for (let index = from; index < next; index++) {
      const stream = ownStream(streams[index]);
      if (!stream.isClosed) stream.sent(sends[(index - from) * SEND_FIELDS + 2] as number);
    }
    return next;
  }

  /** An error that a handler throws goes to C, which reports it and, where that ends nothing, calls for the rest. */
  #handle(input: string, count: number): void {
    const records = this.#records;
    for (let index = records[TAKEN] as number; index < count; index++) {
      records[TAKEN] = index + 1;
      this.#tell(input, index * RECORD_FIELDS);
    }
  }

  #tell(input: string, at: number): void {
    const records = this.#records;
    const [slot, first, second] = [records[at + 1] as number, records[at + 2] as number, records[at + 3] as number];
    const stream = this.#streams[slot];
    switch (records[at] as number) {
      case DATA:
        stream?.handler?.data(chunkOf(input, first, second));
        break;
      case ACCEPTED:
        this.#accept(first, slot, second);
        break;
      case ENDED:
        stream?.handler?.ended();
        break;
      case DRAINED:
        stream?.drained();
        break;
      case CLOSED:
        stream?.wasClosed();
        break;
      default:
        this.#cannotAccept(first, second);
    }
  }

  #accept(id: number, slot: number, generation: number): void {
    const bound = this.#bound.get(id);
    if (bound === undefined) {
      this.#addon.close(slot, generation);
      return;
    }
    const stream = new ReactorStream(this, this.#addon, slot, generation, (gone) => {
      if (this.#streams[slot] === gone) this.#streams[slot] = undefined;
      bound.streams.delete(gone);
    });
    this.#streams[slot] = stream;
    bound.streams.add(stream);
    let isTaken = false;
    try {
      stream.handler = bound.accept(stream);
      isTaken = true;
    } finally {
      // Nobody would ever close it.
      if (!isTaken) stream.close();
    }
  }

  /** It is asked to go on after a while, whether it rests or not. */
  #cannotAccept(id: number, errno: number): void {
    const bound = this.#bound.get(id);
    if (bound === undefined) return;
    const [name, text] = getSystemErrorMap().get(-errno) ?? [`errno ${String(errno)}`, "unknown error"];
    bound.report(`${bound.path} cannot accept a connection: ${name}: ${text}`);
    this.#resumeLater(id, bound);
  }

  #resumeLater(id: number, bound: Bound): void {
    setTimeout(() => {
      if (!this.#bound.has(id)) return;
      if (!this.#addon.read(bound.slot, bound.generation, true)) this.#resumeLater(id, bound);
    }, REST_MILLISECONDS).unref();
  }
}

function ownStream(stream: Stream | undefined): ReactorStream {
  if (stream instanceof ReactorStream) return stream;
  throw new TypeError("writeAll was given a stream of another listener");
}

/** A part of the batch, which does not keep all of a large one alive: its owner may keep a part of it, and be idle for long. */
function chunkOf(input: string, start: number, end: number): string {
  const chunk = input.slice(start, end);
  return input.length > KEPT_BYTES_MAX && input.length > 2 * chunk.length ? flattenBytes(chunk) : chunk;
}

/** A file that cannot be removed is in nobody's way: whoever connects to it is refused, and who listens replaces it. */
function removeFile(path: string, report: (problem: string) => void): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    report(`the socket file cannot be removed: ${messageOf(error)}`);
  }
}

/** That of each addon: there is one, but for tests. */
const reactors = new Map<ReactorAddon, Reactor>();

/** Why the reactor cannot be used here, as text for people; undefined when it can. */
export function whyNoReactor(): string | undefined {
  const addon = loadReactorAddon();
  return typeof addon === "string" ? addon : undefined;
}

/**
 * A listener whose sockets are the reactor's. Throws where it was not built.
 *
 * @param report - told, in words for people, when a socket that listens cannot accept (no file descriptor is free, say)
 */
export function reactorListener(report: (problem: string) => void): Listener {
  const addon = loadReactorAddon();
  if (typeof addon === "string") throw new Error(`the reactor is not available: ${addon}`);
  return listenerOver(addon, report);
}

/** A listener whose sockets are those of an addon's reactor. */
export function listenerOver(addon: ReactorAddon, report: (problem: string) => void): Listener {
  const reactor = reactors.get(addon) ?? new Reactor(addon);
  reactors.set(addon, reactor);
  return {
    listen: (path, accept) => listen(reactor, path, accept, report),
    writeAll(streams, outputs) {
      reactor.writeAll(streams, outputs);
    },
  };
}

function listen(
  reactor: Reactor,
  path: string,
  accept: (stream: Stream) => StreamHandler,
  report: (problem: string) => void,
): ListeningSocket {
  checkSocketPath(path);
  rmSync(path, { force: true });
  try {
    const { close } = reactor.listen(path, accept, report);
    return { listening: Promise.resolve(), close };
  } catch (error) {
    const failed = Promise.reject(new Error(`cannot listen on ${path}: ${reasonOf(error)}`, { cause: error }));
    // Whoever waits for it is told; who does not, asked not to be.
    failed.catch(() => undefined);
    return { listening: failed, close: () => undefined };
  }
}

/** The code of a system error, which people look for, goes before its text. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? `${String(error.code)}: ` : "";
  return code + messageOf(error);
}
