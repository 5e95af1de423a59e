/**
 * A raw client of the wire protocol, for tests.
 *
 * Owns one connection: it sends any bytes at all, and hands out what arrives in the order of arrival. It checks nothing
 * but the framing, because the tests that use it are about what a daemon does with bad input. Every wait ends: with what
 * was waited for, with the connection's end, or with an error that says what was waited for and what has arrived.
 */
import { connect as connectSocket, type Socket } from "node:net";
import type { ByteString } from "../../protocol/bytes.js";
import { serializeHeader, serializeMessage, type Message } from "../../protocol/message.js";
import { ERROR, getOperation, operationNamed, WATCH_EVENT, type OperationName } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { parseStrings } from "../../protocol/payload.js";

/** Longest wait for a message: a daemon that answers at all does so in milliseconds. */
const WAIT_MILLISECONDS_MAX = 10_000;

/** Where a request goes besides its payload. */
export interface RequestOptions {
  /** Transaction id; 0 when left out. */
  readonly txId?: number;
  /** Chosen by the client when left out: 1, 2, 3, … */
  readonly requestId?: number;
}

/** A watch event. */
export interface WatchEvent {
  readonly path: ByteString;
  readonly token: ByteString;
}

/** What kind of message is waited for. */
type Wanted = (message: Message) => boolean;

interface Waiter {
  readonly wanted: Wanted;
  readonly settle: (message: Message | undefined) => void;
}

/** Describes a message for people. */
export function describeMessage({ type, requestId, txId, payload }: Message): string {
  const name = type === ERROR ? "ERROR" : type === WATCH_EVENT ? "WATCH_EVENT" : (getOperation(type)?.name ?? "?");
  const shown = payload.length > 200 ? `${payload.slice(0, 200)}…` : payload;
  return `${name}(${String(type)}) req ${String(requestId)} tx ${String(txId)} ${JSON.stringify(shown)}`;
}

/** Whether a message is a watch event. */
export function isEvent(message: Message): boolean {
  return message.type === WATCH_EVENT;
}

/** The result of a reply as text: the payload, without the NUL at its end, or the error's name. */
export function resultOf(message: Message): string {
  return message.payload.endsWith("\0") ? message.payload.slice(0, -1) : message.payload;
}

