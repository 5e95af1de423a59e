/**
 * What goes over the connections of a run, counted.
 *
 * Owns the counting: a transport that lets everything through as it is, and looks at the headers of what passes. Payloads
 * are looked at only where a reply is an error.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { ERROR, WATCH_EVENT, operationNamed } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import type { Transport } from "../../clients/xenstore/transport.js";

/** Counts since the start. */
export interface Traffic {
  readonly connections: number;
  readonly requests: number;
  /** Transactions that were ended, those that were given up or failed too. */
  readonly transactions: number;
  /** Replies that were errors; most are answers to a look at what may be there. */
  readonly errors: number;
  /** Transactions that must be tried again: their END answered EAGAIN. */
  readonly conflicts: number;
  readonly events: number;
}

const EAGAIN_PAYLOAD = "EAGAIN\0";
const TRANSACTION_END = operationNamed("TRANSACTION_END").number;

/** Counts what goes through its transports. */
export class TrafficMeter {
  #connections = 0;
  #requests = 0;
  #transactions = 0;
  #errors = 0;
  #conflicts = 0;
  #events = 0;

  /** What has passed so far. */
  traffic(): Traffic {
    return {
      connections: this.#connections,
      requests: this.#requests,
      transactions: this.#transactions,
      errors: this.#errors,
      conflicts: this.#conflicts,
      events: this.#events,
    };
  }

  /** A transport like `transport`, whose traffic is counted. */
  through(transport: Transport): Transport {
    return {
      name: transport.name,
      open: async (handler) => {
        const [sent, received] = [new MessageParser(), new MessageParser()];
        const connection = await transport.open({
          received: (chunk) => {
            this.#countReceived(received, chunk);
            handler.received(chunk);
          },
          closed: (error) => {
            handler.closed(error);
          },
        });
        this.#connections++;
        return {
          send: (bytes) => {
            this.#countSent(sent, bytes);
            connection.send(bytes);
          },
          close: () => {
            connection.close();
          },
        };
      },
    };
  }

  #countSent(parser: MessageParser, bytes: ByteString): void {
    parser.push(bytes);
    for (let message = parser.next(); message !== undefined; message = parser.next()) {
      this.#requests++;
      if (message.type === TRANSACTION_END) this.#transactions++;
    }
  }

  #countReceived(parser: MessageParser, chunk: ByteString): void {
    parser.push(chunk);
    for (let message = parser.next(); message !== undefined; message = parser.next()) {
      if (message.type === WATCH_EVENT) this.#events++;
      else if (message.type === ERROR) {
        this.#errors++;
        if (message.payload === EAGAIN_PAYLOAD) this.#conflicts++;
      }
    }
  }
}
