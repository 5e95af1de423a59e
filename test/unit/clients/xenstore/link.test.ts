import { describe, expect, test } from "vitest";
import { connectXenstore, type ClientOptions, type XenstoreClient } from "../../../../clients/xenstore/client.js";
import { ConnectionLostError } from "../../../../clients/xenstore/errors.js";
import { OK_ANSWER, scriptedServer, type Answer, type SeenRequest } from "../../../support/memory-transport.js";
import { immediatePacing } from "./immediate-pacing.js";

/** Answers OK to watches and echoes the path of everything else. */
function echo({ operation, strings }: SeenRequest): Answer {
  return operation === "READ" ? { payload: strings[0] ?? "" } : OK_ANSWER;
}

async function start(
  script: (request: SeenRequest) => Answer = echo,
  options: ClientOptions = {},
): Promise<{ server: ReturnType<typeof scriptedServer>; client: XenstoreClient }> {
  const server = scriptedServer(script);
  return { server, client: await connectXenstore(server.transport, { pacing: immediatePacing(), ...options }) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("Link", () => {
  test("the first connection is not retried", async () => {
    const server = scriptedServer(echo);
    server.refuse = true;
    await expect(connectXenstore(server.transport)).rejects.toThrow("connection refused");
  });

  test("what was under way fails and is not sent again (link invariant 2)", async () => {
    const { server, client } = await start(({ strings }) => (strings[0] === "/slow" ? "later" : { payload: "" }));
    const slow = client.read("/slow");
    await server.arrived("READ");
    server.drop();
    await expect(slow).rejects.toBeInstanceOf(ConnectionLostError);
    await client.read("/quick");
    expect(server.requests.map(({ strings }) => strings[0])).toEqual(["/slow", "/quick"]);
    client.close();
  });

  test("requests made while there is no connection wait for the next (link invariant 1)", async () => {
    const { server, client } = await start();
    server.refuse = true;
    const watch = await client.watch("/w");
    server.drop();
    await turn();
    const replies = [client.read("/a"), client.read("/b")];
    await turn();
    server.refuse = false;
    expect(await Promise.all(replies)).toEqual(["/a", "/b"]);
    expect(server.connections).toBe(2);
    await watch.close();
    client.close();
  });

  test("watches are registered again before any other request, and marked (link invariant 3)", async () => {
    const { server, client } = await start();
    const first = await client.watch("/a", { token: "one" });
    const second = await client.watch("/b", { token: "two", depth: 3 });
    server.fire("/a", "one");
    server.fire("/b", "two");
    expect(await first.next()).toEqual({ path: "/a", token: "one", missed: false, order: 1 });
    expect(await second.next()).toEqual({ path: "/b", token: "two", missed: false, order: 2 });
    server.drop();
    await turn();
    await client.read("/x");
    const again = server.requests.filter(({ connection }) => connection === 2);
    expect(again.map(({ operation, strings }) => [operation, ...strings])).toEqual([
      ["WATCH", "/a", "one"],
      ["WATCH", "/b", "two", "3"],
      ["READ", "/x"],
    ]);
    server.fire("/a", "one");
    server.fire("/a/b", "one");
    expect(await first.next()).toEqual({ path: "/a", token: "one", missed: true, order: 3 });
    expect(await first.next()).toEqual({ path: "/a/b", token: "one", missed: false, order: 4 });
    client.close();
  });

  test("a watch that the next daemon refuses fails alone", async () => {
    const { server, client } = await start(({ operation, strings, connection }) =>
      operation === "WATCH" && connection === 2 && strings[0] === "/a" ? { error: "EACCES" } : OK_ANSWER,
    );
    const refused = await client.watch("/a");
    const kept = await client.watch("/b", { token: "kept" });
    server.drop();
    await turn();
    await expect(refused.next()).rejects.toThrow("WATCH /a: permission denied (EACCES)");
    server.fire("/b", "kept");
    expect((await kept.next())?.path).toBe("/b");
    client.close();
  });

  test("a watch that was closed while there was no connection is not registered again", async () => {
    const { server, client } = await start();
    const watch = await client.watch("/a", { token: "one" });
    server.drop();
    await turn();
    await watch.close();
    await client.read("/x");
    expect(server.requests.filter(({ connection }) => connection === 2).map(({ operation }) => operation)).toEqual([
      "READ",
    ]);
    client.close();
  });

  test("gives up after so many attempts, with growing delays, and fails all that waits (link invariant 4)", async () => {
    const pacing = immediatePacing(1);
    const { server, client } = await start(echo, { pacing, reconnectAttemptsMax: 4 });
    const watch = await client.watch("/a");
    server.refuse = true;
    server.drop();
    await turn();
    const message = "the connection to memory was lost; gave up reconnecting after 4 attempts: connection refused";
    await expect(client.read("/a")).rejects.toThrow(message);
    await expect(watch.next()).rejects.toThrow(message);
    await expect(client.read("/a")).rejects.toBeInstanceOf(ConnectionLostError);
    expect(pacing.delays).toEqual([10, 20, 40, 80]);
  });

  test("without reconnecting a loss is final (link invariant 4)", async () => {
    const { server, client } = await start(echo, { reconnect: false });
    const watch = await client.watch("/a");
    server.drop(new Error("reset"));
    await expect(watch.next()).rejects.toThrow("the connection to memory was lost: reset");
    await expect(client.read("/a")).rejects.toThrow("the connection to memory was lost: reset");
    await watch.close();
    expect(server.connections).toBe(1);
  });

  test("close fails what is under way and ends watches (link invariant 4)", async () => {
    const { server, client } = await start(({ operation }) => (operation === "READ" ? "later" : OK_ANSWER));
    const watch = await client.watch("/a");
    const next = watch.next();
    const reply = client.read("/a");
    await server.arrived("READ");
    client.close();
    client.close();
    await expect(reply).rejects.toThrow("READ was not answered: the client of memory was closed");
    expect(await next).toBeUndefined();
    await expect(client.read("/b")).rejects.toThrow("closed");
    await expect(client.watch("/b")).rejects.toThrow("closed");
    await turn();
    expect(server.connections).toBe(1);
  });

  test("close ends the waiting between attempts to reconnect", async () => {
    const server = scriptedServer(echo);
    const pacing = immediatePacing();
    let waiting: () => void = () => {};
    const waits = new Promise<void>((resolve) => (waiting = resolve));
    const client = await connectXenstore(server.transport, {
      pacing: {
        random: () => 1,
        delay: (milliseconds, signal) => {
          pacing.delays.push(milliseconds);
          waiting();
          return new Promise((_resolve, reject) => {
            signal?.addEventListener("abort", () => {
              reject(signal.reason as Error);
            });
          });
        },
      },
    });
    server.drop();
    await waits;
    const reply = client.read("/a");
    client.close();
    await expect(reply).rejects.toThrow("the client of memory was closed");
    expect(server.connections).toBe(1);
  });

  test("a connection that is lost while it is being opened is tried again", async () => {
    let opened = 0;
    const server = scriptedServer(echo);
    const client = await connectXenstore(
      {
        name: "flaky",
        open: async (handler) => {
          const connection = await server.transport.open(handler);
          if (++opened === 2) handler.closed(new Error("flaky"));
          return connection;
        },
      },
      { pacing: immediatePacing() },
    );
    server.drop();
    await turn();
    expect(await client.read("/a")).toBe("/a");
    expect(opened).toBe(3);
    client.close();
  });

  test("special watches may share a token, since their events have no other path; nodes' watches may not", async () => {
    const { server, client } = await start();
    const [came, gone] = [
      await client.watch("@introduceDomain", { token: "domlist" }),
      await client.watch("@releaseDomain", { token: "domlist" }),
    ];
    await client.watch("/a", { token: "domlist" });
    await expect(client.watch("/b", { token: "domlist" })).rejects.toThrow("the token domlist is in use");
    await expect(client.watch("@releaseDomain", { token: "domlist" })).rejects.toThrow("the token domlist is in use");
    server.fire("@releaseDomain", "domlist");
    server.fire("@introduceDomain", "domlist");
    expect([(await came.next())?.path, (await gone.next())?.path]).toEqual(["@introduceDomain", "@releaseDomain"]);
    await gone.close();
    await client.watch("@releaseDomain", { token: "domlist" });
    client.close();
  });

  test("watch refuses a token that is in use, until that watch is closed", async () => {
    const { client } = await start();
    const watch = await client.watch("/a", { token: "one" });
    await expect(client.watch("/b", { token: "one" })).rejects.toThrow(
      "WATCH /b: the token one is in use for the watch on /a; events are told apart by it (EEXIST)",
    );
    await watch.close();
    await client.watch("/b", { token: "one" });
    client.close();
  });

  test("watch makes tokens that are free", async () => {
    const { client } = await start();
    await client.watch("/a", { token: "watch-1" });
    const second = await client.watch("/a");
    const third = await client.watch("/a");
    expect(new Set(["watch-1", second.token, third.token]).size).toBe(3);
    client.close();
  });

  test("a watch that the daemon refuses leaves its token free", async () => {
    let isRefused = true;
    const { client } = await start(() => (isRefused ? { error: "EINVAL" } : OK_ANSWER));
    await expect(client.watch("//", { token: "t" })).rejects.toThrow("WATCH //: invalid request (EINVAL)");
    isRefused = false;
    expect((await client.watch("/a", { token: "t" })).token).toBe("t");
    client.close();
  });

  test("events before WATCH's reply are kept, those after UNWATCH dropped", async () => {
    const { server, client } = await start(({ operation }) => (operation === "WATCH" ? "later" : OK_ANSWER));
    const watching = client.watch("/a", { token: "t" });
    const request = await server.arrived("WATCH");
    server.fire("/a", "t");
    server.answer(request, OK_ANSWER);
    const watch = await watching;
    expect((await watch.next())?.path).toBe("/a");
    const closing = watch.close();
    server.fire("/a/late", "t");
    await closing;
    server.fire("/a/later", "t");
    await client.mkdir("/x");
    expect(await watch.next()).toBeUndefined();
    client.close();
  });

  test("events with an unknown token are ignored", async () => {
    const { server, client } = await start();
    server.fire("/a", "nobody's");
    expect(await client.read("/a")).toBe("/a");
    client.close();
  });

  test("resetWatches ends the watches there were", async () => {
    const { server, client } = await start();
    const watch = await client.watch("/a", { token: "t" });
    const next = watch.next();
    const resetting = client.resetWatches();
    const later = client.watch("/b");
    await resetting;
    expect(await next).toBeUndefined();
    const { token } = await later;
    server.fire("/b", token);
    expect((await (await later).next())?.path).toBe("/b");
    await watch.close();
    expect(server.requests.map(({ operation }) => operation)).toEqual(["WATCH", "RESET_WATCHES", "WATCH"]);
    client.close();
  });
});
