/**
 * Properties of the wire format: framing does not depend on how a stream was cut, each codec is the inverse of itself,
 * and nothing that a client can send makes the parser or a codec throw.
 */
import { assert, property, type Arbitrary } from "fast-check";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesFromText, flattenBytes, isByteString, textFromBytes } from "../../protocol/bytes.js";
import { ERROR_NAMES } from "../../protocol/errno.js";
import { parseDecimal, parseDomid, type Domid } from "../../protocol/identifiers.js";
import { XENSTORE_ABS_PATH_MAX, XENSTORE_HEADER_SIZE, XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import {
  serializeError,
  serializeHeader,
  serializeMessage,
  serializeWatchEvent,
  type Message,
} from "../../protocol/message.js";
import { ERROR, getOperation, OPERATIONS, WATCH_EVENT, type OperationName } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { domainPath, joinPath, parsePath, parseSpecialDomid, parseWatchPath, splitPath } from "../../protocol/path.js";
import {
  directoryPartReply,
  directoryReply,
  permsReply,
  REQUEST_CODECS,
  stringReply,
  watchEvent,
  type PayloadCodec,
  type RequestPayloads,
} from "../../protocol/payload.js";
import { parsePermission, parsePerms, type Permission, type Perms } from "../../protocol/perms.js";
import { propertyParameters } from "../support/seed.js";

/** Bytes of any value, and often those that mean something in a payload. */
function byteString(lengthMax: number): Arbitrary<string> {
  const byte = fc.oneof(
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 255 }).map((value) => String.fromCharCode(value)) },
    { weight: 3, arbitrary: fc.constantFrom("\0", "\0", "/", "@", "-", "0", "5", "n", "T", "a", "\n", "\u00ff") },
  );
  return fc.array(byte, { maxLength: lengthMax }).map((bytes) => bytes.join(""));
}

/** A byte string without NUL, as every argument but a WRITE's value is. */
const text = byteString(20).map((bytes) => bytes.replaceAll("\0", ""));
const nonEmptyText = text.filter((bytes) => bytes !== "");
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const domid = fc.integer({ min: 0, max: 0xffff }) as Arbitrary<Domid>;
const permission: Arbitrary<Permission> = fc.record({ access: fc.integer({ min: 0, max: 3 }), domid });
const perms: Arbitrary<Perms> = fc
  .tuple(permission, fc.array(permission, { maxLength: 6 }))
  .map(([owner, others]) => [owner, ...others]);

const payload = fc.oneof(
  byteString(60),
  fc.integer({ min: 0, max: XENSTORE_PAYLOAD_MAX }).map((length) => "v".repeat(length)),
);
const type = fc.oneof(fc.integer({ min: 0, max: 30 }), uint32);
const message: Arbitrary<Message> = fc.record({ type, requestId: uint32, txId: uint32, payload });

/** What each operation's request can mean. */
const requests: { readonly [Name in OperationName]: Arbitrary<RequestPayloads[Name]> } = {
  CONTROL: fc.record({ command: text, parameters: fc.array(text, { maxLength: 4 }) }),
  DIRECTORY: fc.record({ path: text }),
  READ: fc.record({ path: text }),
  GET_PERMS: fc.record({ path: text }),
  WATCH: fc.record({ path: text, token: text, depth: uint32 }, { requiredKeys: ["path", "token"] }),
  UNWATCH: fc.record({ path: text, token: text }),
  TRANSACTION_START: fc.constant({}),
  TRANSACTION_END: fc.record({ commit: fc.boolean() }),
  INTRODUCE: fc.record({ domid, gfn: fc.maxSafeInteger(), port: fc.integer() }),
  RELEASE: fc.record({ domid }),
  GET_DOMAIN_PATH: fc.record({ domid }),
  WRITE: fc.record({ path: text, value: byteString(40) }),
  MKDIR: fc.record({ path: text }),
  RM: fc.record({ path: text }),
  SET_PERMS: fc.record({ path: text, perms }),
  IS_DOMAIN_INTRODUCED: fc.record({ domid }),
  RESUME: fc.record({ domid }),
  SET_TARGET: fc.record({ domid, target: domid }),
  RESET_WATCHES: fc.constant({}),
  DIRECTORY_PART: fc.record({ path: text, offset: uint32 }),
  GET_FEATURE: fc.record({ domid }, { requiredKeys: [] }),
  SET_FEATURE: fc.record({ domid, features: uint32 }),
  GET_QUOTA: fc.oneof(fc.constant({}), fc.record({ domid, quota: nonEmptyText }, { requiredKeys: ["quota"] })),
  SET_QUOTA: fc.record({ domid, quota: text, value: uint32 }, { requiredKeys: ["quota", "value"] }),
};

const nodeName = fc.stringMatching(/^[A-Za-z0-9_@-]{1,12}$/);

