/** How `xs` shows what a daemon answers on its admin socket. */
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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
