import { describe, expect, test } from "vitest";
import { serializeHeader, serializeMessage, serializeWatchEvent } from "../../../../protocol/message.js";
import { operationNamed } from "../../../../protocol/operation.js";
import { ConnectionLostError, ProtocolError } from "../../../../clients/xenstore/errors.js";
import { openSession, withoutNul, type Session } from "../../../../clients/xenstore/session.js";
import { scriptedServer, type ScriptedServer } from "../../../support/memory-transport.js";

const READ = operationNamed("READ").number;

interface Ended {
  readonly cause: Error | undefined;
}

async function open(
  server: ScriptedServer,
): Promise<{ session: Session; events: string[]; ended: Promise<Ended>; endings: Ended[] }> {
  const events: string[] = [];
  const endings: Ended[] = [];
  let settle: (ended: Ended) => void = () => {};
  const ended = new Promise<Ended>((resolve) => (settle = resolve));
  const handler = {
    event: (path: string, token: string) => events.push(`${path} ${token}`),
    ended: (cause: Error | undefined) => {
      endings.push({ cause });
      settle({ cause });
    },
  };
  return { session: await openSession(server.transport, handler), events, ended, endings };
}

const read = (session: Session, path: string): Promise<string> =>
  session.request({ operation: "READ", txId: 0, payload: `${path}\0`, subject: path });

