import { describe, expect, test } from "vitest";
import { programHarness, success } from "../program-harness.js";

describe("xs write", () => {
  test("writes pairs, with escapes and as UTF-8", async () => {
    const { run, client } = await programHarness();
    expect(await run(["write", "/a", "x\\ty\\xff", "/b/c", "ż"])).toEqual(success(""));
    expect(await client.read("/a")).toBe("x\ty\xff");
    expect(await client.readText("/b/c")).toBe("ż");
  });

  test("-R takes values as they are", async () => {
    const { run, client } = await programHarness();
    await run(["write", "-R", "/a", "x\\ty"]);
    expect(await client.read("/a")).toBe("x\\ty");
  });

  test("takes a value with a dash after --", async () => {
    const { run, client } = await programHarness();
    expect(await run(["write", "--", "/a", "-5"])).toEqual(success(""));
    expect(await client.read("/a")).toBe("-5");
  });

  test("writes all pairs or none", async () => {
    const { run, client } = await programHarness();
    expect((await run(["write", "/a", "1", "//", "2"])).code).toBe(1);
    expect(await client.exists("/a")).toBe(false);
  });
});
