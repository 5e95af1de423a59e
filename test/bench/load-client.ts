/**
 * A load client in a process of its own: `node … load-client.ts '{"kind": "write", …}'` with a `LoadOptions` in JSON.
 *
 * Owns a closed loop: every connection keeps `depth` requests, or transactions, under way. Prints a `LoadResult` in JSON.
 * It runs apart from the benchmark because two event loops on one thread would measure each other.
 */
import type { Socket } from "node:net";
import { pathToFileURL } from "node:url";
import type { ByteString } from "../../protocol/bytes.js";
import { serializeMessage } from "../../protocol/message.js";
import { ERROR, operationNamed, type OperationName } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { firstCommit, streamPath, streamValue } from "../support/commit-stream.js";
import { connect, runLoad } from "./load.js";

/** What to do. */
export interface LoadOptions {
  readonly socket: string;
  /**
   * `write`: WRITE to one of 8 nodes of the connection's own. `read`: READ of one of them. `tx`: a transaction of one READ and three WRITEs of its own
   * nodes, one request after the other. `stream`: WRITE one value at depth 7, `STREAM_DOMAINS` domains in turn.
   */
  readonly kind: "write" | "read" | "tx" | "stream";
  readonly connections: number;
  readonly depth: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** What came of it, after the warm-up. */
export interface LoadResult {
  /** Requests of `write`, `read` and `stream`, transactions of `tx`. */
  readonly operationsPerSecond: number;
}

/** How many domains `stream` writes to. */
const STREAM_DOMAINS = 10;
const STREAM = { domains: STREAM_DOMAINS };
const VALUE = "v".repeat(32);

/** One request after the other of an operation under way; undefined when it is complete. */
interface Step {
  readonly operation: OperationName;
  readonly payload: ByteString;
  readonly txId: number;
}

/** What one of the `depth` things under way does next, given the reply to what it did last. */
type Script = (step: number, reply: ByteString) => Step | undefined;

function writeScript(connection: number, next: () => number): Script {
  return (step) =>
    step > 0 ? undefined : { operation: "WRITE", payload: `${ownPath(connection, next() % 8)}\0${VALUE}`, txId: 0 };
}

function readScript(connection: number, next: () => number): Script {
  return (step) =>
    step > 0 ? undefined : { operation: "READ", payload: `${ownPath(connection, next() % 8)}\0`, txId: 0 };
}

function ownPath(connection: number, index: number): string {
  return `/bench/${String(connection)}/k${String(index)}`;
}

function streamScript(next: () => number): Script {
  return (step) => {
    if (step > 0) return undefined;
    const number = next();
    return { operation: "WRITE", payload: `${streamPath(STREAM, number)}\0${streamValue(number)}`, txId: 0 };
  };
}

function transactionScript(connection: number, slot: number): Script {
  let txId = 0;
  const path = (name: string) => `/bench/${String(connection)}/t${String(slot)}/${name}\0`;
  return (step, reply) => {
    if (step === 0) return { operation: "TRANSACTION_START", payload: "\0", txId: 0 };
    if (step === 1) {
      txId = Number(reply.slice(0, -1));
      return { operation: "READ", payload: path("a"), txId };
    }
    if (step <= 4) return { operation: "WRITE", payload: `${path("abcd"[step - 1] ?? "")}${VALUE}`, txId };
    return step === 5 ? { operation: "TRANSACTION_END", payload: "T\0", txId } : undefined;
  };
}

/** The nodes that are there before. */
async function prepare(socket: Socket, { kind, connections, depth }: LoadOptions): Promise<void> {
  const payloads: ByteString[] = [];
  if (kind === "stream") {
    for (const change of firstCommit(STREAM).changes) {
      if (change.kind === "node") payloads.push(`${change.path}\0${change.after?.value ?? ""}`);
    }
  }
  for (let connection = 0; kind === "read" && connection < connections; connection++) {
    for (let index = 0; index < 8; index++) payloads.push(`${ownPath(connection, index)}\0${VALUE}`);
  }
  for (let connection = 0; kind === "tx" && connection < connections; connection++) {
    for (let slot = 0; slot < depth; slot++) {
      for (const name of "abcd") payloads.push(`/bench/${String(connection)}/t${String(slot)}/${name}\0${VALUE}`);
    }
  }
  if (payloads.length === 0) return;
  await runLoad(socket, {
    operation: "WRITE",
    count: payloads.length,
    depth: 1,
    payload: (index) => payloads[index] ?? "",
  });
}

async function runLoadClient(options: LoadOptions): Promise<LoadResult> {
  const { socket: path, kind, connections, depth, warmupSeconds, seconds } = options;
  const preparing = await connect(path);
  await prepare(preparing, options);
  preparing.destroy();
  const sockets: Socket[] = [];
  for (let connection = 0; connection < connections; connection++) sockets.push(await connect(path));
  let number = 1;
  const next = () => ++number;
  let completed = 0;
  const failed = new Promise<never>((_, reject) => {
    for (const [connection, socket] of sockets.entries()) {
      const scripts = Array.from({ length: depth }, (_, slot) =>
        kind === "tx"
          ? transactionScript(connection, slot)
          : kind === "stream"
            ? streamScript(next)
            : kind === "read"
              ? readScript(connection, next)
              : writeScript(connection, next),
      );
      drive(socket, scripts, () => completed++, reject);
    }
  });
  const after = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  await Promise.race([after(warmupSeconds * 1000), failed]);
  const [before, start] = [completed, performance.now()];
  await Promise.race([after(seconds * 1000), failed]);
  const operationsPerSecond = Math.round(((completed - before) * 1000) / (performance.now() - start));
  for (const socket of sockets) socket.removeAllListeners().destroy();
  return { operationsPerSecond };
}

/** Runs scripts on one connection, each again and again; a reply's request id says whose it is. */
function drive(socket: Socket, scripts: readonly Script[], complete: () => void, fail: (error: Error) => void): void {
  const parser = new MessageParser();
  const steps = scripts.map(() => 0);
  const stepOf = (slot: number, reply: ByteString): string => {
    const script = scripts[slot];
    if (script === undefined) throw new Error(`a reply to request ${String(slot)}, which was not sent`);
    let step = script(steps[slot] ?? 0, reply);
    if (step === undefined) {
      complete();
      steps[slot] = 0;
      step = script(0, "");
    }
    steps[slot] = (steps[slot] ?? 0) + 1;
    if (step === undefined) return "";
    const { operation, payload, txId } = step;
    return serializeMessage({ type: operationNamed(operation).number, requestId: slot, txId, payload });
  };
  socket.once("close", () => {
    fail(new Error("the daemon closed a connection"));
  });
  socket.on("data", (chunk: string) => {
    let batch = "";
    parser.push(chunk);
    for (let message = parser.next(); message !== undefined; message = parser.next()) {
      if (message.type === ERROR) {
        fail(new Error(`a request was answered ${message.payload}`));
        return;
      }
      batch += stepOf(message.requestId, message.payload);
    }
    if (batch !== "") socket.write(batch, "latin1");
  });
  socket.write(scripts.map((_, slot) => stepOf(slot, "")).join(""), "latin1");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const options = JSON.parse(process.argv[2] ?? "") as LoadOptions;
  process.stdout.write(`${JSON.stringify(await runLoadClient(options))}\n`);
}
