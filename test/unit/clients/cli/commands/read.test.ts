import { describe, expect, test } from "vitest";
import { jsonOf, programHarness, success } from "../program-harness.js";

describe("xs read", () => {
  test("prints values, escaped, one on each line", async () => {
    const { run, client } = await programHarness();
    await client.write("/a", "one\n");
    await client.write("/b", "\0\xff");
    expect(await run(["read", "/a", "/b"])).toEqual(success("one\\n\n\\000\\xff\n"));
    expect(await run(["read", "-p", "/a", "/b"])).toEqual(success("/a: one\\n\n/b: \\000\\xff\n"));
    expect(await run(["read", "-R", "/a", "/b"])).toEqual(success("one\n\0\xff"));
  });

  test("--json loses no byte", async () => {
    const { run, client } = await programHarness();
    await client.writeText("/a", "ż");
    await client.write("/b", "\xff");
    expect(jsonOf((await run(["read", "--json", "/a", "/b"])).out)).toEqual([
      { path: "/a", value: "ż" },
      { path: "/b", valueBase64: "/w==" },
    ]);
  });

  test("prints nothing when one is missing", async () => {
    const { run, client } = await programHarness();
    await client.write("/a", "1");
    expect(await run(["read", "/a", "/nope"])).toEqual({
      code: 1,
      out: "",
      err: "xs: READ /nope: does not exist (ENOENT)\n",
    });
  });
});