/** One connection. Made by `connectClient`. */
export class WireClient {
  readonly #socket: Socket;
  readonly #parser = new MessageParser();
  readonly #inbox: Message[] = [];
  readonly #waiters: Waiter[] = [];
  #lastRequestId = 0;
  #isClosed = false;
  /** Resolves when the daemon has ended the connection, or it was destroyed. */
  readonly closed: Promise<void>;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      this.#parser.push(chunk as unknown as string);
      for (let message = this.#parser.next(); message !== undefined; message = this.#parser.next()) {
        this.#deliver(message);
      }
    });
    // A reset is one way for a daemon to close; "close" follows.
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      const close = (): void => {
        this.#isClosed = true;
        for (const waiter of this.#waiters.splice(0)) waiter.settle(undefined);
        resolve();
      };
      socket.once("end", close);
      socket.once("close", close);
    });
  }

  /** Whether the daemon has ended the connection. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What has arrived and was not taken. */
  get inbox(): readonly Message[] {
    return this.#inbox;
  }

  /** Sends bytes as they are. */
  sendBytes(bytes: ByteString): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes, "latin1");
  }

  /** Resolves when the kernel has taken all that was sent, which a daemon that stops reading can prevent. */
  async taken(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.write("", () => resolve()));
  }

  /** Sends a header that promises `length` bytes of payload, and no payload. */
  sendHeader(type: number, length: number, options: RequestOptions = {}): number {
    const requestId = options.requestId ?? ++this.#lastRequestId;
    this.sendBytes(serializeHeader(type, requestId, options.txId ?? 0, length));
    return requestId;
  }

  /** Encodes a request, and gives it the next request id unless it has one. */
  encode(
    operation: OperationName | number,
    payload: ByteString,
    options: RequestOptions = {},
  ): { readonly requestId: number; readonly bytes: ByteString } {
    const type = typeof operation === "number" ? operation : operationNamed(operation).number;
    const requestId = options.requestId ?? ++this.#lastRequestId;
    return { requestId, bytes: serializeMessage({ type, requestId, txId: options.txId ?? 0, payload }) };
  }

  /** Sends a request and returns its request id. */
  send(operation: OperationName | number, payload: ByteString, options: RequestOptions = {}): number {
    const { requestId, bytes } = this.encode(operation, payload, options);
    this.sendBytes(bytes);
    return requestId;
  }

  /** Takes the first message that arrived or arrives and is wanted; undefined when the connection ends before. */
  async take(wanted: Wanted, description: string): Promise<Message | undefined> {
    const index = this.#inbox.findIndex(wanted);
    if (index !== -1) return this.#inbox.splice(index, 1)[0];
    if (this.#isClosed) return undefined;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        wanted,
        settle: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        const arrived = this.#inbox.map(describeMessage).join("; ");
        reject(new Error(`waited in vain for ${description}; waiting in the inbox: ${arrived || "nothing"}`));
      }, WAIT_MILLISECONDS_MAX);
      this.#waiters.push(waiter);
    });
  }

  /** Takes the next message, whatever it is. */
  async next(): Promise<Message | undefined> {
    return this.take(() => true, "a message");
  }

  /** Takes the reply to a request; throws when the connection ends before. */
  async reply(requestId: number): Promise<Message> {
    const description = `the reply to request ${String(requestId)}`;
    const message = await this.take((each) => !isEvent(each) && each.requestId === requestId, description);
    if (message === undefined) throw new Error(`the connection was closed before ${description}`);
    return message;
  }

  /** Sends a request and takes its reply. */
  async call(
    operation: OperationName | number,
    payload: ByteString = "\0",
    options: RequestOptions = {},
  ): Promise<Message> {
    return this.reply(this.send(operation, payload, options));
  }

  /** Sends strings, each with a NUL behind it (WRITE: not the value), and returns the reply's `resultOf`. */
  async ask(operation: OperationName, strings: readonly ByteString[], options: RequestOptions = {}): Promise<string> {
    const joined = strings.join("\0");
    return resultOf(await this.call(operation, operation === "WRITE" ? joined : `${joined}\0`, options));
  }

  /** As `ask`, but throws unless the request succeeded. For the steps that lead up to what a test is about. */
  async must(operation: OperationName, strings: readonly ByteString[], options: RequestOptions = {}): Promise<string> {
    const joined = strings.join("\0");
    const message = await this.call(operation, operation === "WRITE" ? joined : `${joined}\0`, options);
    if (message.type === ERROR) throw new Error(`${operation} ${joined.slice(0, 200)}: ${resultOf(message)}`);
    return resultOf(message);
  }

  /** Takes the next watch event; throws when the connection ends before. */
  async event(): Promise<WatchEvent> {
    const message = await this.take(isEvent, "a watch event");
    if (message === undefined) throw new Error("the connection was closed before a watch event");
    const [path = "", token = ""] = parseStrings(message.payload) ?? [];
    return { path, token };
  }

  /**
   * Takes every event that the daemon has sent so far: it answers a harmless request behind them.
   */
  async eventsSoFar(): Promise<WatchEvent[]> {
    await this.call("GET_DOMAIN_PATH", "0\0");
    const events: WatchEvent[] = [];
    while (this.#inbox.some(isEvent)) events.push(await this.event());
    return events;
  }

  /** Stops reading from the socket, so that the daemon's output piles up. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Ends the sending direction only. */
  endWriting(): void {
    this.#socket.end();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #deliver(message: Message): void {
    const index = this.#waiters.findIndex(({ wanted }) => wanted(message));
    const [waiter] = index === -1 ? [] : this.#waiters.splice(index, 1);
    if (waiter === undefined) this.#inbox.push(message);
    else waiter.settle(message);
  }
}

/** Connects to a daemon's socket. */
export async function connectClient(path: string): Promise<WireClient> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ path, allowHalfOpen: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(new WireClient(socket));
    });
  });
}
