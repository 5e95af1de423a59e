import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectXenstore, type XenstoreClient } from "../../../clients/xenstore/client.js";
import { socketTransport } from "../../../clients/xenstore/socket-transport.js";
import { MAIN_REF } from "../../../daemon/history/repository/layout.js";
import type { FoundCommit } from "../../../daemon/history/repository/find-commit.js";
import { mountCommit, type ReadOnlyMount } from "../../../daemon/read-only-mount.js";
import { questionAbout, recordSteps } from "../../support/stepped-history.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";

const { view } = questionAbout(
  recordSteps([{ "/a/b": "old", "/a/c": ["x", "n5 r0"] }, { "/a/b": "new" }, { "/a": undefined }]),
).question;
const directory = temporaryDirectory();
let mount: ReadOnlyMount;
let client: XenstoreClient;

async function mountSeq(seq: number, place = directory): Promise<ReadOnlyMount> {
  return mountCommit(view, view.commitWithSeq(MAIN_REF, seq) as FoundCommit, place);
}

beforeAll(async () => {
  mount = await mountSeq(2);
  client = await connectXenstore(socketTransport(mount.socketPath), { reconnect: false });
});
afterAll(() => {
  client.close();
  mount.close();
});

describe("mountCommit", () => {
  test("serves the state that the commit made", async () => {
    expect(mount.socketPath).toBe(join(directory, "socket"));
    expect(await client.read("/a/b")).toBe("new");
    expect(await client.directory("/a")).toEqual(["b", "c"]);
    await expect(client.read("/a/d")).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("answers EROFS to whatever would change it, and goes on", async () => {
    await expect(client.write("/a/b", "other")).rejects.toMatchObject({ code: "EROFS" });
    await expect(client.mkdir("/a/new")).rejects.toMatchObject({ code: "EROFS" });
    await expect(client.rm("/a")).rejects.toMatchObject({ code: "EROFS" });
    const change = client.transaction(async (transaction) => transaction.write("/a/b", "other"));
    await expect(change).rejects.toMatchObject({ code: "EROFS" });
    expect(await client.read("/a/b")).toBe("new");
  });

  test("lets transactions and watches read", async () => {
    expect(await client.transaction(async (transaction) => transaction.read("/a/c"))).toBe("x");
    const watch = await client.watch("/a");
    expect(await watch.next()).toMatchObject({ path: "/a" });
  });

  test("removes its socket, and another state can be served there", async () => {
    const place = temporaryDirectory();
    const first = await mountSeq(1, place);
    const reader = await connectXenstore(socketTransport(first.socketPath), { reconnect: false });
    expect(await reader.read("/a/b")).toBe("old");
    first.close();
    expect(existsSync(first.socketPath)).toBe(false);
    const second = await mountSeq(3, place);
    const later = await connectXenstore(socketTransport(second.socketPath), { reconnect: false });
    expect(await later.directory("/")).toEqual([]);
    later.close();
    second.close();
  });

  test("says so where the socket's path is too long", async () => {
    await expect(mountSeq(1, join(directory, "x".repeat(100)))).rejects.toThrow(/a Unix socket address holds 107/);
  });
});
