/** What is refused by TCP before any route has it: on every route there is, and where there is none. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FastifyInstance, LightMyRequestResponse } from "fastify";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createConsole } from "../../../../daemon/http/console.js";
import { openHistory, type History } from "../../../../daemon/history/query/history.js";
import { diskWithRepository, openRecorder, recordAndSeal, REPOSITORY } from "../../../support/recorded-history.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

const TOKEN = "00112233445566778899aabbccddeeff";
const HOST = "127.0.0.1:7437";
const RIGHT = { host: HOST, authorization: `Bearer ${TOKEN}` };

/** The routes of the explorer's files, which need no token. */
const FILES = ["/", "/assets/*"];

/** A directory with those files. */
function builtExplorer(): string {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "assets"));
  for (const name of ["index.html", "assets/index-a1b2.js"]) writeFileSync(join(directory, name), "");
  return directory;
}

interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH";
  readonly url: string;
}

let app: FastifyInstance;
let history: History;
let routes: Route[];
/** What reached the core. */
let asked: string[];

beforeEach(async () => {
  asked = [];
  routes = [];
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, 3);
  recorder.close();
  history = openHistory(memory, REPOSITORY);
  const core = {
    ask: (name: string) => {
      asked.push(name);
      return Promise.reject(new Error("the core is not asked here"));
    },
  };
  app = createConsole(
    {
      fileSystem: memory,
      repositoryDirectory: REPOSITORY,
      history,
      daemon: { core, forks: core, branch: () => core },
      clock: { nowMicroseconds: () => 0, monotonicMilliseconds: () => 0 },
      explorerDirectory: builtExplorer(),
      failed: () => undefined,
    },
    { tls: undefined, guard: { token: TOKEN, scheme: "http", hosts: () => new Set([HOST, "localhost:7437"]) } },
  );
  app.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) routes.push({ method: each as Route["method"], url });
  });
  await app.ready();
});

afterEach(async () => {
  await app.close();
  history.close();
});

async function statusOf(route: Route, headers: Readonly<Record<string, string>>): Promise<number> {
  const url = route.url
    .replace("/assets/*", "/assets/index-a1b2.js")
    .replace("*", "a")
    .replace(/:[a-z]+/g, "a");
  return (await app.inject({ method: route.method, url, headers })).statusCode;
}

/** Each route, what is none, and what is not even a URL. */
const everything = (): readonly Route[] => [
  ...routes,
  { method: "GET", url: "/nowhere" },
  { method: "PUT", url: "/" },
  { method: "GET", url: "/%ff" },
  { method: "OPTIONS", url: "/v1/log" },
  { method: "PATCH", url: "/v1/log" },
  { method: "GET", url: "/index.html" },
  { method: "POST", url: "/assets/index-a1b2.js" },
];

function isFile({ method, url }: Route): boolean {
  return (method === "GET" || method === "HEAD") && FILES.includes(url);
}

describe("the guard", () => {
  test("knows the routes: there are those of every kind", () => {
    const urls = new Set(routes.map(({ method, url }) => `${method} ${url}`));
    for (const route of ["GET /v1/log", "GET /v1/tree", "PUT /v1/tree/*", "DELETE /v1/tree/*", "POST /v1/transactions"])
      expect(urls).toContain(route);
    for (const file of FILES) expect(urls).toContain(`GET ${file}`);
    for (const route of ["GET /v1/connections", "POST /v1/rollback", "POST /v1/load", "POST /v1/forks", "GET /metrics"])
      expect(urls).toContain(route);
  });

  test.each([
    { what: "no token", headers: { host: HOST }, status: 401 },
    { what: "another token", headers: { ...RIGHT, authorization: `Bearer ${TOKEN.replace("0", "1")}` }, status: 401 },
    { what: "a longer token", headers: { ...RIGHT, authorization: `Bearer ${TOKEN}0` }, status: 401 },
    { what: "a token of another scheme", headers: { ...RIGHT, authorization: `Basic ${TOKEN}` }, status: 401 },
    { what: "the name of a foreign host", headers: { ...RIGHT, host: "evil.example:7437" }, status: 421 },
    { what: "another port", headers: { ...RIGHT, host: "127.0.0.1:80" }, status: 421 },
    { what: "a foreign page", headers: { ...RIGHT, origin: "http://evil.example" }, status: 403 },
    { what: "a page of another port", headers: { ...RIGHT, origin: "http://127.0.0.1:80" }, status: 403 },
    { what: "a page without an origin", headers: { ...RIGHT, origin: "null" }, status: 403 },
  ])("refuses $what with $status on every route, and where there is none", async ({ headers, status }) => {
    for (const route of everything()) {
      const expected = status === 401 && isFile(route) ? 200 : status;
      expect([route, await statusOf(route, headers)]).toEqual([route, expected]);
    }
    expect(asked).toEqual([]);
  });

  test("lets everything else through, under each of its names and from its own pages", async () => {
    const passes = [RIGHT, { ...RIGHT, host: "LOCALHOST:7437" }, { ...RIGHT, origin: `http://${HOST}` }];
    for (const headers of passes) {
      for (const route of everything()) {
        expect([401, 403, 421]).not.toContain(await statusOf(route, headers));
      }
    }
  });

  test("answers with a problem document that tells nothing of what is here, and no page may read it", async () => {
    const { headers, body } = await app.inject({ url: "/v1/tree?path=/local/domain/5", headers: { host: HOST } });
    expect(headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    expect(headers["www-authenticate"]).toMatch(/^Bearer /);
    expect(body).not.toMatch(/local|[0-9a-f]{16}/);
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["cache-control"]).toBe("no-store");
  });
});

describe("by TCP", () => {
  test("bodies are JSON, and small", async () => {
    const post = async (url: string, type: string, payload: string): Promise<number> =>
      (await app.inject({ method: "POST", url, headers: { ...RIGHT, "content-type": type }, payload })).statusCode;
    const rollback = JSON.stringify({ revision: "HEAD" });
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
      expect([type, await post("/v1/rollback", type, rollback)]).toEqual([type, 415]);
    expect(await post("/v1/rollback", "application/json", "{")).toBe(400);
    const large = JSON.stringify({ listing: { value: "x".repeat(64 * 1024) } });
    expect(await post("/v1/load", "application/json", large)).toBe(413);
    expect(asked).toEqual([]);
  });

  test.each(["/v1/quotas?domain=x", "/nowhere"])("who asks for %s too often is told to wait", async (url) => {
    const answers: LightMyRequestResponse[] = [];
    for (let count = 0; count < 400; count++) answers.push(await app.inject({ url, headers: RIGHT }));
    const refused = answers.filter(({ statusCode }) => statusCode === 429);
    expect(refused.length).toBeGreaterThanOrEqual(100);
    expect(refused[0]?.json()).toMatchObject({ status: 429, title: "Too Many Requests" });
    expect(Number(refused[0]?.headers["retry-after"])).toBeGreaterThan(0);
    expect(answers.filter(({ statusCode }) => statusCode < 429).length).toBeGreaterThanOrEqual(200);
  });
});