/** Each shape of reply with what it can mean. */
const replies: [name: string, codec: PayloadCodec<unknown>, meaning: Arbitrary<unknown>][] = [
  ["directoryReply", directoryReply, fc.array(nodeName)],
  [
    "directoryPartReply",
    directoryPartReply,
    fc.record({ generation: uint32.map(String), names: fc.array(nodeName), last: fc.boolean() }),
  ],
  ["permsReply", permsReply, perms],
  ["stringReply", stringReply, text],
  ["watchEvent", watchEvent, fc.record({ path: text, token: text })],
];

const codecs: [name: string, codec: PayloadCodec<unknown>, meaning: Arbitrary<unknown>][] = [
  ...OPERATIONS.map(({ name }): [string, PayloadCodec<unknown>, Arbitrary<unknown>] => [
    name,
    REQUEST_CODECS[name] as PayloadCodec<unknown>,
    requests[name],
  ]),
  ...replies,
];

/** Everything that a parser returns for a stream that arrives in these chunks. */
function parseChunks(chunks: readonly string[]): { messages: Message[]; parser: MessageParser } {
  const parser = new MessageParser();
  const messages: Message[] = [];
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let next = parser.next(); next !== undefined; next = parser.next()) messages.push(next);
  }
  return { messages, parser };
}

/** Cuts `stream` at the given places, in any order, twice at one place too. */
function cut(stream: string, places: readonly number[]): string[] {
  const sorted = places.map((place) => place % (stream.length + 1)).sort((left, right) => left - right);
  return [0, ...sorted].map((from, index) => stream.slice(from, sorted[index] ?? stream.length));
}

describe("MessageParser", () => {
  test("returns the same messages wherever a stream is cut in two", () => {
    const short = fc.record({ type, requestId: uint32, txId: uint32, payload: byteString(40) });
    assert(
      property(fc.array(short, { minLength: 1, maxLength: 4 }), (messages) => {
        const stream = messages.map(serializeMessage).join("");
        for (let offset = 0; offset <= stream.length; offset++) {
          const result = parseChunks([stream.slice(0, offset), stream.slice(offset)]);
          expect(result.messages).toEqual(messages);
          expect(result.parser.pendingBytes).toBe(0);
        }
      }),
      propertyParameters(30),
    );
  });

  test("returns the same messages byte by byte", () => {
    assert(
      property(fc.array(message, { minLength: 1, maxLength: 3 }), (messages) => {
        expect(parseChunks(messages.map(serializeMessage).join("").split("")).messages).toEqual(messages);
      }),
      propertyParameters(30),
    );
  });

  test("returns the same messages in any chunks, and counts what is left over", () => {
    const places = fc.array(fc.nat(), { maxLength: 12 });
    assert(
      property(fc.array(message, { maxLength: 6 }), message, fc.nat(), places, (messages, last, cutAt, cuts) => {
        const partial = serializeMessage(last).slice(0, cutAt % (XENSTORE_HEADER_SIZE + last.payload.length));
        const stream = messages.map(serializeMessage).join("") + partial;
        const result = parseChunks(cut(stream, cuts));
        expect(result.messages).toEqual(messages);
        expect(result.parser.pendingBytes).toBe(partial.length);
        expect(result.parser.brokenLength).toBeUndefined();
      }),
      propertyParameters(200),
    );
  });

  test("breaks for good at a length over 4096, after the messages before it", () => {
    const tooLong = fc.oneof(
      fc.integer({ min: XENSTORE_PAYLOAD_MAX + 1, max: XENSTORE_PAYLOAD_MAX + 20 }),
      fc.integer({ min: XENSTORE_PAYLOAD_MAX + 1, max: 0xffffffff }),
    );
    const messages = fc.array(message, { maxLength: 3 });
    const places = fc.array(fc.nat(), { maxLength: 8 });
    assert(
      property(messages, tooLong, messages, places, (before, length, after, cuts) => {
        const bad = serializeHeader(2, 0, 0, length);
        const stream = [...before.map(serializeMessage), bad, ...after.map(serializeMessage)].join("");
        const { messages: found, parser } = parseChunks(cut(stream, cuts));
        expect(found).toEqual(before);
        expect(parser.brokenLength).toBe(length);
        parser.push(stream);
        expect(parser.next()).toBeUndefined();
        expect(parser.pendingBytes).toBe(0);
      }),
      propertyParameters(200),
    );
  });

  test("never throws and never returns a payload over 4096, whatever arrives", () => {
    // Lengths that are often small: random bytes alone would break nearly every stream at its first header.
    const header = fc.tuple(uint32, uint32, uint32, fc.oneof(fc.nat(40), fc.nat(5000), uint32));
    const part = fc.oneof(
      byteString(64),
      header.map((fields) => serializeHeader(...fields)),
    );
    assert(
      property(fc.array(part, { maxLength: 12 }), (chunks) => {
        const stream = chunks.join("");
        const { messages, parser } = parseChunks(chunks);
        let taken = 0;
        for (const found of messages) {
          expect(found.payload.length).toBeLessThanOrEqual(XENSTORE_PAYLOAD_MAX);
          const bytes = serializeMessage(found);
          expect(stream.slice(taken, taken + bytes.length)).toBe(bytes);
          taken += bytes.length;
        }
        if (parser.brokenLength === undefined) expect(taken + parser.pendingBytes).toBe(stream.length);
        else expect(parser.brokenLength).toBeGreaterThan(XENSTORE_PAYLOAD_MAX);
      }),
      propertyParameters(500),
    );
  });
});

