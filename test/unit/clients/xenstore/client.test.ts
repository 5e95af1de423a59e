import { describe, expect, test } from "vitest";
import { OPERATIONS } from "../../../../protocol/operation.js";
import { connectXenstore, type XenstoreClient } from "../../../../clients/xenstore/client.js";
import { OK_ANSWER, scriptedServer, type Answer, type SeenRequest } from "../../../support/memory-transport.js";
import { immediatePacing } from "./immediate-pacing.js";

async function start(
  script: (request: SeenRequest) => Answer,
  chunkBytes?: number,
): Promise<{ server: ReturnType<typeof scriptedServer>; client: XenstoreClient }> {
  const server = scriptedServer(script, chunkBytes);
  const client = await connectXenstore(server.transport, { reconnect: false, pacing: immediatePacing() });
  return { server, client };
}

/** Answers every operation as a daemon would. */
function plausible({ operation }: SeenRequest): Answer {
  switch (operation) {
    case "TRANSACTION_START":
      return { payload: "7\0" };
    case "GET_PERMS":
      return { payload: "n0\0r5\0" };
    case "DIRECTORY":
      return { error: "E2BIG" };
    case "DIRECTORY_PART":
      return { payload: "1\0a\0\0" };
    case "IS_DOMAIN_INTRODUCED":
      return { payload: "T\0" };
    case "GET_DOMAIN_PATH":
      return { payload: "/local/domain/5\0" };
    case "GET_FEATURE":
      return { payload: "3\0" };
    case "GET_QUOTA":
      return { payload: "1000\0" };
    default:
      return OK_ANSWER;
  }
}

describe("XenstoreClient", () => {
  test("has every operation of the table", async () => {
    const { server, client } = await start(plausible);
    await client.read("/a");
    await client.write("/a", "v");
    await client.mkdir("/a");
    await client.rm("/a");
    await client.directory("/a");
    await client.getPerms("/a");
    await client.setPerms("/a", "n0");
    await client.introduce({ domid: 5, gfn: -1, port: 2 });
    await client.release(5);
    expect(await client.isDomainIntroduced(5)).toBe(true);
    await client.resume(5);
    await client.setTarget(5, 6);
    expect(await client.getDomainPath(5)).toBe("/local/domain/5");
    expect(await client.getFeature()).toBe(3);
    await client.setFeature(5, 1);
    expect(await client.getQuota("nodes", 5)).toBe(1000);
    await client.setQuota("nodes", 10);
    expect(await client.control("check")).toBe("OK");
    await client.transaction(() => undefined);
    await (await client.watch("/a")).close();
    await client.resetWatches();
    const seen = new Set(server.requests.map(({ operation }) => operation));
    expect(OPERATIONS.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
  });

  test("sends the arguments of the operations on domains", async () => {
    const { server, client } = await start(plausible);
    await client.introduce({ domid: 5, gfn: 17, port: 2 });
    await client.setTarget(5, 6);
    await client.getFeature();
    await client.getFeature(5);
    await client.setFeature(5, 3);
    await client.listQuotas();
    await client.getQuota("nodes");
    await client.getQuota("nodes", 5);
    await client.setQuota("nodes", 1);
    await client.setQuota("nodes", 1, 5);
    await client.control("domain", "destroy", "5");
    expect(server.requests.map(({ payload }) => payload)).toEqual([
      "5\x0017\x002\0",
      "5\x006\0",
      "",
      "5\0",
      "5\x003\0",
      "",
      "nodes\0",
      "5\0nodes\0",
      "nodes\x001\0",
      "5\0nodes\x001\0",
      "domain\0destroy\x005\0",
    ]);
  });

  test("listQuotas splits the names", async () => {
    const { client } = await start(() => ({ payload: "nodes watches\0" }));
    expect(await client.listQuotas()).toEqual(["nodes", "watches"]);
  });

  test.each([-1, 1.5, 65536, NaN])("%d is no domain id, and nothing is sent", async (domid) => {
    const { server, client } = await start(plausible);
    await expect(client.release(domid)).rejects.toThrow("is no domain id; it is an integer from 0 to 65535");
    expect(server.requests).toEqual([]);
  });

  test("refuses replies that are not what was asked for", async () => {
    const { client } = await start(() => ({ payload: "?\0" }));
    await expect(client.isDomainIntroduced(1)).rejects.toThrow("neither T nor F");
    await expect(client.getFeature()).rejects.toThrow("no number");
  });

  test("pipelines: a thousand requests are under way at once, over any chunks", async () => {
    const { server, client } = await start(() => "later", 1000);
    const paths = Array.from({ length: 1000 }, (_, index) => `/node/${String(index)}`);
    const replies = Promise.all(paths.map((path) => client.read(path)));
    await server.arrived("READ", 1000);
    for (const request of server.requests) server.answer(request, { payload: request.strings[0] ?? "" });
    expect(await replies).toEqual(paths);
  });

  test("refuses a value that does not fit a message", async () => {
    const { server, client } = await start(plausible);
    await expect(client.write("/a", "x".repeat(4094))).rejects.toMatchObject({ code: "E2BIG", operation: "WRITE" });
    await client.write("/a", "x".repeat(4093));
    expect(server.requests).toHaveLength(1);
  });
});
