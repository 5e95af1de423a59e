/**
 * Mistakes on the wire, made in a daemon's name: what it writes is parsed, changed and written on.
 *
 * Owns the listener that does it. What clients send may be changed too, unseen by whoever taps the network.
 */
import type { Listener } from "../../daemon/platform/listener.js";
import { serializeMessage, type Message } from "../../protocol/message.js";
import { MessageParser } from "../../protocol/parser.js";

/** What is known of one connection. */
export interface WireContext {
  /** The requests that the daemon was given, by their number; clients number theirs without repeating one. */
  readonly requests: ReadonlyMap<number, Message>;
  /** The last message that the daemon wrote. */
  readonly last: Message | undefined;
}

/** What to make of messages. */
export interface WireMistake {
  /** What the daemon wrote at once. */
  readonly output?: (messages: readonly Message[], context: WireContext) => readonly Message[];
  readonly input?: (message: Message) => Message;
}

/** Makes the mistake on every connection. */
export function mistakenListener(listener: Listener, { output, input }: WireMistake): Listener {
  return {
    listen: (path, accept) =>
      listener.listen(path, (stream) => {
        const requests = new Map<number, Message>();
        const context: { requests: Map<number, Message>; last: Message | undefined } = { requests, last: undefined };
        const parser = new MessageParser();
        const handler = accept({
          write: (data) => {
            const messages = messagesOf(new MessageParser(), data);
            const written = output?.(messages, context) ?? messages;
            context.last = messages.at(-1);
            return written.length === 0 || stream.write(written.map(serializeMessage).join(""));
          },
          pendingBytes: () => stream.pendingBytes(),
          pause: () => stream.pause(),
          resume: () => stream.resume(),
          finish: () => stream.finish(),
          close: () => stream.close(),
        });
        return {
          data: (chunk) => {
            const messages = messagesOf(parser, chunk).map((message) => input?.(message) ?? message);
            for (const message of messages) requests.set(message.requestId, message);
            if (messages.length > 0) handler.data(messages.map(serializeMessage).join(""));
          },
          drain: () => handler.drain(),
          ended: () => handler.ended(),
          closed: () => handler.closed(),
        };
      }),
  };
}

function messagesOf(parser: MessageParser, data: string): Message[] {
  const messages: Message[] = [];
  parser.push(data);
  for (let message = parser.next(); message !== undefined; message = parser.next()) messages.push(message);
  return messages;
}
