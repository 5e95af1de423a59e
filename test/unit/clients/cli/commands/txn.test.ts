import { describe, expect, test } from "vitest";
import { OK_ANSWER, scriptedServer } from "../../../../support/memory-transport.js";
import { jsonOf, programHarness, success } from "../program-harness.js";

const script = `
# prepares a device
mkdir /dev
write /dev/state 1
write /dev/name "two words \\x41"
chmod /dev/name n0 r5
read /dev/name
list /dev
perms /dev/name
exists /gone
rm /old
`;

describe("xs txn", () => {
  test("runs a script from standard input and prints what it asked for", async () => {
    const { run, client } = await programHarness();
    await client.mkdir("/old");
    expect(await run(["txn"], { input: script })).toEqual(success("two words A\nname\nstate\nn0 r5\nfalse\n"));
    expect(await client.exists("/old")).toBe(false);
    expect(await client.read("/dev/state")).toBe("1");
  });

  test("-f reads a file, - standard input", async () => {
    const { run, client } = await programHarness();
    expect(await run(["txn", "-f", "s"], { files: { s: "write /a 1" } })).toEqual(success(""));
    expect(await run(["txn", "-f", "-"], { input: "write /b 2" })).toEqual(success(""));
    expect(await client.directory("/")).toEqual(["a", "b"]);
  });

  test("--json names line, command and path of each result", async () => {
    const { run } = await programHarness();
    const input = "write /a \\xff\nread /a\nlist /\nperms /a\nexists /a\n";
    expect(jsonOf((await run(["txn", "--json"], { input })).out)).toEqual([
      { line: 2, command: "read", path: "/a", valueBase64: "/w==" },
      { line: 3, command: "list", path: "/", children: ["a"] },
      { line: 4, command: "perms", path: "/a", perms: ["n0"] },
      { line: 5, command: "exists", path: "/a", exists: true },
    ]);
  });

  test("keeps every byte of a script", async () => {
    const { run, client } = await programHarness();
    await run(["txn"], { input: "write /a '\xff\xc5'\n" });
    expect(await client.read("/a")).toBe("\xff\xc5");
  });

  test("a line that fails is named, and nothing is changed", async () => {
    const { run, client } = await programHarness();
    const input = "write /a 1\nread /a\n\nread /nope\nwrite /b 1\n";
    expect(await run(["txn"], { input })).toEqual({
      code: 1,
      out: "",
      err: "xs: stdin:4: READ /nope: does not exist (ENOENT)\n",
    });
    expect(await client.directory("/")).toEqual([]);
    const { err } = await run(["txn", "--json", "-f", "s"], { files: { s: input } });
    expect(JSON.parse(err)).toEqual({
      error: {
        message: "s:4: READ /nope: does not exist (ENOENT)",
        code: "ENOENT",
        operation: "READ",
        subject: "/nope",
      },
    });
  });

  test("a script that makes no sense is code 2, before anything is done", async () => {
    const { run, client } = await programHarness();
    const { code, err } = await run(["txn"], { input: "write /a 1\nfrob\n" });
    expect([code, err.split(";")[0]]).toEqual([2, 'xs: stdin:2: there is no command "frob"']);
    expect(await client.directory("/")).toEqual([]);
  });

  test("a script that cannot be read is code 1", async () => {
    const { run } = await programHarness();
    const { code, err } = await run(["txn", "-f", "none"]);
    expect(code).toBe(1);
    expect(err).toContain("cannot read the script: ENOENT");
  });

  test("runs again after EAGAIN and prints the last attempt's results", async () => {
    let attempt = 0;
    const server = scriptedServer(({ operation }) => {
      if (operation === "TRANSACTION_START") return { payload: `${String(++attempt)}\0` };
      if (operation === "READ") return { payload: `value ${String(attempt)}` };
      return operation === "TRANSACTION_END" && attempt < 3 ? { error: "EAGAIN" } : OK_ANSWER;
    });
    const { run } = await programHarness();
    expect(await run(["txn"], { input: "read /a", transport: () => server.transport })).toEqual(success("value 3\n"));
  });
});