describe("Session", () => {
  test("matches replies by req_id in whatever order they come (session invariant 1)", async () => {
    const server = scriptedServer(() => "later");
    const { session } = await open(server);
    const replies = ["/a", "/b", "/c"].map((path) => read(session, path));
    await server.arrived("READ", 3);
    for (const request of [...server.requests].reverse()) server.answer(request, { payload: request.strings[0] ?? "" });
    expect(await Promise.all(replies)).toEqual(["/a", "/b", "/c"]);
  });

  test("sends the requests of one turn in one write", async () => {
    const chunks: string[] = [];
    const session = await openSession(
      {
        name: "chunks",
        open: async () => ({ send: (bytes) => chunks.push(bytes), close: () => {} }),
      },
      { event: () => {}, ended: () => {} },
    );
    const replies = [read(session, "/a"), read(session, "/b")];
    await Promise.resolve();
    expect(chunks).toHaveLength(1);
    expect(chunks[0]).toHaveLength(2 * (16 + 3));
    session.end(new Error("over"));
    await Promise.allSettled(replies);
  });

  test.each([1, 2, 7, 16, 17, 100])("takes replies in chunks of %i bytes", async (chunkBytes) => {
    const value = "v".repeat(50);
    const server = scriptedServer(() => ({ payload: value }), chunkBytes);
    const { session, events } = await open(server);
    const replies = [read(session, "/a"), read(session, "/b")];
    await server.arrived("READ", 2);
    server.fire("/a", "token");
    replies.push(read(session, "/c"));
    expect(await Promise.all(replies)).toEqual([value, value, value]);
    expect(events).toEqual(["/a token"]);
  });

  test("wraps req_id at 2^32 (session invariant 2)", async () => {
    const server = scriptedServer(({ strings }) => ({ payload: strings[0] ?? "" }));
    const { session } = await open(server);
    session.nextRequestId = 0xffff_ffff;
    expect(await Promise.all(["/a", "/b", "/c"].map((path) => read(session, path)))).toEqual(["/a", "/b", "/c"]);
    expect(server.requests.map(({ requestId }) => requestId)).toEqual([0xffff_ffff, 0, 1]);
  });

  test("does not use an id again that is under way (session invariant 2)", async () => {
    const server = scriptedServer(({ strings }) => (strings[0] === "/slow" ? "later" : { payload: "" }));
    const { session } = await open(server);
    session.nextRequestId = 5;
    const slow = read(session, "/slow");
    await read(session, "/quick");
    session.nextRequestId = 5;
    await read(session, "/quick");
    expect(server.requests.map(({ requestId }) => requestId)).toEqual([5, 6, 6]);
    server.answer(server.requests[0] ?? expect.fail(), { payload: "at last" });
    expect(await slow).toBe("at last");
  });

  test("refuses a payload over 4096 bytes and sends none of it (session invariant 3)", async () => {
    const server = scriptedServer(() => ({ payload: "" }));
    const { session } = await open(server);
    const request = { operation: "WRITE", txId: 0, subject: "/a" } as const;
    await expect(session.request({ ...request, payload: "x".repeat(4097) })).rejects.toThrow(
      "WRITE /a: a request of 4097 bytes; a message holds 4096 (E2BIG)",
    );
    await session.request({ ...request, payload: "x".repeat(4096) });
    expect(server.requests).toHaveLength(1);
  });

  test("requests under way fail when the connection ends, and say so (session invariant 1)", async () => {
    const server = scriptedServer(() => "later");
    const { session, ended } = await open(server);
    const reply = read(session, "/a");
    await server.arrived("READ");
    server.drop();
    await expect(reply).rejects.toThrow(
      "READ was not answered: the connection to memory was lost: the daemon closed it",
    );
    await expect(reply).rejects.toBeInstanceOf(ConnectionLostError);
    expect(await ended).toEqual({ cause: undefined });
    await expect(read(session, "/b")).rejects.toBeInstanceOf(ConnectionLostError);
  });

  test("names the cause of a loss", async () => {
    const server = scriptedServer(() => "later");
    const { session, ended } = await open(server);
    const reply = read(session, "/a");
    await server.arrived("READ");
    const cause = new Error("read ECONNRESET");
    server.drop(cause);
    await expect(reply).rejects.toThrow("read ECONNRESET");
    expect(await ended).toEqual({ cause });
  });

  test("after the end the handler is not called and nothing is sent (session invariant 4)", async () => {
    const server = scriptedServer(() => "later");
    const { session, events, endings } = await open(server);
    const reply = read(session, "/a");
    session.end(new Error("enough"));
    await expect(reply).rejects.toThrow("READ was not answered: enough");
    session.receive(serializeWatchEvent("/a", "t"));
    session.lose(undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect([events, endings, server.requests]).toEqual([[], [], []]);
  });

  test.each([
    ["a reply to no request", serializeMessage({ type: READ, requestId: 77, txId: 0, payload: "" }), "request 77"],
    ["a reply of another type", serializeMessage({ type: 1, requestId: 1, txId: 0, payload: "" }), "type 1 to READ"],
    ["a bad watch event", serializeMessage({ type: 15, requestId: 0, txId: 0, payload: "x" }), "malformed watch event"],
    ["a length that makes no sense", serializeHeader(READ, 1, 0, 0xffff_ffff), "payload of 4294967295 bytes"],
  ])("ends the session on %s", async (_name, bytes, message) => {
    const server = scriptedServer(() => "later");
    const { session, ended } = await open(server);
    const reply = read(session, "/a");
    await server.arrived("READ");
    server.sendBytes(bytes);
    await expect(reply).rejects.toThrow(message);
    expect((await ended).cause).toBeInstanceOf(ProtocolError);
  });

  test("an error reply rejects with its name, the operation and the subject", async () => {
    const server = scriptedServer(() => ({ error: "EACCES" }));
    const { session } = await open(server);
    await expect(read(session, "/secret")).rejects.toMatchObject({
      code: "EACCES",
      message: "READ /secret: permission denied (EACCES)",
    });
  });

  test("closes a connection that opens after the session has ended", async () => {
    let closed = 0;
    const session = await openSession(
      {
        name: "early",
        open: async (handler) => {
          handler.closed();
          return { send: () => {}, close: () => closed++ };
        },
      },
      { event: () => {}, ended: () => {} },
    );
    expect(closed).toBe(1);
    expect(session.endedWith?.message).toContain("lost");
  });
});

describe("withoutNul", () => {
  test("cuts one NUL at the end", () => {
    expect(["OK\0", "OK", "", "\0\0"].map(withoutNul)).toEqual(["OK", "OK", "", "\0"]);
  });
});