describe("messages", () => {
  test("parse(serialize(message)) is the message", () => {
    assert(
      property(message, (original) => {
        expect(parseChunks([serializeMessage(original)]).messages).toEqual([original]);
      }),
      propertyParameters(300),
    );
  });

  test("error replies and watch events are messages that say what they were made of", () => {
    assert(
      property(uint32, uint32, fc.constantFrom(...ERROR_NAMES), text, text, (requestId, txId, name, path, token) => {
        const stream = serializeError(requestId, txId, name) + serializeWatchEvent(path, token);
        const [error, event, ...rest] = parseChunks([stream]).messages;
        expect(rest).toEqual([]);
        expect(error).toEqual({ type: ERROR, requestId, txId, payload: `${name}\0` });
        expect(event).toMatchObject({ type: WATCH_EVENT, requestId: 0, txId: 0 });
        expect(watchEvent.parse(event?.payload ?? "")).toEqual({ path, token });
      }),
      propertyParameters(200),
    );
  });
});

describe("payload codecs", () => {
  test.each(codecs)("%s: parse(serialize(meaning)) is the meaning", (_name, codec, meanings) => {
    assert(
      property(meanings, (meaning) => {
        const serialized = codec.serialize(meaning);
        expect(isByteString(serialized)).toBe(true);
        expect(codec.parse(serialized)).toEqual(meaning);
      }),
      propertyParameters(300),
    );
  });

  test.each(codecs)(
    "%s: no payload throws, and what is read can be written and read again",
    (_name, codec, meanings) => {
      // Whole payloads, random ones, and sound ones with one byte changed, dropped or added.
      const damaged = fc.tuple(meanings, fc.nat(), byteString(2), fc.nat(2)).map(([meaning, at, insert, drop]) => {
        const sound = codec.serialize(meaning);
        const place = at % (sound.length + 1);
        return sound.slice(0, place) + insert + sound.slice(place + drop);
      });
      assert(
        property(fc.oneof(byteString(40), damaged), (bytes) => {
          const meaning = codec.parse(bytes);
          if (meaning === undefined) return;
          const again = codec.parse(codec.serialize(meaning));
          expect(again).toEqual(meaning);
        }),
        propertyParameters(500),
      );
    },
  );
});

describe("text forms", () => {
  test("no bytes make a parser of identifiers, paths, perms or special paths throw", () => {
    assert(
      property(byteString(40), domid, (bytes, asked) => {
        const decimal = parseDecimal(bytes);
        if (decimal !== undefined) expect(String(decimal)).toBe(bytes);
        const parsedDomid = parseDomid(bytes);
        if (parsedDomid !== undefined) expect(parsedDomid).toBe(decimal);
        const watch = parseWatchPath(bytes, asked);
        if (watch !== undefined) expect(watch.path.slice(watch.relativeBase)).toBe(bytes);
        parseSpecialDomid(bytes);
        parsePermission(bytes);
        parsePerms(bytes.split("\0"));
      }),
      propertyParameters(1000),
    );
  });

  test("a path is what the specification's words say, of every string over its alphabet and its neighbours", () => {
    const piece = fc.constantFrom("/", "/", "a", "Z", "0", "-", "_", "@", ".", " ", "\0", "\n", "\u00ff", ":");
    assert(
      property(fc.array(piece, { maxLength: 8 }), domid, (pieces, asked) => {
        const bytes = pieces.join("");
        const names = bytes.startsWith("/") ? bytes.slice(1).split("/") : bytes.split("/");
        const namesAreFine = names.every((name) => /^[aZ0_@-]+$/.test(name) && !name.endsWith("\n"));
        const expected = bytes === "/" || (namesAreFine && !bytes.startsWith("@"));
        const path = parsePath(bytes, asked);
        expect([bytes, path !== undefined]).toEqual([bytes, expected]);
        if (path === undefined) return;
        expect(path).toBe(bytes.startsWith("/") ? bytes : `${domainPath(asked)}/${bytes}`);
        expect(joinPath(splitPath(path))).toBe(path);
        expect(path.length).toBeLessThanOrEqual(XENSTORE_ABS_PATH_MAX);
      }),
      propertyParameters(2000),
    );
  });

  test("only the numbers of the table are operations", () => {
    const numbers = new Set<number>(OPERATIONS.map((operation) => operation.number));
    assert(
      property(type, (number) => {
        expect(getOperation(number)?.number).toBe(numbers.has(number) ? number : undefined);
      }),
      propertyParameters(300),
    );
  });

  test("flattenBytes and UTF-8 conversions keep what they are given", () => {
    assert(
      property(byteString(100), fc.string({ unit: "binary" }), (bytes, people) => {
        expect(flattenBytes(bytes)).toBe(bytes);
        expect(textFromBytes(bytesFromText(people))).toBe(people);
      }),
      propertyParameters(300),
    );
  });
});
