/**
 * Load whose outcome can be told from the store alone, whenever the daemon dies.
 *
 * Owns the writers, what they were promised, and the question whether a state agrees with that. Each writer counts, and
 * writes count n into slot n modulo `SLOTS` of its own directory, so a state says how far each of them came, and each
 * combination of slots that is not a whole number of writes shows a lost or a torn one. One commit for each count and
 * nothing else: the seq is the sum of all counts, plus the commit that every new store begins with.
 *
 *   acknowledged ≤ what a restart finds ≤ sent
 */
import type { Socket } from "node:net";
import { MessageParser } from "../../protocol/parser.js";
import { serializeMessage } from "../../protocol/message.js";
import { operationNamed } from "../../protocol/operation.js";
import { connect } from "../bench/load.js";
import { connectClient } from "../support/wire-client.js";

const SLOTS = 16;
/** What the daemon commits by itself in a new store. */
const INITIAL_COMMITS = 1;

/** How far a writer has come. */
export interface Writer {
  readonly name: string;
  /** Requests in flight; 0 for one that writes both its nodes in a transaction, one after the other. */
  readonly depth: number;
  acknowledged: number;
  sent: number;
  /** An error reply, which no writer should get. */
  refused: string | undefined;
}

/** Reads a node of the state that is looked at; undefined when there is none. */
export type ReadNode = (path: string) => string | undefined;

/** The writers that write at once. */
export function createWriters(): Writer[] {
  const depths = [1, 8, 64, 200, 0, 0];
  return depths.map((depth, index) => ({
    name: `${depth === 0 ? "t" : "w"}${String(index)}`,
    depth,
    acknowledged: 0,
    sent: 0,
    refused: undefined,
  }));
}

/** All paths that a state must be asked for. */
export function pathsOf(writers: readonly Writer[]): string[] {
  return writers.flatMap((writer) => nodesOf(writer));
}

function nodesOf({ name, depth }: Writer): string[] {
  if (depth === 0) return [`/load/${name}/first`, `/load/${name}/second`];
  return Array.from({ length: SLOTS }, (_, slot) => `/load/${name}/${String(slot)}`);
}

/**
 * How far a writer had come in a state.
 *
 * @throws when the state is none that its writes, one after the other, can have made
 */
export function countIn(writer: Writer, read: ReadNode): number {
  const values = nodesOf(writer).map((path) => Number(read(path) ?? 0));
  const count = Math.max(...values);
  for (const [slot, value] of values.entries()) {
    const wanted = writer.depth === 0 ? count : latest(count, slot);
    if (value !== wanted) {
      throw new Error(
        `after ${String(count)} writes of ${writer.name}, ${nodesOf(writer)[slot] ?? ""} is ${String(value)} and should be ${String(wanted)}`,
      );
    }
  }
  return count;
}

/** The last count up to `count` that goes into a slot; 0 when there is none. */
function latest(count: number, slot: number): number {
  const last = count - ((((count - slot) % SLOTS) + SLOTS) % SLOTS);
  return Math.max(0, last);
}

/** The seq of a state in which the writers have come so far. */
export function seqOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, INITIAL_COMMITS);
}

/**
 * Compares the state that a restart found with what was promised, and lets the writers go on from there.
 *
 * @throws when a promise is broken
 */
export function settle(writers: readonly Writer[], read: ReadNode): number {
  const counts = writers.map((writer) => {
    if (writer.refused !== undefined) throw new Error(`${writer.name} was refused: ${writer.refused}`);
    const count = countIn(writer, read);
    if (count < writer.acknowledged) {
      throw new Error(
        `${writer.name}: ${String(writer.acknowledged)} writes were acknowledged and ${String(count)} are there`,
      );
    }
    if (count > writer.sent)
      throw new Error(`${writer.name}: ${String(writer.sent)} writes were sent and ${String(count)} are there`);
    writer.acknowledged = writer.sent = count;
    return count;
  });
  return seqOf(counts);
}

/** Writes until the daemon is gone; resolves then, with the number of acknowledged writes. */
export async function writeUntilGone(socket: string, writers: readonly Writer[]): Promise<number> {
  const counts = await Promise.all(
    writers.map(async (writer) => {
      const before = writer.acknowledged;
      await (writer.depth === 0 ? writeTransactions(socket, writer) : writePipelined(socket, writer));
      return writer.acknowledged - before;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function writePipelined(path: string, writer: Writer): Promise<void> {
  let socket: Socket;
  try {
    socket = await connect(path);
  } catch {
    return;
  }
  const parser = new MessageParser();
  const { number: type } = operationNamed("WRITE");
  const send = (): void => {
    let batch = "";
    while (writer.sent < writer.acknowledged + writer.depth) {
      const count = ++writer.sent;
      const payload = `/load/${writer.name}/${String(count % SLOTS)}\0${String(count)}`;
      batch += serializeMessage({ type, requestId: count, txId: 0, payload });
    }
    if (batch !== "" && !socket.destroyed) socket.write(batch, "latin1");
  };
  await new Promise<void>((resolve) => {
    socket.on("error", () => undefined);
    socket.once("close", () => {
      resolve();
    });
    socket.on("data", (chunk: string) => {
      parser.push(chunk);
      for (let message = parser.next(); message !== undefined; message = parser.next()) {
        if (message.payload !== "OK\0" || message.requestId !== writer.acknowledged + 1) {
          writer.refused ??= `request ${String(message.requestId)} was answered ${JSON.stringify(message.payload)}`;
          socket.destroy();
          return;
        }
        writer.acknowledged++;
      }
      send();
    });
    send();
  });
}

async function writeTransactions(path: string, writer: Writer): Promise<void> {
  try {
    const client = await connectClient(path);
    while (writer.refused === undefined) {
      const txId = Number(await client.must("TRANSACTION_START", [""]));
      const value = String(writer.sent + 1);
      for (const node of ["first", "second"])
        await client.must("WRITE", [`/load/${writer.name}/${node}`, value], { txId });
      writer.sent++;
      const outcome = await client.ask("TRANSACTION_END", ["T"], { txId });
      if (outcome === "EAGAIN") writer.sent--;
      else if (outcome === "OK") writer.acknowledged++;
      else writer.refused = outcome;
    }
    client.destroy();
  } catch (error) {
    // The daemon is gone, unless it has answered with an error.
    if (error instanceof Error && /^(?:WRITE|TRANSACTION_START) /.test(error.message)) writer.refused = error.message;
  }
}
