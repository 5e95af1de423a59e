import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { serializeHeader, serializeMessage, type Message } from "../../../../protocol/message.js";
import { REPLY_PAYLOAD_MAX, ReplyParser } from "../../../../clients/xenstore/reply-parser.js";
import { propertyParameters } from "../../../support/seed.js";

function parseChunks(chunks: readonly string[]): Message[] {
  const parser = new ReplyParser();
  const messages: Message[] = [];
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let message = parser.next(); message !== undefined; message = parser.next()) messages.push(message);
  }
  return messages;
}

function cut(bytes: string, sizes: readonly number[]): string[] {
  const chunks: string[] = [];
  let at = 0;
  for (let index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    chunks.push(bytes.slice(at, at + size));
    at += size;
  }
  return chunks;
}

describe("ReplyParser", () => {
  test("gives the same messages however the stream is cut", () => {
    const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
    const payload = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 60 });
    const message = fc.record({ type: uint32, requestId: uint32, txId: uint32, payload });
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), sizes, (records, cuts) => {
        const messages = records.map((record) => ({ ...record, payload: String.fromCharCode(...record.payload) }));
        const bytes = messages.map(serializeMessage).join("");
        expect(parseChunks(cut(bytes, cuts))).toEqual(messages);
      }),
      propertyParameters(300),
    );
  });

  test("takes a payload longer than the protocol allows, as oxenstored sends it", () => {
    const message = { type: 1, requestId: 7, txId: 0, payload: "name\0".repeat(400_000) };
    const chunks = cut(serializeMessage(message), [65_536]);
    expect(parseChunks([...chunks, serializeMessage({ ...message, payload: "" })])).toEqual([
      message,
      { ...message, payload: "" },
    ]);
  });

  test("takes no message after a length that makes no sense", () => {
    const parser = new ReplyParser();
    parser.push(serializeHeader(1, 1, 0, REPLY_PAYLOAD_MAX + 1));
    expect(parser.next()).toBeUndefined();
    expect(parser.brokenLength).toBe(REPLY_PAYLOAD_MAX + 1);
    parser.push(serializeMessage({ type: 1, requestId: 1, txId: 0, payload: "" }).repeat(3));
    expect(parser.next()).toBeUndefined();
  });
});
