/**
 * What the store, the watches and transactions keep of a message does not keep the chunk that it arrived in.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { serializeMessage } from "../../../../protocol/message.js";
import { operationNamed, type OperationName } from "../../../../protocol/operation.js";
import { MessageParser } from "../../../../protocol/parser.js";
import { CoreHarness } from "../../../support/core-harness.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const CHUNK_BYTES = 64 * 1024;
const CHUNKS = 1500;

function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}

/** How much the heap grows by so many requests, each of which arrives in a chunk of its own. */
function heapGrowth(name: OperationName, payload: (number: string) => string, inTransaction = false): number {
  const harness = new CoreHarness();
  const dom0 = harness.connect(0);
  const txId = inTransaction ? harness.startTransaction(dom0) : 0;
  const { number: type } = operationNamed(name);
  const send = (index: number): void => {
    const message = serializeMessage({
      type,
      requestId: index,
      txId,
      payload: payload(String(index).padStart(20, "0")),
    });
    const parser = new MessageParser();
    parser.push(Buffer.from(message.padEnd(CHUNK_BYTES, "x"), "latin1").toString("latin1"));
    const parsed = parser.next();
    if (parsed === undefined) throw new Error("no message");
    harness.beginTick();
    harness.core.dispatch(dom0, parsed);
    const output = harness.endTick().received.get(dom0) ?? [];
    if (output[0]?.kind === "error" && output[0].error !== "ENOENT") throw new Error(output[0].error);
    harness.takeReceived(dom0);
  };
  send(0);
  const before = heapBytes();
  for (let index = 1; index <= CHUNKS; index++) send(index);
  const growth = heapBytes() - before;
  expect(harness.core.connections.size).toBe(1);
  return growth;
}

describe("a chunk of 64 KiB is let go of that carried", () => {
  test.each([
    ["a node's name", "MKDIR", (number: string) => `/node-${number}\0`, false],
    ["a value", "WRITE", (number: string) => `/node\0value ${number.repeat(5)}`, false],
    ["names and a value", "WRITE", (number: string) => `/node/${number}/deep\0value ${number.repeat(5)}`, false],
    ["a watch", "WATCH", (number: string) => `/watched/${number}\0token ${number}\0`, false],
    ["a write in a transaction", "WRITE", (number: string) => `/node/${number}\0value ${number}`, true],
    ["a read in a transaction", "READ", (number: string) => `/node/${number}\0`, true],
    ["a failing request in a transaction", "RM", (number: string) => `/none/${number}/${number}\0`, true],
  ] as const)("%s", (_what, name, payload, inTransaction) => {
    const growth = heapGrowth(name, payload, inTransaction);
    expect(growth, `${String(Math.round(growth / CHUNKS))} bytes for each request`).toBeLessThan(CHUNKS * 4096);
  });
});
