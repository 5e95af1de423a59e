/**
 * Channels: what one connection has asked, and what it must get.
 *
 * Owns the comparison of what reaches a client with what the model says is due to it. Everything is exact: a reply byte for
 * byte, events one for one. Clients in memory read at once, so that the daemon has no reason to collapse or drop an event,
 * and none is forgiven. One thing alone is left open, as the page on semantics leaves it: the order of the events of a
 * removal among watchers below the node, as far as children come before parents.
 */
import type { Message } from "../../protocol/message.js";
import { ERROR, getOperation, WATCH_EVENT } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import type { ExpectedEvent, ModelConnection } from "./model/model.js";
import { isWithin } from "./model/state.js";
import type { ModelReply } from "./model/tree-request.js";
import type { CheckName } from "./violation.js";

/** What something became due by. */
export interface Cause {
  /** Whose request it was. */
  readonly channel: Channel;
  readonly request: Message;
  /** The seq of the state that the request left. */
  readonly seq: number;
}

/** The reply to a request of this channel. */
interface DueReply {
  readonly kind: "reply";
  readonly reply: ModelReply;
  readonly cause: Cause;
}

/** Events, of which those are taken out that have come. */
interface DueEvents {
  readonly kind: "events" | "removals";
  readonly left: ExpectedEvent[];
  readonly cause: Cause;
}

type Due = DueReply | DueEvents;

/** What is wrong with something that came. */
export interface Problem {
  readonly check: CheckName;
  readonly problem: string;
}

/** One connection. */
export class Channel {
  /** What the daemon calls it in commits. */
  readonly name: string;
  /** Who it is in the model. */
  readonly twin: ModelConnection;
  readonly toDaemon = new MessageParser();
  readonly toClient = new MessageParser();
  /** Requests that have reached the daemon and are not known to be carried out. */
  readonly arrived: Message[] = [];
  /** Whether bytes still go over it. */
  isOpen = true;
  /** Who has opened it. */
  actor = "nobody";
  #due: Due[] = [];

  constructor(name: string, twin: ModelConnection) {
    this.name = name;
    this.twin = twin;
  }

  /** Such as `xl of dom0 (socket-7)`. */
  get label(): string {
    return `${this.actor} of dom${String(this.twin.domid)} (${this.name})`;
  }

  /** Moves what the model expects of the twin behind what is due already. */
  takeExpected(cause: Cause): void {
    const { twin } = this;
    const expectedNow = twin.expected;
    if (expectedNow.length === 0) return;
    twin.expected = [];
    if (!this.isOpen) return;
    for (const expected of expectedNow) {
      if (expected.kind === "reply") this.#due.push({ kind: "reply", reply: expected.reply, cause });
      else if (expected.events.length > 0) {
        this.#due.push({ kind: expected.kind, left: expected.events.slice(), cause });
      }
    }
  }

  /** Nothing reaches the client any more. */
  close(): void {
    this.isOpen = false;
    this.#due = [];
  }

  /**
   * Takes what has reached the client.
   *
   * @param handedOver - the seq of the last commit that was handed over
   */
  receive(message: Message, handedOver: number): Problem | undefined {
    const [due] = this.#due;
    if (due === undefined) {
      return { check: isEvent(message) ? "event" : "order", problem: `${describe(message)} came, and nothing was due` };
    }
    const isRight = due.kind === "reply" ? isReply(message, due) : takeEvent(message, due);
    if (!isRight) return this.#wrong(message, due);
    if (due.kind === "reply" || due.left.length === 0) this.#due.shift();
    if (due.cause.seq <= handedOver) return undefined;
    const problem = `${describe(message)} came before commit ${String(due.cause.seq)} was handed over`;
    return { check: "acknowledgement", problem };
  }

  /** What has not come although nothing more will, if anything. */
  missing(): Problem | undefined {
    const [request] = this.arrived;
    const [due] = this.#due;
    if (!this.isOpen) return undefined;
    if (due !== undefined) return { check: "completeness", problem: `${describeDue(due)} was due and never came` };
    if (request === undefined) return undefined;
    return { check: "completeness", problem: `${describe(request)} was never answered` };
  }

  #wrong(message: Message, due: Due): Problem {
    const problem = `${describe(message)} came where ${describeDue(due)} was due`;
    if (isEvent(message)) {
      const isDueLater = this.#due.some(
        (each) => each.kind !== "reply" && each.left.some((event) => isThis(message, event)),
      );
      return { check: isDueLater ? "order" : "event", problem };
    }
    const isAnswer = due.kind === "reply" && due.cause.request.requestId === message.requestId;
    return { check: isAnswer ? "reply" : "order", problem };
  }
}

function isEvent({ type }: Message): boolean {
  return type === WATCH_EVENT;
}

function isReply(message: Message, { reply, cause }: DueReply): boolean {
  const { request } = cause;
  if (message.requestId !== request.requestId || message.txId !== request.txId) return false;
  if (typeof reply !== "string") return message.type === ERROR && message.payload === `${reply.error}\0`;
  return message.type === request.type && message.payload === reply;
}

/** Takes an event out of those that are due, if it may come now. */
function takeEvent(message: Message, due: DueEvents): boolean {
  const { left } = due;
  const index = due.kind === "events" ? 0 : left.findIndex((each) => isThis(message, each));
  const event = left[index];
  if (event === undefined || !isThis(message, event)) return false;
  const isTooEarly =
    due.kind === "removals" && left.some((other) => other.path !== event.path && isWithin(other.path, event.path));
  if (isTooEarly) return false;
  left.splice(index, 1);
  return true;
}

function isThis({ type, requestId, txId, payload }: Message, event: ExpectedEvent): boolean {
  return type === WATCH_EVENT && requestId === 0 && txId === 0 && payload === `${event.told}\0${event.token}\0`;
}

const SHOWN_MAX = 120;

/** A message in words, such as `READ "a\0" (request 7 in transaction 1)`. */
export function describe({ type, requestId, txId, payload }: Message): string {
  const shown = JSON.stringify(payload.length > SHOWN_MAX ? `${payload.slice(0, SHOWN_MAX)}…` : payload);
  if (type === WATCH_EVENT) return `the event ${shown}`;
  const name = type === ERROR ? "ERROR" : (getOperation(type)?.name ?? `type ${String(type)}`);
  const within = txId === 0 ? "" : ` in transaction ${String(txId)}`;
  return `${name} ${shown} (request ${String(requestId)}${within})`;
}

function describeDue(due: Due): string {
  const { channel, request, seq } = due.cause;
  const cause = `${describe(request)} of ${channel.label} on the state after commit ${String(seq)}`;
  if (due.kind !== "reply") {
    const [event] = due.left;
    return `the event ${JSON.stringify(`${event?.told ?? ""}\0${event?.token ?? ""}\0`)} for ${cause}`;
  }
  const reply = typeof due.reply === "string" ? due.reply : due.reply.error;
  return `the reply ${JSON.stringify(reply.length > SHOWN_MAX ? `${reply.slice(0, SHOWN_MAX)}…` : reply)} to ${cause}`;
}
