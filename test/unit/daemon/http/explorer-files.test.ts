/** The explorer's files: what is served, with which headers, and that nothing else is. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FastifyInstance, LightMyRequestResponse } from "fastify";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createConsole } from "../../../../daemon/http/console.js";
import type { ConsolePorts } from "../../../../daemon/http/console-ports.js";
import { explorerDirectoryOf } from "../../../../daemon/http/explorer-files.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

const TOKEN = "00112233445566778899aabbccddeeff";
const HOST = "127.0.0.1:7437";

let parent: string;
let directory: string;
let app: FastifyInstance;

function consoleWith(explorerDirectory: string | undefined, { byTcp = false } = {}): FastifyInstance {
  const core = { ask: () => Promise.reject(new Error("the core is not asked here")) };
  const ports = { daemon: { core, forks: core, branch: () => core }, explorerDirectory, failed: () => undefined };
  const guard = { token: TOKEN, scheme: "http", hosts: () => new Set([HOST]) } as const;
  return createConsole(ports as unknown as ConsolePorts, byTcp ? { tls: undefined, guard } : undefined);
}

beforeEach(() => {
  parent = temporaryDirectory();
  directory = join(parent, "explorer");
  mkdirSync(join(directory, "assets", ".hidden"), { recursive: true });
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, name), text);
  };
  write("index.html", "<!doctype html><title>explorer</title>");
  write("assets/index-a1b2.js", "export {};");
  write("assets/index-c3d4.css", "body {}");
  write(".secret", "classified");
  write("assets/.secret", "classified");
  write("assets/.hidden/x.js", "classified");
  writeFileSync(join(parent, "package.json"), "classified");
  app = consoleWith(directory);
});

afterEach(async () => {
  await app.close();
});

const get = (url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> =>
  app.inject({ url, headers });

describe("the explorer's files", () => {
  test.each([
    ["/", "text/html; charset=utf-8", "no-cache"],
    ["/assets/index-a1b2.js", "application/javascript; charset=utf-8", "public, max-age=31536000, immutable"],
    ["/assets/index-c3d4.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"],
  ])("are served: %s as %s", async (url, type, cached) => {
    const { statusCode, headers } = await get(url);
    expect([statusCode, headers["content-type"], headers["cache-control"]]).toEqual([200, type, cached]);
    expect(headers["content-security-policy"]).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers).toMatchObject({
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    });
  });

  test("are not sent again to who has them", async () => {
    const { headers } = await get("/");
    const again = await get("/", { "if-none-match": String(headers["etag"]) });
    expect([again.statusCode, again.body, again.headers["cache-control"]]).toEqual([304, "", "no-cache"]);
  });

  test.each([
    "/.secret",
    "/assets/.secret",
    "/assets/.hidden/x.js",
    "/package.json",
    "/../package.json",
    "/assets/../../package.json",
    "/assets/..%2f..%2fpackage.json",
    "/assets/%2e%2e/%2e%2e/package.json",
    "/..%5cpackage.json",
    "//etc/passwd",
    "/%2fetc%2fpasswd",
    "/index.html",
    "/index.html%00",
    "/assets/index-a1b2.js%00",
    "/assets",
    "/assets/",
    "/explorer/index.html",
  ])("are all that there is: not %s", async (url) => {
    const { statusCode, body, headers } = await get(url);
    expect([url, statusCode]).toEqual([url, expect.toSatisfy((status: number) => status === 404 || status === 400)]);
    expect(body).not.toContain("classified");
    expect(headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    expect(headers["cache-control"]).toBe("no-store");
  });

  test("can only be read", async () => {
    for (const method of ["POST", "PUT", "DELETE"] as const)
      expect((await app.inject({ method, url: "/assets/index-a1b2.js" })).statusCode).toBe(404);
    expect(await app.inject({ method: "HEAD", url: "/" })).toMatchObject({ statusCode: 200, body: "" });
  });

  test("are no part of what is answered a second, so that who has no token takes nothing from who has it", async () => {
    await app.close();
    app = consoleWith(directory, { byTcp: true });
    for (let count = 0; count < 400; count++) {
      expect((await get("/assets/index-a1b2.js", { host: HOST })).statusCode).toBe(200);
    }
    const told = await get("/v1/openapi.json", { host: HOST, authorization: `Bearer ${TOKEN}` });
    expect(told.statusCode).toBe(200);
  });

  test("are found where they were built while the daemon runs", async () => {
    writeFileSync(join(directory, "assets/index-e5f6.js"), "export {};");
    writeFileSync(join(directory, "index.html"), "<!doctype html><title>built anew</title>");
    expect((await get("/assets/index-e5f6.js")).statusCode).toBe(200);
    expect((await get("/")).body).toContain("built anew");
  });

  test("where they are not built, it is said how they are", async () => {
    for (const none of [undefined, join(parent, "nowhere"), join(directory, "assets")]) {
      await app.close();
      app = consoleWith(none);
      const { statusCode, body } = await get("/");
      expect(statusCode).toBe(404);
      expect(JSON.parse(body)).toMatchObject({
        status: 404,
        detail: expect.stringContaining("npm run build") as string,
      });
    }
  });
});

describe("explorerDirectoryOf", () => {
  test("is the same for the sources and for what is built of them", () => {
    const project = new URL("../../../../", import.meta.url);
    const expected = new URL("dist/clients/explorer", project).pathname;
    for (const module of ["daemon/http/worker.ts", "dist/daemon/http/worker.js"])
      expect(explorerDirectoryOf(new URL(module, project).href)).toBe(expected);
  });
});
