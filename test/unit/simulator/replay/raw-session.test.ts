import { describe, expect, it } from "vitest";
import type { TransportHandler } from "../../../../clients/xenstore/transport.js";
import { serializeError, serializeMessage, serializeWatchEvent } from "../../../../protocol/message.js";
import { openRawSession } from "../../../../simulator/replay/raw-session.js";

async function opened() {
  const sent: string[] = [];
  let handler: TransportHandler | undefined;
  let isClosed = false;
  const events: string[] = [];
  const session = await openRawSession(
    {
      name: "test",
      open: (given) => {
        handler = given;
        return Promise.resolve({ send: (bytes) => sent.push(bytes), close: () => (isClosed = true) });
      },
    },
    (path, token) => events.push(`${path} ${token}`),
  );
  if (handler === undefined) throw new Error("nobody opened the transport");
  return { session, sent, handler, isClosed: () => isClosed, events };
}

describe("RawSession", () => {
  it("sends any type at once, and matches answers in any order, between events", async () => {
    const { session, sent, handler, events } = await opened();
    const first = session.send({ type: 99, txId: 7, payload: "x" });
    const second = session.send({ type: 2, txId: 0, payload: "/a\0" });
    expect(sent).toEqual([
      serializeMessage({ type: 99, requestId: 1, txId: 7, payload: "x" }),
      serializeMessage({ type: 2, requestId: 2, txId: 0, payload: "/a\0" }),
    ]);
    handler.received(serializeMessage({ type: 2, requestId: 2, txId: 0, payload: "value" }));
    handler.received(serializeWatchEvent("/a", "token") + serializeError(1, 7, "ENOSYS"));
    expect(await Promise.all([first, second])).toEqual([{ error: "ENOSYS" }, "value"]);
    expect(events).toEqual(["/a token"]);
  });

  it("loses what is under way and what comes later when the connection ends, without rejecting", async () => {
    const { session, handler } = await opened();
    const underWay = session.send({ type: 2, txId: 0, payload: "/a\0" });
    handler.closed();
    const later = session.send({ type: 2, txId: 0, payload: "/a\0" });
    const lost = { lost: "the daemon closed the connection" };
    expect(await Promise.all([underWay, later])).toEqual([lost, lost]);
    expect(session.isEnded).toBe(true);
  });

  it("closes a connection on which something comes that is no message", async () => {
    const { session, handler, isClosed } = await opened();
    const underWay = session.send({ type: 2, txId: 0, payload: "/a\0" });
    handler.received("\xff".repeat(16));
    expect(await underWay).toEqual({ lost: "the daemon sent what is no message" });
    expect(isClosed()).toBe(true);
  });
});
