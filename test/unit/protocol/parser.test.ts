/**
 * The incremental parser on chosen streams; `test/property/protocol.property.test.ts` has the random ones.
 */
import { describe, expect, test } from "vitest";
import { serializeHeader, serializeMessage, type Message } from "../../../protocol/message.js";
import { MessageParser } from "../../../protocol/parser.js";

function drain(parser: MessageParser): Message[] {
  const messages: Message[] = [];
  for (let message = parser.next(); message !== undefined; message = parser.next()) messages.push(message);
  return messages;
}

const read: Message = { type: 2, requestId: 1, txId: 0, payload: "/local/domain/0\0" };
const write: Message = { type: 11, requestId: 0xffffffff, txId: 0x80000000, payload: "a\0\u0000\u00ff" };
const empty: Message = { type: 999_999, requestId: 3, txId: 4, payload: "" };
const largest: Message = { type: 11, requestId: 5, txId: 0, payload: "x".repeat(4096) };

describe("MessageParser", () => {
  test("returns the messages of one chunk in order, then undefined", () => {
    const parser = new MessageParser();
    parser.push([read, write, empty, largest].map(serializeMessage).join(""));
    expect(drain(parser)).toEqual([read, write, empty, largest]);
    expect(parser.next()).toBeUndefined();
    expect(parser.pendingBytes).toBe(0);
  });

  test("waits for the rest of a header and of a body", () => {
    const parser = new MessageParser();
    const bytes = serializeMessage(read);
    parser.push(bytes.slice(0, 15));
    expect(parser.next()).toBeUndefined();
    expect(parser.pendingBytes).toBe(15);
    parser.push(bytes.slice(15, -1));
    expect(parser.next()).toBeUndefined();
    expect(parser.pendingBytes).toBe(bytes.length - 1);
    parser.push(bytes.slice(-1));
    expect(parser.next()).toEqual(read);
    expect(parser.pendingBytes).toBe(0);
  });

  test("returns what came between two chunks only when it is whole", () => {
    const parser = new MessageParser();
    const bytes = serializeMessage(read) + serializeMessage(write);
    parser.push(bytes.slice(0, 40));
    expect(drain(parser)).toEqual([read]);
    parser.push(bytes.slice(40));
    expect(drain(parser)).toEqual([write]);
  });

  test("keeps messages that were not taken before the next push", () => {
    const parser = new MessageParser();
    parser.push(serializeMessage(read));
    parser.push("");
    parser.push(serializeMessage(write));
    expect(drain(parser)).toEqual([read, write]);
  });

  test("accepts a length of exactly 4096", () => {
    const parser = new MessageParser();
    parser.push(serializeMessage(largest));
    expect(drain(parser)).toEqual([largest]);
    expect(parser.brokenLength).toBeUndefined();
  });

  test.each([4097, 0x7fffffff, 0x80000000, 0xffffffff])("XSA-420: breaks for good at a length of %d", (length) => {
    const parser = new MessageParser();
    parser.push(serializeMessage(read) + serializeHeader(2, 1, 0, length) + serializeMessage(write));
    expect(drain(parser)).toEqual([read]);
    expect(parser.brokenLength).toBe(length);
    expect(parser.pendingBytes).toBe(0);
    parser.push(serializeMessage(write));
    expect(parser.next()).toBeUndefined();
    expect(parser.brokenLength).toBe(length);
  });

  test("a broken stream holds no memory, however much follows", () => {
    const parser = new MessageParser();
    parser.push(serializeHeader(2, 1, 0, 5000));
    expect(parser.next()).toBeUndefined();
    for (let index = 0; index < 100; index++) parser.push("x".repeat(65_536));
    expect(parser.pendingBytes).toBe(0);
  });
});
