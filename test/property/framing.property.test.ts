/**
 * Messages through real sockets and the parser: whatever the cuts, pauses, half-closes and resets, each connection's messages
 * arrive whole and in order, and garbage breaks nobody else.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flattenBytes } from "../../protocol/bytes.js";
import { XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import { serializeMessage, type Message } from "../../protocol/message.js";
import { MessageParser } from "../../protocol/parser.js";
import { createListener, LISTENER_KINDS } from "../../daemon/server/choose-listener.js";
import { whyNoReactor } from "../../daemon/server/reactor/reactor-listener.js";
import { propertyParameters } from "../support/seed.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** What a client does: it sends its messages in pieces, and leaves in one of these ways. */
interface Script {
  readonly messages: readonly Message[];
  /** Lengths of the pieces, again and again. */
  readonly cuts: readonly number[];
  readonly leaves: "ends" | "resets" | "garbage";
  /** The listener does not read for a turn after every so many chunks; never when 0. */
  readonly pauseEvery: number;
}

/** What the listener heard of a client. */
interface Heard {
  readonly messages: Message[];
  brokenLength: number | undefined;
  events: string[];
}

const uint32 = fc.nat(0xffffffff);
const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const payload = fc.oneof(
  fc.string({ unit: byte, maxLength: 40 }),
  fc
    .tuple(fc.constantFrom(1000, XENSTORE_PAYLOAD_MAX - 1, XENSTORE_PAYLOAD_MAX), byte)
    .map(([length, text]) => text.repeat(length)),
);
const message = fc.record({ type: uint32, requestId: uint32, txId: uint32, payload });
const script: fc.Arbitrary<Script> = fc.record({
  messages: fc.array(message, { maxLength: 60, size: "max" }),
  cuts: fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70_000 })), {
    minLength: 1,
    maxLength: 6,
  }),
  leaves: fc.constantFrom("ends", "ends", "resets", "garbage"),
  pauseEvery: fc.nat(3),
});

/** A length of 0xffffffff, which no message has, and more. */
const GARBAGE = "\xff".repeat(500);

async function send(path: string, name: string, { messages, cuts, leaves }: Script): Promise<void> {
  const socket: Socket = createConnection({ path, allowHalfOpen: true }).on("error", () => undefined);
  await once(socket, "connect");
  const text = name + messages.map((each) => serializeMessage(each)).join("") + (leaves === "garbage" ? GARBAGE : "");
  for (let start = 0, index = 0; start < text.length; index++) {
    const end = start + (cuts[index % cuts.length] ?? 1);
    socket.write(text.slice(start, end), "latin1");
    start = end;
    // Small pieces in a turn of their own, so that the kernel does not put them together again.
    if (index % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const closed = once(socket, "close");
  if (leaves === "resets") {
    await new Promise((resolve) => socket.write("", resolve));
    socket.destroy();
  } else {
    socket.end();
    socket.resume();
  }
  await closed;
}

describe.each(LISTENER_KINDS)("%s", (kind) => {
  const suite = test.skipIf(kind === "reactor" && whyNoReactor() !== undefined);

  suite("brings the messages of each connection whole and in order to its parser", async () => {
    let runs = 0;
    const directory = temporaryDirectory();
    const property = fc.asyncProperty(fc.array(script, { minLength: 1, maxLength: 12 }), async (scripts) => {
      const path = join(directory, String(runs++));
      const heard = new Map<string, Heard>();
      let closed = 0;
      const socket = createListener(kind, () => undefined).listen(path, (stream) => {
        const parser = new MessageParser();
        let name: string | undefined;
        let chunks = 0;
        const mine: Heard = { messages: [], brokenLength: undefined, events: [] };
        const data = (chunk: string): void => {
          let bytes = chunk;
          // The first byte tells who it is.
          if (name === undefined) {
            name = flattenBytes(bytes.slice(0, 1));
            heard.set(name, mine);
            bytes = bytes.slice(1);
          }
          parser.push(bytes);
          for (let next = parser.next(); next !== undefined; next = parser.next()) mine.messages.push(next);
          mine.brokenLength = parser.brokenLength;
          const every = scripts[name.charCodeAt(0)]?.pauseEvery ?? 0;
          if (every === 0 || ++chunks % every !== 0) return;
          stream.pause();
          setImmediate(() => {
            stream.resume();
          });
        };
        return {
          data,
          drain: () => undefined,
          ended: () => {
            mine.events.push("ended");
            stream.finish();
          },
          closed: () => {
            mine.events.push("closed");
            closed++;
          },
        };
      });
      try {
        await socket.listening;
        await Promise.all(scripts.map((each, index) => send(path, String.fromCharCode(index), each)));
        while (closed < scripts.length) await new Promise((resolve) => setImmediate(resolve));
      } finally {
        socket.close();
      }
      for (const [index, { messages, leaves }] of scripts.entries()) {
        const { messages: got, brokenLength, events } = heard.get(String.fromCharCode(index)) as Heard;
        expect(got).toEqual(messages);
        expect(brokenLength).toBe(leaves === "garbage" ? 0xffffffff : undefined);
        expect(events).toEqual(["ended", "closed"]);
      }
    });
    await fc.assert(property, propertyParameters(40));
  });
});
