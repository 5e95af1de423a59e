import { describe, expect, test } from "vitest";
import { isXenstoreError } from "../../../../../clients/xenstore/errors.js";
import { cleanUpPath } from "../../../../../simulator/actors/toolstack/clean-up-path.js";
import { storeInWorld, type StoreInWorld } from "../store-in-world.js";

const VIF = "/libxl/7/device/vif/0";

async function cleanUp(nodes: Readonly<Record<string, string>>, path: string): Promise<StoreInWorld> {
  const surroundings = await storeInWorld(nodes);
  const { store, run } = surroundings;
  await run(store.transaction((transaction) => cleanUpPath(transaction, path)));
  return surroundings;
}

/** The children of a node; undefined where there is no node. */
async function children({ other, run }: StoreInWorld, path: string): Promise<readonly string[] | undefined> {
  return run(
    other.directory(path).catch((error: unknown) => {
      if (isXenstoreError(error, "ENOENT")) return undefined;
      throw error;
    }),
  );
}

describe("cleanUpPath", () => {
  test("removes a node with all below it, and the parents that become empty, up to one with other children", async () => {
    const after = await cleanUp({ [`${VIF}/state`]: "6", "/libxl/7/device/vbd/51712": "" }, VIF);
    expect(await children(after, "/libxl/7/device")).toEqual(["vbd"]);
    expect(await children(after, "/libxl/7/device/vbd")).toEqual(["51712"]);
  });

  test("leaves the parent that has another child", async () => {
    const after = await cleanUp({ [VIF]: "", "/libxl/7/device/vif/1": "" }, VIF);
    expect(await children(after, "/libxl/7/device/vif")).toEqual(["1"]);
  });

  test("leaves a parent that has a value, with all above it", async () => {
    const after = await cleanUp({ "/libxl/7/device": "kept", [VIF]: "" }, VIF);
    expect(await children(after, "/libxl/7")).toEqual(["device"]);
    expect(await children(after, "/libxl/7/device")).toEqual([]);
  });

  test("removes all parents but the root", async () => {
    const after = await cleanUp({ [VIF]: "" }, VIF);
    expect(await children(after, "/libxl")).toBeUndefined();
    expect(after.requests.filter((request) => request.startsWith("RM")).at(-1)).toBe("RM /libxl");
  });

  test("goes from a relative path up to its first name, and no further", async () => {
    const after = await cleanUp({ "/local/domain/0/device/vif/0": "" }, "device/vif/0");
    expect(await children(after, "/local/domain/0")).toEqual([]);
    const removed = after.requests.filter((request) => request.startsWith("RM"));
    expect(removed).toEqual(["RM device/vif/0", "RM device/vif", "RM device"]);
    expect(after.requests.filter((request) => request.startsWith("READ"))).toEqual(["READ device/vif", "READ device"]);
  });

  test("does nothing where not even a parent is there", async () => {
    const after = await cleanUp({ "/libxl/7": "" }, VIF);
    expect(await children(after, "/libxl/7")).toEqual([]);
    expect(after.requests).toEqual(["TRANSACTION_START", `RM ${VIF}`, "TRANSACTION_END T"]);
  });

  test("removes the empty parents of what is gone already", async () => {
    const after = await cleanUp({ "/libxl/7": "kept", "/libxl/7/device/vif": "" }, VIF);
    expect(await children(after, "/libxl/7")).toEqual([]);
  });

  test("fails with what the daemon refuses, and nothing is removed then", async () => {
    const surroundings = await storeInWorld({ [VIF]: "" });
    const { store, run } = surroundings;
    const cleaning = run(store.transaction((transaction) => cleanUpPath(transaction, `${VIF}/`)));
    await expect(cleaning).rejects.toThrow("EINVAL");
    expect(await children(surroundings, "/libxl/7/device/vif")).toEqual(["0"]);
  });
});
