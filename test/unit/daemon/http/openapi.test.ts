/** The description of the HTTP API: it has every route, with what is asked and answered. What it says of answers the random requests check. */
import type { FastifyInstance, RouteOptions } from "fastify";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createConsole } from "../../../../daemon/http/console.js";
import type { ConsolePorts } from "../../../../daemon/http/console-ports.js";

let app: FastifyInstance;
let routes: RouteOptions[];

beforeEach(() => {
  routes = [];
  const core = { ask: () => Promise.reject(new Error("the core is not asked here")) };
  app = createConsole({ daemon: { core, forks: core, branch: () => core } } as unknown as ConsolePorts);
  app.addHook("onRoute", (route) => {
    routes.push(route);
  });
});

afterEach(async () => {
  await app.close();
});

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: object;
  readonly parameters?: readonly { readonly name: string }[];
}

interface Description {
  readonly openapi: string;
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

async function description(): Promise<{ readonly text: string; readonly document: Description }> {
  const { statusCode, body } = await app.inject("/v1/openapi.json");
  expect(statusCode).toBe(200);
  return { text: body, document: JSON.parse(body) as Description };
}

describe("GET /v1/openapi.json", () => {
  test("has every route but itself, each with a summary and a group", async () => {
    const { document } = await description();
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
    );
    const urls = routes
      // The explorer's files are no part of the API.
      .filter(({ config }) => config?.isPublic !== true)
      .flatMap(({ method, url }) => [method].flat().map((each) => `${each.toLowerCase()} ${url}`))
      .filter((route) => !route.startsWith("head ") && route !== "get /v1/openapi.json")
      .map((route) => route.replace("*", "{*}").replace(/:(\w+)/g, "{$1}"));
    expect(operations.map(({ name }) => name).sort()).toEqual(urls.sort());
    expect(urls.length).toBeGreaterThan(20);
    const groups = document.tags.map(({ name }) => name);
    for (const { name, operation } of operations) {
      expect([name, operation.summary]).toEqual([name, expect.stringMatching(/^[A-Z].{5,}/)]);
      expect([name, groups.includes(operation.tags?.[0] ?? "")]).toEqual([name, true]);
    }
  });

  test("has what is asked, and no reference that leads nowhere", async () => {
    const { text, document } = await description();
    expect(document.openapi).toBe("3.1.0");
    expect(document.paths["/v1/log"]?.["get"]?.parameters?.map(({ name }) => name)).toContain("grep");
    expect(document.paths["/v1/transactions"]?.["post"]?.requestBody).toBeDefined();
    const { components } = JSON.parse(text) as { readonly components: { readonly schemas: object } };
    const references = [...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, reference = ""]) => reference);
    expect(references.length).toBeGreaterThan(50);
    for (const reference of references) {
      const [, name = ""] = /^#\/components\/schemas\/(\w+)$/.exec(reference) ?? [];
      expect([reference, name in components.schemas]).toEqual([reference, true]);
    }
  });
});
