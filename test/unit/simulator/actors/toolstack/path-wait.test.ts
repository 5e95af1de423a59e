import { describe, expect, test } from "vitest";
import { PathWait } from "../../../../../simulator/actors/toolstack/path-wait.js";
import { storeInWorld, type StoreInWorld } from "../store-in-world.js";

const PATH = "/backend/state";
const TOKEN = "3/0";

async function startWait(nodes: Readonly<Record<string, string>> = {}): Promise<StoreInWorld & { wait: PathWait }> {
  const surroundings = await storeInWorld(nodes);
  return { ...surroundings, wait: await surroundings.run(PathWait.start(surroundings.store, PATH, TOKEN)) };
}

describe("PathWait.until", () => {
  test("asks at the first event already, and then sends nothing but what the condition does", async () => {
    const { wait, store, run, requests } = await startWait({ [PATH]: "2" });
    await run(wait.until(async () => (await store.read(PATH)) === "2"));
    expect(requests).toEqual([`WATCH ${PATH} ${TOKEN}`, `READ ${PATH}`]);
  });

  test("asks once for each event, until the condition holds, and not in between", async () => {
    const { wait, world, run, change } = await startWait({ [PATH]: "1" });
    let asked = 0;
    const waiting = wait.until(async () => ++asked === 3);
    await world.scheduler.runUntilQuiet();
    expect(asked).toBe(1);
    await change("/elsewhere", "");
    expect(asked).toBe(1);
    await change(PATH, "1");
    expect(asked).toBe(2);
    await change(PATH, "1");
    await run(waiting);
    await change(PATH, "1");
    expect(asked).toBe(3);
  });

  test("asks once more for all events that come while it asks", async () => {
    const { wait, world, change } = await startWait({ [PATH]: "1" });
    const answers: ((holds: boolean) => void)[] = [];
    void wait.until(() => new Promise<boolean>((resolve) => answers.push(resolve)));
    await world.scheduler.runUntilQuiet();
    for (const value of ["2", "3", "4"]) await change(PATH, value);
    expect(answers).toHaveLength(1);
    answers[0]?.(false);
    await world.scheduler.runUntilQuiet();
    expect(answers).toHaveLength(2);
    answers[1]?.(false);
    await world.scheduler.runUntilQuiet();
    expect(answers).toHaveLength(2);
  });

  test("may be called again: it then waits for what comes after", async () => {
    const { wait, run, store, change } = await startWait({ [PATH]: "2" });
    await run(wait.until(async () => (await store.read(PATH)) === "2"));
    const again = wait.until(async () => (await store.read(PATH)) === "4");
    await change(PATH, "4");
    await run(again);
  });

  test("rejects when asking fails", async () => {
    const { wait, run } = await startWait();
    await expect(run(wait.until(() => Promise.reject(new Error("refused"))))).rejects.toThrow("refused");
  });
});

describe("PathWait.untilWithin", () => {
  test("is true as soon as the condition holds, and leaves no timer for which time would go on", async () => {
    const { wait, world, store, run, change } = await startWait({ [PATH]: "1" });
    const waiting = wait.untilWithin(async () => (await store.read(PATH)) === "2", world.environment, 10_000);
    await change(PATH, "2");
    expect(await run(waiting)).toBe(true);
    await world.scheduler.run(() => false);
    expect(world.scheduler.monotonicMilliseconds()).toBeLessThan(10_000);
  });

  test("is false when the time is over, and then asks no more", async () => {
    const { wait, world, run, change } = await startWait({ [PATH]: "1" });
    let asked = 0;
    const waiting = wait.untilWithin(async () => ++asked < 0, world.environment, 10_000);
    expect(await run(waiting)).toBe(false);
    expect(world.scheduler.monotonicMilliseconds()).toBeCloseTo(10_000, 0);
    await change(PATH, "2");
    expect(asked).toBe(1);
  });

  test("is false when the time is over while it asks: an answer may never come", async () => {
    const { wait, world, run } = await startWait({ [PATH]: "1" });
    const waiting = wait.untilWithin(() => new Promise<boolean>(() => undefined), world.environment, 10_000);
    expect(await run(waiting)).toBe(false);
  });

  test("rejects when asking fails, and leaves no timer then either", async () => {
    const { wait, world, run } = await startWait();
    const waiting = wait.untilWithin(() => Promise.reject(new Error("refused")), world.environment, 10_000);
    await expect(run(waiting)).rejects.toThrow("refused");
    await world.scheduler.run(() => false);
    expect(world.scheduler.monotonicMilliseconds()).toBeLessThan(10_000);
  });
});

describe("PathWait.close", () => {
  test("removes the watch, once", async () => {
    const { wait, run, requests } = await startWait();
    await run(wait.close());
    await run(wait.close());
    expect(requests.slice(1)).toEqual([`UNWATCH ${PATH} ${TOKEN}`]);
  });
});
