/**
 * The program as a process: what only a process has. What commands do is tested without one, in `commands/`.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:net";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import { memoryStore } from "./core-transport.js";
import { connectXenstore, type XenstoreClient } from "../../../../clients/xenstore/client.js";

const project = resolve(import.meta.dirname, "..", "..", "..", "..");
const directory = temporaryDirectory();
const socket = join(directory, "socket");
const store = memoryStore();
let server: Server;
let client: XenstoreClient;

beforeAll(async () => {
  server = await store.listen(socket);
  client = await connectXenstore(store.transport());
});
afterAll(() => {
  client.close();
  server.close();
});

function start(
  words: readonly string[],
  environment: Record<string, string> = { XENSTORED_PATH: socket },
  output: "pipe" | number = "pipe",
): ChildProcess {
  const main = join(project, "clients", "cli", "main.ts");
  return spawn(process.execPath, ["--import", import.meta.resolve("tsx"), main, ...words], {
    cwd: directory,
    env: { ...process.env, XENSTORED_PATH: "", XENSTORED_RUNDIR: "", ...environment },
    stdio: ["pipe", output, "pipe"],
  });
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function end(child: ChildProcess, input = ""): Promise<Ended> {
  let out = "";
  let err = "";
  child.stdout?.setEncoding("latin1").on("data", (chunk: string) => (out += chunk));
  child.stderr?.setEncoding("latin1").on("data", (chunk: string) => (err += chunk));
  child.stdin?.end(input, "latin1");
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}

describe("the process xs", () => {
  test("--version is the package's, from any directory", async () => {
    const { version } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as { version: string };
    expect(await end(start(["--version"]))).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  test("uses the socket of the environment, and writes bytes as they are", async () => {
    await client.write("/bytes", "\xff\0\n");
    expect(await end(start(["read", "-R", "/bytes"]))).toEqual({ code: 0, out: "\xff\0\n", err: "" });
    expect(await end(start(["read", "-R", "/bytes"], { XENSTORED_RUNDIR: directory }))).toMatchObject({ code: 0 });
  });

  test("reads a script as bytes, from standard input and from a file", async () => {
    expect(await end(start(["txn"]), "write /in '\xfe'\n")).toEqual({ code: 0, out: "", err: "" });
    expect(await client.read("/in")).toBe("\xfe");
    writeFileSync(join(directory, "script"), "write /in '\xfd'\nread /in\n", "latin1");
    expect(await end(start(["txn", "-f", "script"]))).toEqual({ code: 0, out: "\\xfd\n", err: "" });
    expect(await end(start(["txn", "-f", "none"]))).toMatchObject({ code: 1, out: "" });
  });

  test("a failure is code 1, a bad command line 2", async () => {
    expect(await end(start(["read", "/nope"]))).toEqual({
      code: 1,
      out: "",
      err: "xs: READ /nope: does not exist (ENOENT)\n",
    });
    expect(await end(start(["read"]))).toMatchObject({ code: 2, out: "" });
  });

  test("without a daemon it says which socket it tried, and how to choose another", async () => {
    const none = join(directory, "none");
    const { code, err } = await end(start(["ls"], { XENSTORED_PATH: none }));
    expect([code, err]).toEqual([
      1,
      `xs: cannot connect to ${none}: there is no such socket; is the daemon running, and is this the right path? (ENOENT)\n`,
    ]);
  });

  test("a reader that goes away ends it quietly", async () => {
    // More than a pipe holds, so that it is still writing when the reader is gone.
    for (let index = 0; index < 600; index++) void client.write(`/large/${String(index)}`, "v".repeat(1000));
    await client.read("/large/599");
    const child = start(["ls", "-f", "/large"]);
    let err = "";
    child.stderr?.setEncoding("latin1").on("data", (chunk: string) => (err += chunk));
    child.stdout?.once("data", () => child.stdout?.destroy());
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    expect([code, signal, err]).toEqual([0, null, ""]);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("%s ends a watch with %i", async (signal, code) => {
    const child = start(["watch", "/"]);
    child.stdout?.once("data", () => child.kill(signal));
    expect(await end(child)).toEqual({ code, out: "/\n", err: "" });
  });

  test.each([
    [[], /^xs: standard output: ENOSPC: .*\n$/],
    [["--json"], /^\{"error":\{"message":"standard output: ENOSPC: [^\n]*\}\n$/],
  ])("of a full disk %j tells in a line", async (words, message) => {
    await client.write("/full", "v");
    const full = openSync("/dev/full", "w");
    const child = start([...words, "ls"], undefined, full);
    closeSync(full);
    const { code, err } = await end(child);
    expect(err).toMatch(message);
    expect(code).toBe(1);
  });

  test("has no colours when no terminal reads it", async () => {
    const { out } = await end(start(["ls", "/large"], { XENSTORED_PATH: socket, TERM: "xterm", FORCE_COLOR: "1" }));
    expect(out).not.toContain("\x1b");
  });
});
