/**
 * The client library against daemons over real sockets: ours, and a real xenstored when `XENSTORE_PEER_COMMAND` names one.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePerms } from "../../protocol/perms.js";
import { connectXenstore, type XenstoreClient } from "../../clients/xenstore/client.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import type { Watch } from "../../clients/xenstore/watch.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { targets } from "./client-targets.js";

const everyByte = String.fromCharCode(...Array(256).keys());

describe.each(targets)("the client library on $name", ({ isMissing, start }) => {
  describe.skipIf(isMissing)("over a socket", () => {
    let daemon: DaemonProcess;
    let client: XenstoreClient;
    const clients: XenstoreClient[] = [];
    const connect = async (): Promise<XenstoreClient> => {
      const made = await connectXenstore(socketTransport(daemon.socket), { reconnect: false });
      clients.push(made);
      return made;
    };

    beforeAll(async () => {
      daemon = await start();
      client = await connect();
    });
    afterAll(async () => {
      for (const each of clients) each.close();
      await daemon.stop();
    });

    test("values hold every byte", async () => {
      await client.write("/lib/bytes", everyByte);
      expect(await client.read("/lib/bytes")).toBe(everyByte);
      await client.writeText("/lib/text", "zażółć");
      expect(await client.readText("/lib/text")).toBe("zażółć");
    });

    test("nodes come and go", async () => {
      await client.mkdir("/lib/tree/a/b");
      expect(await client.directory("/lib/tree/a")).toEqual(["b"]);
      expect(await client.directory("/lib/tree/a/b")).toEqual([]);
      expect(await client.readIfPresent("/lib/tree/none")).toBeUndefined();
      await client.rm("/lib/tree");
      expect(await client.exists("/lib/tree")).toBe(false);
      await expect(client.read("/lib/tree")).rejects.toThrow("READ /lib/tree: does not exist (ENOENT)");
      await expect(client.read("/lib//tree")).rejects.toThrow("EINVAL");
    });

    test("permissions are set and read", async () => {
      await client.mkdir("/lib/perms");
      await client.setPerms("/lib/perms", "n0 r5 w6 b7");
      expect(await client.getPerms("/lib/perms")).toEqual(parsePerms(["n0", "r5", "w6", "b7"]));
    });

    test("a directory that does not fit a message is read in parts", async () => {
      const names = Array.from({ length: 500 }, (_, index) => `a-name-of-some-length-${String(index)}`);
      await Promise.all(names.map((name) => client.write(`/lib/many/${name}`, "")));
      expect((await client.directory("/lib/many")).sort()).toEqual(names.sort());
    });

    test("a directory in parts is one that existed, though another client changes it all the time", async () => {
      const other = await connect();
      const names = Array.from({ length: 400 }, (_, index) => `a-name-of-some-length-${String(index)}`);
      await Promise.all(names.map((name) => client.write(`/lib/busy/${name}`, "")));
      // Each change can make reading start again once, and 100 times is its limit.
      const changing = (async () => {
        for (let count = 0; count < 40; count++) {
          await other.rm(`/lib/busy/extra-${String(count - 1)}`);
          await other.write(`/lib/busy/extra-${String(count)}`, "");
        }
      })();
      for (let round = 0; round < 5; round++) {
        const seen = await client.directory("/lib/busy");
        const extra = seen.filter((name) => name.startsWith("extra-"));
        expect(extra.length).toBeLessThanOrEqual(1);
        expect(seen).toHaveLength(names.length + extra.length);
      }
      await changing;
    });

    test("ten thousand requests are pipelined", async () => {
      const count = 10_000;
      const path = (index: number): string => `/lib/pipe/${String(index % 100)}`;
      const replies: Promise<unknown>[] = [];
      for (let index = 0; index < count; index++) {
        replies.push(
          index % 2 === 0 ? client.write(path(index), String(index)) : client.readIfPresent(path(index - 1)),
        );
      }
      const results = await Promise.all(replies);
      expect(results.filter((_, index) => index % 2 === 1)).toEqual(
        Array.from({ length: count / 2 }, (_, index) => String(index * 2)),
      );
    });

    test("a transaction is seen whole or not at all", async () => {
      const other = await connect();
      await client.write("/lib/tx/a", "0");
      const transaction = await client.startTransaction();
      await transaction.write("/lib/tx/a", "1");
      await transaction.write("/lib/tx/b", "1");
      expect(await transaction.read("/lib/tx/a")).toBe("1");
      expect(await other.read("/lib/tx/a")).toBe("0");
      await transaction.commit();
      expect([await other.read("/lib/tx/a"), await other.read("/lib/tx/b")]).toEqual(["1", "1"]);
      await expect(
        client.transaction(async (tree) => {
          await tree.write("/lib/tx/a", "2");
          throw new Error("no");
        }),
      ).rejects.toThrow("no");
      expect(await other.read("/lib/tx/a")).toBe("1");
    });

    test("concurrent increments lose nothing: conflicts are tried again", async () => {
      await client.write("/lib/count", "0");
      const workers = await Promise.all([connect(), connect(), connect(), connect()]);
      let attempts = 0;
      const increment = async (worker: XenstoreClient): Promise<void> => {
        for (let round = 0; round < 25; round++) {
          await worker.transaction(async (tree) => {
            attempts++;
            await tree.write("/lib/count", String(Number(await tree.read("/lib/count")) + 1));
          });
        }
      };
      await Promise.all(workers.map(increment));
      expect(await client.read("/lib/count")).toBe("100");
      expect(attempts).toBeGreaterThan(100);
    });

    /** The next event's path. */
    const nextPath = async (watch: Watch): Promise<string | undefined> => (await watch.next())?.path;

    test("a watch begins with its own path and then tells of changes below", async () => {
      const other = await connect();
      const watch = await client.watch("/lib/watched");
      expect(await nextPath(watch)).toBe("/lib/watched");
      await other.write("/lib/watched/a", "1");
      await other.write("/lib/elsewhere", "1");
      await other.rm("/lib/watched/a");
      expect([await nextPath(watch), await nextPath(watch)]).toEqual(["/lib/watched/a", "/lib/watched/a"]);
      await watch.close();
      await other.write("/lib/watched/b", "1");
      expect(await watch.next()).toBeUndefined();
    });

    test("watches are told apart, also nested and relative ones", async () => {
      const outer = await client.watch("/local/domain/0/lib");
      const inner = await client.watch("/local/domain/0/lib/inner", { token: "mine" });
      const relative = await client.watch("lib");
      for (const watch of [outer, inner, relative]) await watch.next();
      await client.write("/local/domain/0/lib/inner/x", "1");
      expect([await nextPath(outer), await inner.next(), await nextPath(relative)]).toEqual([
        "/local/domain/0/lib/inner/x",
        { path: "/local/domain/0/lib/inner/x", token: "mine", missed: false, order: expect.any(Number) as number },
        "lib/inner/x",
      ]);
      for (const watch of [outer, inner, relative]) await watch.close();
    });

    test("resetWatches ends all watches and a new one works", async () => {
      const own = await connect();
      const watch = await own.watch("/lib/reset");
      await watch.next();
      const ending = watch.next();
      await own.resetWatches();
      expect(await ending).toBeUndefined();
      const again = await own.watch("/lib/reset", { token: watch.token });
      expect(await nextPath(again)).toBe("/lib/reset");
    });

    test("domains", async () => {
      expect(await client.getDomainPath(5)).toBe("/local/domain/5");
      expect(await client.isDomainIntroduced(0)).toBe(true);
      expect(await client.isDomainIntroduced(77)).toBe(false);
    });
  });
});

describe("the client library and a daemon of ours that restarts", () => {
  test("reconnects, finds what was acknowledged, and its watch goes on", async () => {
    const directory = temporaryDirectory();
    let daemon = await startDaemon({ directory });
    const client = await connectXenstore(socketTransport(daemon.socket));
    const watch = await client.watch("/kept");
    await watch.next();
    await client.write("/kept/a", "1");
    expect(await watch.next()).toMatchObject({ path: "/kept/a", missed: false });
    await daemon.kill("SIGKILL");
    const reply = client.read("/kept/a").catch((error: unknown) => error);
    daemon = await startDaemon({ directory });
    await reply;
    expect(await client.read("/kept/a")).toBe("1");
    expect(await watch.next()).toMatchObject({ path: "/kept", missed: true });
    await client.write("/kept/b", "2");
    expect(await watch.next()).toMatchObject({ path: "/kept/b", missed: false });
    client.close();
    await daemon.stop();
  });
});
