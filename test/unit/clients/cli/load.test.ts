/** `xs load --fork` on a daemon whose answers the test plays. */
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LoadRequest } from "../../../../protocol/http-api/changes.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import { programHarness, type Running, type RunResult } from "./program-harness.js";

const PLANNED = { outcome: "planned", changes: [], changeCount: 0, nodeCount: 1, remarks: [] };

let directory: string;
let server: Server;
/** What was asked, in order. */
let asked: string[];
/** What requests are refused with, by what was asked. */
let refusals: Record<string, string>;
/** What a load is answered. */
let loaded: object;
/** The path that was asked for last. */
let askedPath: string | undefined;
/** Called with each request before it is answered. */
let onAsked: (line: string) => void;

beforeEach(async () => {
  [directory, asked, refusals] = [temporaryDirectory(), [], {}];
  onAsked = () => undefined;
  [loaded, askedPath] = [PLANNED, undefined];
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { branch, dryRun, path } = (body === "" ? {} : JSON.parse(body)) as Partial<LoadRequest>;
      askedPath = path;
      const what = [request.method, request.url, branch, dryRun === true ? "dry" : undefined];
      const line = what.filter((word) => word !== undefined).join(" ");
      asked.push(line);
      onAsked(line);
      const detail = refusals[line];
      response.statusCode = detail === undefined ? 200 : 409;
      const answer = request.method === "GET" ? { forks: [] } : loaded;
      response.end(JSON.stringify(detail === undefined ? answer : { detail, conflicts: [] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(join(directory, "admin.sock"), resolve));
});

afterEach(() => {
  server.close();
});

async function load(...words: readonly string[]): Promise<RunResult> {
  return await (
    await start(...words)
  ).result;
}

async function start(...words: readonly string[]): Promise<Running> {
  const harness = await programHarness();
  const files = { [join(directory, "admin.sock")]: "", "/listing": '/a = "1"\n' };
  return harness.start(["--socket", join(directory, "socket"), "load", "/listing", ...words], { files });
}

describe("xs load --fork", () => {
  test("makes the fork where there is none, after the listing was looked at", async () => {
    await load("--fork", "theirs");
    expect(asked).toEqual(["GET /v1/forks", "POST /v1/load dry", "POST /v1/forks", "POST /v1/load theirs"]);
  });

  test("with --dry-run plans against main's newest commit, and says that the fork would be made", async () => {
    const { code, out, err } = await load("--fork", "theirs", "--dry-run");
    expect([code, err]).toEqual([
      0,
      "xs: there is no fork theirs: it would be made of main's newest commit, and changed so\n",
    ]);
    expect(out).not.toBe("");
    expect(asked).toEqual(["GET /v1/forks", "POST /v1/load dry"]);
  });

  test.each(["HEAD", "a b", "x.lock"])("promises no fork %j, whose name the daemon would refuse", async (name) => {
    const { code, out, err } = await load("--fork", name, "--dry-run");
    expect([code, out, err]).toEqual([2, "", expect.stringMatching(/choose another name|can be no fork's name/)]);
  });

  test("is about main where main is named", async () => {
    await load("--fork", "main", "--dry-run");
    expect(asked).toEqual(["POST /v1/load dry"]);
  });

  test("deletes the fork again that it made when the listing cannot be loaded, and says so", async () => {
    refusals = { "POST /v1/load theirs": "the disk is full" };
    const { code, err } = await load("--fork", "theirs");
    expect([code, err]).toEqual([
      1,
      "xs: the fork theirs, which was made for the listing, was deleted again\nxs: the disk is full\n",
    ]);
    expect(asked.at(-1)).toBe("DELETE /v1/forks/theirs");
  });

  test("says that the fork is there where it cannot be deleted", async () => {
    refusals = { "POST /v1/load theirs": "the disk is full", "DELETE /v1/forks/theirs": "not now" };
    expect((await load("--fork", "theirs")).err).toMatch(
      /has main's state: delete it with .* could not be \(not now\)\n/,
    );
  });

  test.each([
    ["POST /v1/forks", []],
    ["POST /v1/load theirs", ["POST /v1/load theirs"]],
  ])("deletes the fork again that it made when Ctrl-C comes during %s", async (during, loads) => {
    const running = await start("--fork", "theirs");
    onAsked = (line) => {
      if (line === during) running.interrupt();
    };
    const { code, out, err } = await running.result;
    expect([code, out]).toEqual([130, ""]);
    expect(err).toMatch(/^xs: waiting for the daemon's answer.*\nxs: the fork theirs, .* was deleted again\n$/);
    expect(asked.slice(2)).toEqual(["POST /v1/forks", ...loads, "DELETE /v1/forks/theirs"]);
  });
});

describe("xs load", () => {
  test("takes a relative --path below the directory of domain 0", async () => {
    await load("--path", "one");
    expect(askedPath).toBe("/local/domain/0/one");
  });

  test.each([
    [[], "the store has the 1 node of the listing, and no others: nothing was done\n"],
    [["--path", "/one"], "in the store /one and what is below it are as in the listing: nothing was done\n"],
    [["--fork", "theirs"], "the fork theirs has the 1 node of the listing, and no others: nothing was done\n"],
  ])("with %j says what is as in the listing already", async (words, text) => {
    loaded = { ...PLANNED, outcome: "unchanged" };
    expect((await load(...words)).out).toBe(text);
  });
});
