import { describe, expect, test } from "vitest";
import { hasSlashes, Kernel, pathStart } from "../../../../simulator/actors/kernel.js";
import { XENBUS_STATES } from "../../../../simulator/vm/xenbus-state.js";
import { storeInWorld, type StoreInWorld } from "./store-in-world.js";

interface KernelInWorld extends StoreInWorld {
  readonly kernel: Kernel;
  readonly errors: unknown[];
}

async function kernelInWorld(nodes: Readonly<Record<string, string>> = {}): Promise<KernelInWorld> {
  const surroundings = await storeInWorld(nodes);
  const errors: unknown[] = [];
  const kernel = new Kernel(surroundings.store, (error) => errors.push(error));
  return { ...surroundings, kernel, errors };
}

/** Something to wait for, and the way to let it happen. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe("Kernel: watch events", () => {
  test("are handled one after the other in the order of their arrival, each to its end (kernel invariant 1)", async () => {
    const { kernel, run, world, other, store } = await kernelInWorld({ "/a": "", "/b": "" });
    const course: string[] = [];
    let changed = 0;
    for (const path of ["/a", "/b"]) {
      const handler = async (event: string): Promise<void> => {
        course.push(`${event} begins`);
        // Longer for one watch than for the other: a thread for each would mix them.
        for (let times = path === "/a" ? 5 : 1; times > 0; times--) await store.read(event);
        course.push(`${event} ends`);
        if (event !== path) changed++;
      };
      await run(kernel.watch(path, handler));
    }
    await world.scheduler.runUntilQuiet();
    course.length = 0;
    const paths = ["/a/1", "/b/1", "/a/2", "/b/2"];
    for (const path of paths) void other.write(path, "");
    await world.scheduler.run(() => changed === paths.length);
    expect(course).toEqual(paths.flatMap((path) => [`${path} begins`, `${path} ends`]));
  });

  test("of a watch that is removed are not handled, those that wait included (kernel invariant 2)", async () => {
    const { kernel, run, world, change } = await kernelInWorld({ "/slow": "", "/gone": "" });
    const seen: string[] = [];
    const { opened, open } = gate();
    await run(
      kernel.watch("/slow", async (path) => {
        seen.push(path);
        if (path === "/slow/1") await opened;
      }),
    );
    const gone = await run(kernel.watch("/gone", async (path) => void seen.push(path)));
    await world.scheduler.runUntilQuiet();
    await change("/slow/1", "");
    await change("/gone/1", "");
    await change("/slow/2", "");
    const unwatched = kernel.unwatch(gone);
    open();
    await run(unwatched);
    await change("/gone/2", "");
    expect(seen).toEqual(["/slow", "/gone", "/slow/1", "/slow/2"]);
  });

  test("end with standStill, but for the one that is under way (kernel invariant 3)", async () => {
    const { kernel, run, world, change, requests } = await kernelInWorld({ "/a": "" });
    const seen: string[] = [];
    const { opened, open } = gate();
    await run(
      kernel.watch("/a", async (path) => {
        seen.push(path);
        if (path !== "/a/1") return;
        await opened;
        await kernel.store.read("/a/1");
      }),
    );
    await world.scheduler.runUntilQuiet();
    await change("/a/1", "");
    await change("/a/2", "");
    kernel.standStill();
    open();
    await world.scheduler.runUntilQuiet();
    await change("/a/3", "");
    expect(seen).toEqual(["/a", "/a/1"]);
    expect(requests.at(-1)).toBe("READ /a/1");
    expect(kernel.isHalted).toBe(false);
  });

  test("after halt nothing is sent, and what ends for that reason is no error (kernel invariant 3)", async () => {
    const { kernel, run, world, change, requests, errors } = await kernelInWorld({ "/a": "" });
    const { opened, open } = gate();
    const ends: unknown[] = [];
    await run(
      kernel.watch("/a", async (path) => {
        if (path !== "/a/1") return;
        await opened;
        await kernel.store.write("/a/never", "").catch((error: unknown) => {
          ends.push(error);
          throw error;
        });
      }),
    );
    await world.scheduler.runUntilQuiet();
    await change("/a/1", "");
    kernel.halt();
    expect(kernel.isHalted).toBe(true);
    open();
    await world.scheduler.runUntilQuiet();
    await change("/a/2", "");
    expect(requests.filter((request) => request.startsWith("WRITE"))).toEqual([]);
    expect(ends).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  test("whose handler fails are told of, and the next ones are handled", async () => {
    const { kernel, run, change, errors } = await kernelInWorld({ "/a": "" });
    const seen: string[] = [];
    const unexpected = new Error("unexpected");
    await run(
      kernel.watch("/a", async (path) => {
        seen.push(path);
        if (path === "/a/1") throw unexpected;
      }),
    );
    await change("/a/1", "");
    await change("/a/2", "");
    expect(errors).toEqual([unexpected]);
    expect(seen).toEqual(["/a", "/a/1", "/a/2"]);
  });

  test("say whether others may have been missed, because the daemon was restarted", async () => {
    const { kernel, run, world, change } = await kernelInWorld({ "/a": "" });
    const seen: [path: string, missed: boolean][] = [];
    await run(kernel.watch("/a", async (path, missed) => void seen.push([path, missed])));
    await world.scheduler.runUntilQuiet();
    world.stopDaemon();
    await world.startDaemon();
    await world.scheduler.run(() => seen.length === 2);
    await change("/a/1", "");
    expect(seen).toEqual([
      ["/a", false],
      ["/a", true],
      ["/a/1", false],
    ]);
  });
});

describe("Kernel: watches", () => {
  test("have tokens that look like addresses and are never the same", async () => {
    const { kernel, run, requests } = await kernelInWorld();
    const first = await run(kernel.watch("/a", async () => undefined));
    await run(kernel.unwatch(first));
    await run(kernel.watch("/a", async () => undefined));
    expect(requests).toEqual(["WATCH /a FFFFFFFF82000000", "UNWATCH /a FFFFFFFF82000000", "WATCH /a FFFFFFFF82000040"]);
  });

  test("are removed once, however often that is asked for", async () => {
    const { kernel, run, requests } = await kernelInWorld();
    const watch = await run(kernel.watch("/a", async () => undefined));
    await run(kernel.unwatch(undefined));
    await run(Promise.all([kernel.unwatch(watch), kernel.unwatch(watch)]));
    await run(kernel.unwatch(watch));
    expect(requests.filter((request) => request.startsWith("UNWATCH"))).toHaveLength(1);
  });
});

describe("Kernel: states", () => {
  test("readState is unknown for a device that is not there and for what is no state", async () => {
    const { kernel, run } = await kernelInWorld({ "/device/state": "4", "/odd/state": "four" });
    const states = ["/device", "/odd", "/missing"].map((path) => run(kernel.readState(path)));
    expect(await Promise.all(states)).toEqual([XENBUS_STATES.connected, XENBUS_STATES.unknown, XENBUS_STATES.unknown]);
  });

  test("switchState changes the state of a device that is there", async () => {
    const { kernel, run, other } = await kernelInWorld({ "/device/state": "1" });
    await run(kernel.switchState("/device", XENBUS_STATES.initialised));
    expect(await run(other.read("/device/state"))).toBe("3");
  });

  test("switchState makes no device anew that is gone, and gives its transaction up", async () => {
    const { kernel, run, other, requests } = await kernelInWorld({ "/device/name": "" });
    await run(kernel.switchState("/device", XENBUS_STATES.closed));
    expect(await run(other.directory("/device"))).toEqual(["name"]);
    expect(requests).toEqual(["TRANSACTION_START", "READ /device/state", "TRANSACTION_END F"]);
  });

  test("switchState sees that a device went in the midst of it", async () => {
    const { kernel, run, other, world, requests } = await kernelInWorld({ "/device/state": "4" });
    const switched = kernel.switchState("/device", XENBUS_STATES.closing);
    await world.scheduler.run(() => requests.includes("READ /device/state"));
    await run(other.rm("/device"));
    await run(switched);
    expect(await run(other.exists("/device"))).toBe(false);
  });
});

describe("hasSlashes", () => {
  test("tells from which depth on a path may be a device", () => {
    const paths = ["backend", "backend/vbd", "backend/vbd/5", "backend/vbd/5/0", "/a/b", ""];
    expect(paths.filter((path) => hasSlashes(path, 2))).toEqual(["backend/vbd/5", "backend/vbd/5/0", "/a/b"]);
  });
});

describe("pathStart", () => {
  test("is what is above a depth, and the whole path when that is shorter", () => {
    const paths = ["backend/vbd/5/0/state", "backend/vbd/5/0", "backend/vbd", "/a/b/c/d"];
    expect(paths.map((path) => pathStart(path, 4))).toEqual([
      "backend/vbd/5/0",
      "backend/vbd/5/0",
      "backend/vbd",
      "/a/b/c",
    ]);
  });
});
