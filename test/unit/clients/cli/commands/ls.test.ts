import { beforeEach, describe, expect, test } from "vitest";
import { connectXenstore } from "../../../../../clients/xenstore/client.js";
import { jsonOf, programHarness, success, type ProgramHarness } from "../program-harness.js";

let xs: ProgramHarness;
beforeEach(async () => {
  xs = await programHarness();
  await xs.client.transaction(async (tree) => {
    await tree.write("/a", "1");
    await tree.write("/a/b", "two\n");
    await tree.setPerms("/a/b", "n0 r5");
    await tree.write("/a/b/c", "\xff");
    await tree.write("/d", "");
  });
});

describe("xs ls", () => {
  test("shows the whole tree", async () => {
    expect(await xs.run(["ls"])).toEqual(success('a = "1"\n b = "two\\n"\n  c = "\\xff"\nd = ""\n'));
  });

  test("shows the nodes below each path", async () => {
    expect(await xs.run(["ls", "/a", "/a/b"])).toEqual(success('b = "two\\n"\n c = "\\xff"\nc = "\\xff"\n'));
  });

  test("-f shows whole paths, -p permissions", async () => {
    expect(await xs.run(["ls", "-fp", "/a"])).toEqual(
      success('/a/b = "two\\n"   (n0,r5)\n/a/b/c = "\\xff"   (n0,r5)\n'),
    );
  });

  test("relative paths are those of domain 0", async () => {
    await xs.client.write("/local/domain/0/x/y", "v");
    expect(await xs.run(["ls", "-f", "x"])).toEqual(success('x/y = "v"\n'));
  });

  test("--json shows paths, values, and permissions when asked for", async () => {
    const { out } = await xs.run(["ls", "--json", "-p", "/a"]);
    expect(jsonOf(out)).toEqual([
      { path: "/a/b", value: "two\n", perms: ["n0", "r5"] },
      { path: "/a/b/c", valueBase64: "/w==", perms: ["n0", "r5"] },
    ]);
    expect(jsonOf((await xs.run(["ls", "--json", "/d"])).out)).toEqual([]);
  });

  test("colours on a terminal, unless NO_COLOR or a dumb terminal says no", async () => {
    const hasColours = async (environment: Record<string, string>): Promise<boolean> =>
      (await xs.run(["ls"], { columns: 80, environment })).out.includes("\x1b[");
    expect(await hasColours({ TERM: "xterm" })).toBe(true);
    expect(await hasColours({ TERM: "xterm", NO_COLOR: "" })).toBe(true);
    expect(await hasColours({ TERM: "xterm", NO_COLOR: "1" })).toBe(false);
    expect(await hasColours({ TERM: "dumb" })).toBe(false);
    expect((await xs.run(["ls"], { environment: { TERM: "xterm" } })).out).not.toContain("\x1b[");
  });

  test("cuts values at the terminal's width less two, and --wide does not", async () => {
    await xs.client.write("/e/f", "x".repeat(100));
    const environment = { NO_COLOR: "1" };
    const cut = await xs.run(["ls", "/e"], { columns: 40, environment });
    expect(cut.out).toBe(`f = "${"x".repeat(29)}\\..."\n`);
    const wide = await xs.run(["ls", "-w", "/e"], { columns: 40, environment });
    expect(wide.out).toBe(`f = "${"x".repeat(100)}"\n`);
  });

  test("shows a large directory and a deep tree", async () => {
    const deep = "/x".repeat(1500);
    await xs.client.write(deep, "bottom");
    for (let index = 0; index < 1000; index++) void xs.client.write(`/many/node-with-a-name-${String(index)}`, "");
    await xs.client.read("/a");
    const { out } = await xs.run(["ls", "-f"]);
    expect(out.split("\n").filter((line) => line.startsWith("/many/"))).toHaveLength(1000);
    expect(out).toContain(`${deep} = "bottom"`);
  });

  test("what a guest may not read has no value, is not entered, and makes the code 1", async () => {
    await xs.client.introduce({ domid: 5, gfn: 1, port: 1 });
    await xs.client.setPerms("/", "r0");
    const transport = () => xs.store.transport(5);
    const guest = await connectXenstore(transport());
    await expect(guest.read("/a")).rejects.toThrow("EACCES");
    const { code, out, err } = await xs.run(["ls", "-f", "/"], { transport });
    expect(code).toBe(1);
    expect(out).toContain("/a:\n/d:\n");
    expect(out).not.toContain("/a/b");
    expect(err).toMatch(/^xs: not everything could be read: [A-Z]+ \/a: permission denied \(EACCES\)\n$/);
    guest.close();
  });

  test("a path that does not exist is code 1", async () => {
    expect(await xs.run(["ls", "/nope"])).toEqual({
      code: 1,
      out: "",
      err: "xs: DIRECTORY /nope: does not exist (ENOENT)\n",
    });
  });
});
