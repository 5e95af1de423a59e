import { describe, expect, test } from "vitest";
import { WatchQueue, type WatchEvent } from "../../../../clients/xenstore/watch.js";

function queue(bufferedEventsMax?: number): { watch: WatchQueue; unwatched: string[] } {
  const unwatched: string[] = [];
  const options = bufferedEventsMax === undefined ? {} : { bufferedEventsMax };
  const watch = new WatchQueue("/a", "t", options, async ({ token }) => {
    unwatched.push(token);
  });
  return { watch, unwatched };
}

const event = (path: string, missed = false): WatchEvent => ({ path, token: "t", missed, order: 0 });

describe("WatchQueue", () => {
  test("hands events out in the order of their arrival, waiting or not (watch invariant 1)", async () => {
    const { watch } = queue();
    watch.push("/a/1", 0);
    watch.push("/a/2", 0);
    expect(await watch.next()).toEqual(event("/a/1"));
    const waiting = [watch.next(), watch.next(), watch.next()];
    watch.push("/a/3", 0);
    watch.push("/a/4", 0);
    expect(await Promise.all(waiting)).toEqual([event("/a/2"), event("/a/3"), event("/a/4")]);
  });

  test("keeps the order over many events", async () => {
    const { watch } = queue();
    const paths = Array.from({ length: 5000 }, (_, index) => `/a/${String(index)}`);
    const taken: string[] = [];
    for (const path of paths) {
      watch.push(path, 0);
      if (taken.length % 3 !== 0) taken.push((await watch.next())?.path ?? "none");
      else if (path.endsWith("7")) taken.push((await watch.next())?.path ?? "none");
    }
    while (taken.length < paths.length) taken.push((await watch.next())?.path ?? "none");
    expect(taken).toEqual(paths);
  });

  test("replaces a full buffer by one event that tells of the loss (watch invariant 2)", async () => {
    const { watch } = queue(2);
    for (const path of ["/a/1", "/a/2", "/a/3", "/a/4"]) watch.push(path, 0);
    expect(await watch.next()).toEqual(event("/a", true));
    expect(await watch.next()).toEqual(event("/a/4"));
  });

  test("markMissed marks the next event alone", async () => {
    const { watch } = queue();
    watch.markMissed();
    watch.push("/a", 0);
    watch.push("/a", 0);
    expect([await watch.next(), await watch.next()]).toEqual([event("/a", true), event("/a")]);
  });

  test("close ends those who wait, drops what waits, and unwatches once (watch invariant 3)", async () => {
    const { watch, unwatched } = queue();
    const waiting = watch.next();
    await Promise.all([watch.close(), watch.close()]);
    expect(await waiting).toBeUndefined();
    watch.push("/a", 0);
    expect(await watch.next()).toBeUndefined();
    expect(unwatched).toEqual(["t"]);
  });

  test("a failure comes after the events that wait (watch invariant 3)", async () => {
    const { watch, unwatched } = queue();
    watch.push("/a", 0);
    watch.fail(new Error("gone"));
    watch.push("/late", 0);
    expect(await watch.next()).toEqual(event("/a"));
    await expect(watch.next()).rejects.toThrow("gone");
    await watch.close();
    expect(unwatched).toEqual([]);
  });

  test("a failure reaches those who wait", async () => {
    const { watch } = queue();
    const waiting = watch.next();
    watch.fail(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
  });

  test("hands each event to onEvent as it arrives, and keeps none", () => {
    const seen: WatchEvent[] = [];
    const watch = new WatchQueue(
      "/a",
      "t",
      { bufferedEventsMax: 1, onEvent: (each) => seen.push(each) },
      async () => {},
    );
    watch.push("/a/1", 1);
    watch.push("/a/2", 2);
    watch.markMissed();
    watch.push("/a/3", 3);
    watch.push("/a/4", 4);
    expect(seen).toEqual([
      { ...event("/a/1"), order: 1 },
      { ...event("/a/2"), order: 2 },
      { ...event("/a/3", true), order: 3 },
      { ...event("/a/4"), order: 4 },
    ]);
    watch.finish();
    watch.push("/a/5", 5);
    expect(seen).toHaveLength(4);
  });

  test("leaving a for await loop closes the watch", async () => {
    const { watch, unwatched } = queue();
    watch.push("/a/1", 0);
    watch.push("/a/2", 0);
    const seen: string[] = [];
    for await (const each of watch) {
      seen.push(each.path);
      break;
    }
    expect([seen, unwatched]).toEqual([["/a/1"], ["t"]]);
  });

  test("a for await loop ends when the watch is finished by the client", async () => {
    const { watch, unwatched } = queue();
    const seen: string[] = [];
    const loop = (async () => {
      for await (const each of watch) seen.push(each.path);
    })();
    watch.push("/a/1", 0);
    await new Promise((resolve) => setImmediate(resolve));
    watch.finish();
    await loop;
    expect([seen, unwatched]).toEqual([["/a/1"], []]);
  });
});
