/**
 * Load for benchmarks: requests on one socket, a number of them in flight.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import type { ByteString } from "../../protocol/bytes.js";
import { serializeMessage } from "../../protocol/message.js";
import { ERROR, operationNamed, type OperationName } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";

/** Connects to a daemon. */
export async function connect(path: string): Promise<Socket> {
  const socket = createConnection(path);
  socket.setEncoding("latin1");
  await once(socket, "connect");
  return socket;
}

/** What to send. */
export interface Load {
  readonly operation: OperationName;
  readonly count: number;
  /** Requests in flight. */
  readonly depth: number;
  payload(index: number): ByteString;
}

/** Sends the load, always `depth` requests ahead of the replies; rejects when a reply is an error. */
export async function runLoad(socket: Socket, load: Load): Promise<void> {
  const { number: type } = operationNamed(load.operation);
  const parser = new MessageParser();
  let sent = 0;
  let answered = 0;
  const sendUpTo = (end: number): void => {
    let batch = "";
    for (; sent < Math.min(end, load.count); sent++) {
      batch += serializeMessage({ type, requestId: sent, txId: 0, payload: load.payload(sent) });
    }
    if (batch !== "") socket.write(batch, "latin1");
  };
  await new Promise<void>((resolve, reject) => {
    socket.once("close", () => {
      reject(new Error("the daemon closed the connection"));
    });
    socket.on("data", (chunk: string) => {
      parser.push(chunk);
      for (let message = parser.next(); message !== undefined; message = parser.next()) {
        if (message.type === ERROR) {
          reject(new Error(`${load.operation} was answered ${message.payload}`));
          return;
        }
        answered++;
      }
      if (answered === load.count) resolve();
      else sendUpTo(answered + load.depth);
    });
    sendUpTo(load.depth);
  });
  socket.removeAllListeners();
}
