/**
 * The encoding of messages, against bytes written out by hand.
 */
import { describe, expect, test } from "vitest";
import {
  messageSize,
  parseUint32,
  serializeError,
  serializeHeader,
  serializeMessage,
  serializeUint32,
  serializeWatchEvent,
} from "../../../protocol/message.js";

function hex(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("hex");
}

describe("serializeUint32 and parseUint32", () => {
  test.each([
    [0, "00000000"],
    [1, "01000000"],
    [0x01020304, "04030201"],
    [0x7fffffff, "ffffff7f"],
    [0x80000000, "00000080"],
    [0xffffffff, "ffffffff"],
  ])("hold %d, least significant byte first", (value, bytes) => {
    expect(hex(serializeUint32(value))).toBe(bytes);
    expect(parseUint32(`..${serializeUint32(value)}..`, 2)).toBe(value);
  });
});

describe("serializeHeader", () => {
  test("is type, req_id, tx_id and len", () => {
    expect(hex(serializeHeader(11, 0x01020304, 0xfffffffe, 4096))).toBe("0b00000004030201feffffff00100000");
  });

  test("keeps all 32 bits of a type that is in no table", () => {
    expect(hex(serializeHeader(0xdeadbeef, 0, 0, 0))).toBe("efbeadde000000000000000000000000");
  });
});

describe("serializeMessage", () => {
  test("is the header and the payload as it is", () => {
    const message = serializeMessage({ type: 2, requestId: 7, txId: 9, payload: "/a\0\u00ff" });
    expect(hex(message)).toBe("02000000070000000900000004000000" + "2f6100ff");
  });
});

describe("serializeError", () => {
  test("has type ERROR, echoes req_id and tx_id, and ends in a NUL", () => {
    expect(hex(serializeError(7, 9, "ENOENT"))).toBe("10000000070000000900000007000000" + "454e4f454e5400");
  });
});

describe("serializeWatchEvent", () => {
  test("has type WATCH_EVENT, req_id and tx_id 0, the path and the token", () => {
    expect(hex(serializeWatchEvent("/a", "t"))).toBe("0f000000000000000000000005000000" + "2f61007400");
  });
});

describe("messageSize", () => {
  test("adds the header", () => {
    expect(messageSize(0)).toBe(16);
    expect(messageSize(4096)).toBe(4112);
  });
});
