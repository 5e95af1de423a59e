import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bytesFromText } from "../../../../protocol/bytes.js";
import { ConnectError } from "../../../../clients/xenstore/errors.js";
import { jsonOf, programHarness, success } from "./program-harness.js";

const manifest = JSON.parse(readFileSync(new URL("../../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const COMMANDS = [
  "ls",
  "read",
  "write",
  "list",
  "exists",
  "mkdir",
  "rm",
  "perms",
  "chmod",
  "watch",
  "txn",
  "control",
  "log",
  "show",
  "diff",
  "dump",
  "completion",
];

describe("runProgram", () => {
  test("--version is the package's", async () => {
    const { run } = await programHarness();
    expect(await run(["--version"])).toEqual(success(`${manifest.version}\n`));
  });

  test("--help lists every command, with examples", async () => {
    const { run } = await programHarness();
    const { code, out, err } = await run(["--help"]);
    expect([code, err]).toEqual([0, ""]);
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(out).toContain("Examples:\n  xs ls");
  });

  test("xs help shows the same, and of a command what --help shows", async () => {
    const { run } = await programHarness();
    expect(await run(["help"])).toEqual(await run(["--help"]));
    expect(await run(["help", "log"])).toEqual(await run(["log", "--help"]));
    expect((await run(["help", "why"])).out).toContain(
      "\n  2    a bad command line, no such transaction, or no daemon\n",
    );
  });

  test("the help is written as UTF-8", async () => {
    const { run } = await programHarness();
    expect((await run(["txn", "--help"])).out).toContain(bytesFromText("'…' is taken as it is"));
  });

  test.each(COMMANDS)("%s --help has examples", async (command) => {
    const { run } = await programHarness();
    const { code, out } = await run([command, "--help"]);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Examples:\n.*${command}`));
  });

  test.each([
    [["frob"], "unknown command 'frob'"],
    [["reed", "/a"], "Did you mean read"],
    [["read"], "missing required argument"],
    [["ls", "--bogus"], "unknown option '--bogus'"],
    [["watch", "-n", "x", "/"], "It is a number, such as 10."],
    [["txn", "extra"], "too many arguments"],
    [["write", "/a"], "there is no value for /a"],
    [["write", "/a", "1", "/b"], "there is no value for /b"],
    [["--fork", "..", "ls"], '".." can be no fork\'s name'],
    [["chmod", "/a", "z9"], 'bad permissions "z9"'],
    [["help", "nosuch"], 'there is no command "nosuch": xs help lists'],
    [["help", "lgo"], "did you mean log?"],
    [["help", "why", "nosuch"], "too many arguments"],
    [["why", "0"], "It is a transaction's id, 1 to 4294967295."],
    [["why", "4294967296"], "It is a transaction's id, 1 to 4294967295."],
    [["log", "--tx", "9999999999"], "It is a transaction's id, 1 to 4294967295."],
    [["why", "5", "--connection", ""], "It is a connection's name, such as socket-17."],
    [["log", "--error", "NOSUCH"], "Allowed choices are EINVAL, EACCES, "],
    // Commits have no errors: it is about failures, which a running daemon tells, in either case.
    [["log", "--error", "EACCES"], "this needs a running daemon"],
    [["log", "--error", "eacces"], "this needs a running daemon"],
    [["log", "--error", "EACCES", "--follow"], "cannot be used with option '-f, --follow'"],
  ])("%j is a bad command line (code 2)", async (words, message) => {
    const { run } = await programHarness();
    const { code, out, err } = await run(words);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
  });

  test("--fork main is the daemon's socket", async () => {
    const { run } = await programHarness();
    expect(await run(["--fork", "main", "write", "/a", "1"])).toEqual(success(""));
  });

  test("without a command it shows the help, as an error", async () => {
    const { run } = await programHarness();
    const { code, out, err } = await run([]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("Usage: xs");
  });

  test("a refusal is code 1 with one line", async () => {
    const { run } = await programHarness();
    expect(await run(["read", "/nope"])).toEqual({
      code: 1,
      out: "",
      err: "xs: READ /nope: does not exist (ENOENT)\n",
    });
  });

  test("--json makes errors JSON, before and after the command", async () => {
    const { run } = await programHarness();
    for (const words of [
      ["--json", "read", "/nope"],
      ["read", "--json", "/nope"],
    ]) {
      const { code, out, err } = await run(words);
      expect([code, out]).toEqual([1, ""]);
      expect(JSON.parse(err)).toEqual({
        error: { message: "READ /nope: does not exist (ENOENT)", code: "ENOENT", operation: "READ", subject: "/nope" },
      });
    }
  });

  test.each([
    [["--json", "log", "--bogus"], "unknown option '--bogus'"],
    [["log", "-n", "x", "--json"], "option '-n, --count <count>' argument 'x' is invalid. It is a number, such as 10."],
    [["--json", "read"], "missing required argument 'path'"],
    [["--json", "show", "a", "b"], expect.stringContaining("too many arguments for 'show'") as unknown],
    [["--json", "frobnicate"], expect.stringContaining("unknown command 'frobnicate'") as unknown],
  ])("of the bad command line %j is JSON too", async (words, message) => {
    const { run } = await programHarness();
    const { code, out, err } = await run(words);
    expect([code, out]).toEqual([2, ""]);
    expect(JSON.parse(err)).toEqual({ error: { message } });
  });

  test("--json has no terminal obey what an error is about", async () => {
    const { run } = await programHarness();
    const { err } = await run(["--json", "read", "/\u009b2J"]);
    expect(err).toContain("\\u009b2J");
    expect(err).not.toContain("\u009b");
  });

  test("a daemon that cannot be reached is code 1, and names the socket", async () => {
    const { run } = await programHarness();
    const transport = (path: string) => ({
      name: path,
      open: () => Promise.reject(new ConnectError(`cannot connect to ${path}`, "ENOENT")),
    });
    const plain = await run(["--socket", "/x/socket", "ls"], { transport });
    expect(plain).toEqual({ code: 1, out: "", err: "xs: cannot connect to /x/socket\n" });
    const json = await run(["ls", "--json"], { transport, environment: { XENSTORED_PATH: "/y/socket" } });
    expect(JSON.parse(json.err)).toEqual({ error: { message: "cannot connect to /y/socket", code: "ENOENT" } });
  });

  test("a daemon that goes away is code 1", async () => {
    const { start, store } = await programHarness();
    const { result } = start(["watch", "/"], {
      onOutput: () => {
        store.drop();
      },
    });
    const { code, err } = await result;
    expect(code).toBe(1);
    expect(err).toContain("the connection to memory was lost");
  });

  test("messages show paths as text", async () => {
    const { run } = await programHarness();
    const { err } = await run(["read", "/ż"]);
    expect(err).toBe("xs: READ /ż: invalid request (EINVAL)\n");
    expect(jsonOf((await run(["exists", "--json", "/a"])).out)).toEqual([{ path: "/a", exists: false }]);
  });
});
