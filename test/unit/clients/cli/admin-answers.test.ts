/** How `xs` shows what a daemon answers on its admin socket. */
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bytesFromText } from "../../../../protocol/bytes.js";
import type { FailuresAnswer } from "../../../../protocol/http-api/failures.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import { jsonOf, programHarness, type RunResult } from "./program-harness.js";

let directory: string;
let server: Server;
let answer: { readonly status: number; readonly body: object };

beforeEach(async () => {
  directory = temporaryDirectory();
  server = createServer((_request, response) => {
    response.statusCode = answer.status;
    response.end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(join(directory, "admin.sock"), resolve));
});

afterEach(() => {
  server.close();
});

async function xs(...words: readonly string[]): Promise<RunResult> {
  const { run } = await programHarness();
  return await run(["--socket", join(directory, "socket"), ...words], {
    files: { [join(directory, "admin.sock")]: "" },
  });
}

describe("conflicts", () => {
  beforeEach(() => {
    answer = { status: 409, body: { detail: "both have changed", conflicts: ["/a: its value", "/b: it is gone"] } };
  });

  test("are lines of the message", async () => {
    expect(await xs("merge", "mine")).toEqual({
      code: 1,
      out: "",
      err: "xs: both have changed\n  /a: its value\n  /b: it is gone\n",
    });
  });

  test("with --json stand by themselves too", async () => {
    expect(jsonOf((await xs("--json", "merge", "mine")).err)).toMatchObject({
      error: { conflicts: ["/a: its value", "/b: it is gone"] },
    });
  });
});

describe("control characters", () => {
  test("of a tag that Git made do not reach the terminal", async () => {
    const tag = { name: "żółw\u009b2J", oid: "0".repeat(40), subject: "WRITE /a" };
    answer = { status: 200, body: { branches: [], tags: [tag] } };
    expect((await xs("tags")).out).toContain(`${bytesFromText("żółw")}\\xc2\\x9b2J  `);
  });

  test("of the path of a conflict do not reach the terminal", async () => {
    const failure = {
      time: "",
      firstTime: "",
      count: 1,
      connection: "socket-1",
      domain: 0,
      operation: "TRANSACTION_END",
    };
    const conflict = { base: 1, operation: "READ", path: "/\u009b2J" };
    const body: FailuresAnswer = { failures: [{ ...failure, subject: "", error: "EAGAIN", seq: 2, conflict }] };
    answer = { status: 200, body };
    expect((await xs("log", "--failures")).out).toContain(": /\\xc2\\x9b2J was changed since @{1}\n");
  });
});
