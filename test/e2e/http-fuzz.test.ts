/**
 * Random requests to every route of the real daemon: whatever is asked, the answer is one that the asker can do something with, and
 * never that the daemon failed; and it is as the daemon's own description of the API says. 2,000 of them here; `LONG=1` makes 100,000.
 */
import { Agent, request } from "node:http";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildDaemon } from "../support/built-daemon.js";
import { adminSocketOf } from "../support/daemon-commands.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { propertyParameters } from "../support/seed.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const RUNS = 2000;

let daemon: DaemonProcess;
let described: DescribedApi;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

beforeAll(async () => {
  const directory = temporaryDirectory();
  const flags = ["--trace", `${directory}/trace.json`];
  daemon = await startDaemon({ directory, hasConsole: true, command: buildDaemon(temporaryDirectory()), flags });
  const client = await daemon.connect();
  await client.must("INTRODUCE", ["5", "1", "1"]);
  for (let index = 0; index < 30; index++)
    await client.must("WRITE", [`/local/domain/5/n${String(index % 9)}`, String(index)]);
  await client.must("CONTROL", ["flush"]);
  const description = await answerTo({ method: "GET", path: "/v1/openapi.json", query: [], body: undefined, type: "" });
  described = new DescribedApi(JSON.parse(description.text) as Description);
});

afterAll(async () => {
  agent.destroy();
  await daemon.stop();
});

/** What makes sense somewhere, and what does nowhere. Forks are threads: no name here can be one's. */
const TEXTS = [
  ...[
    "/",
    "/local",
    "/local/domain/5",
    "/local/domain/5/n1",
    "/nowhere/x",
    "//",
    "/a/",
    "relative",
    "/é",
    "/a b",
    "@x",
  ],
  ...[
    "HEAD",
    "main",
    "@{3}",
    "@{99999999}",
    "HEAD~2",
    "HEAD~99999",
    "@{5 minutes ago}",
    "@{2026-11-23T07:10:04}",
    "^",
    "-1",
  ],
  ...[
    "main:1",
    "main:99",
    "exists /local/domain/5",
    "(",
    "hotplug-script-fails",
    "$D",
    "EACCES",
    ".*",
    "(a+)+$",
    "[",
    "a..b",
  ],
  ...[
    "0",
    "1",
    "5",
    "65535",
    "65536",
    "4294967296",
    "1e9",
    "NaN",
    "true",
    "",
    " ",
    "\u0000",
    "x".repeat(3000),
    "%2e%2e/%00",
  ],
];
const text = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme" }) },
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: text },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, -1, 1.5, 1e300, true, false, null, [], {}) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);
/** Mostly something that makes sense. */
function mostly<Value>(...good: readonly Value[]): fc.Arbitrary<Value | string> {
  return fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: text });
}

const path = mostly("/", "/local", "/local/domain/5", "/local/domain/5/n1", "/local/domain/5/n2", "/a", "/a/b", "/x/y");
const revision = mostly("HEAD", "main", "@{3}", "@{12}", "HEAD~2", "HEAD~9", "@{1 minute ago}", "tag", "@{99999}");
const number = mostly("0", "1", "2", "5", "100");

/** What a parameter is; others are texts of their own kind. */
const MEANT: Readonly<Record<string, fc.Arbitrary<string>>> = {
  path,
  ...Object.fromEntries(["to", "from", "revision", "at", "good", "bad"].map((name) => [name, revision])),
  ...Object.fromEntries(["domain", "tx", "limit", "flips", "parts"].map((name) => [name, number])),
  branch: mostly("main"),
  grep: mostly("WRITE", "dom0", "n[0-9]"),
  predicate: mostly("exists /local/domain/5", "hotplug-script-fails"),
  after: mostly("main:1", "main:20", "main:99999"),
};

/** What each route knows. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  log: ["to", "from", "path", "domain", "tx", "grep", "limit", "cursor"],
  commit: ["revision"],
  blame: ["path", "at"],
  refs: [],
  diff: ["from", "to", "path", "limit", "cursor"],
  tree: ["at", "path", "text", "limit", "cursor"],
  children: ["at", "path", "limit", "cursor"],
  node: ["at", "path"],
  bisect: ["predicate", "domain", "good", "bad", "flips"],
  density: ["from", "to", "parts"],
  activity: ["from", "to", "limit", "cursor"],
  trace: ["from", "to", "limit", "cursor"],
  console: [],
  events: ["branch", "path", "after"],
  failures: ["path", "domain", "error", "limit", "cursor", "branch"],
  why: ["tx", "domain", "connection", "branch"],
  "why-not": ["path", "domain", "branch"],
  connections: ["limit", "cursor", "branch"],
  transactions: ["limit", "cursor", "branch"],
  domains: ["limit", "cursor", "branch"],
  quotas: ["domain", "branch"],
  forks: [],
};

const write = fc.oneof(
  fc.record({ op: fc.constant("write"), path, value: text }),
  fc.record({ op: fc.constantFrom("mkdir", "rm"), path }),
  fc.record({ op: fc.constant("setPerms"), path, perms: fc.constantFrom(["n0"], ["r5", "b0"], [], ["x"]) }),
  fc.record({ op: value, path: value, value, valueBase64: value, perms: value }, { requiredKeys: [] }),
);
const read = fc.oneof(
  fc.record({ path, value: text }),
  fc.record({ path, absent: fc.constant(true) }),
  fc.record({ path: value, value, valueBase64: value, absent: value }, { requiredKeys: [] }),
);
const revert = fc.record({ revision, dryRun: fc.boolean(), branch: mostly("main") }, { requiredKeys: ["revision"] });
const BODIES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  rollback: fc.record({ revision, path, dryRun: fc.boolean() }, { requiredKeys: ["revision"] }),
  revert,
  load: fc.record(
    {
      listing: fc.record({ value: mostly('/a = "1"   (n0)\n', '/a/b = ""   (r5)\n') }),
      path,
      skipBadLines: fc.boolean(),
      dryRun: fc.boolean(),
    },
    { requiredKeys: ["listing"] },
  ),
  transactions: fc.record({ reads: fc.array(read, { maxLength: 2 }), writes: fc.array(write, { maxLength: 3 }) }),
  forks: fc.record({ name: fc.constantFrom("", "a/b", "..", "main", "-"), revision }),
  "forks/x/merge": fc.record({ prefer: fc.constantFrom("ours", "theirs", "mine"), dryRun: fc.boolean() }),
  tags: fc.record({ revision }, { requiredKeys: [] }),
  tree: fc.oneof(
    fc.record({ value: text, perms: fc.constantFrom(["n0"], ["r5", "b0"], ["x"]) }, { requiredKeys: ["value"] }),
    fc.record({ valueBase64: fc.constantFrom("AP8=", "", "*"), perms: value }, { requiredKeys: [] }),
  ),
};

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  readonly body: unknown;
  readonly type: string;
}

const type = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom("application/json", "application/json; charset=utf-8") },
  { weight: 1, arbitrary: fc.constantFrom("text/plain", "x") },
);

/** @param names - of parameters that the route knows */
function asking(
  methods: readonly string[],
  route: fc.Arbitrary<string>,
  names: readonly string[],
  body: fc.Arbitrary<unknown>,
): fc.Arbitrary<Asked> {
  const known = names.map((name) => fc.tuple(fc.constant(name), MEANT[name] ?? text));
  const unknown = fc.tuple(fc.constantFrom("unknown", "path"), text);
  const parameter = fc.oneof(...known.map((arbitrary) => ({ weight: 5, arbitrary })), {
    weight: 1,
    arbitrary: unknown,
  });
  return fc.record({
    method: fc.constantFrom(...methods),
    path: route,
    query:
      names.length === 0 ? fc.constant([]) : fc.uniqueArray(parameter, { maxLength: 4, selector: ([name]) => name }),
    body: fc.oneof({ weight: 8, arbitrary: body }, { weight: 1, arbitrary: fc.jsonValue() }),
    type,
  });
}

const nothing = fc.constant(undefined);
const below = (route: string, each: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  each.map((name) => `/v1/${route}/${escaped(name).replace(/^\//, "")}`);
const asked = fc.oneof(
  ...Object.entries(PARAMETERS).map(([route, names]) =>
    asking(["GET", "HEAD"], fc.constant(`/v1/${route}`), names, nothing),
  ),
  ...["rollback", "revert", "load", "transactions", "forks", "forks/x/merge"].map((route) =>
    asking(["POST"], fc.constant(`/v1/${route}`), [], BODIES[route] ?? nothing),
  ),
  asking(["PUT", "PUT", "DELETE"], below("tree", path), ["branch"], BODIES["tree"] ?? nothing),
  asking(["PUT"], below("tags", mostly("tag", "a/b")), [], BODIES["tags"] ?? nothing),
  asking(["DELETE"], below("forks", text), [], nothing),
  asking(["GET", "POST", "PATCH", "OPTIONS"], fc.constantFrom("/", "/metrics", "/v1/log", "/x"), [], nothing),
);

function escaped(text: string): string {
  return encodeURIComponent(text).replace(/%2F/g, "/");
}

/** Asks; of a stream nothing is read. */
function answerTo({
  method,
  path,
  query,
  body,
  type,
}: Asked): Promise<{ readonly status: number; readonly text: string }> {
  const search = query.map(([key, each]) => `${key}=${encodeURIComponent(each)}`).join("&");
  const isWithBody = body !== undefined && ["POST", "PUT", "PATCH"].includes(method);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        socketPath: adminSocketOf(daemon),
        agent,
        method,
        path: `${path}?${search}`,
        headers: isWithBody ? { "content-type": type } : {},
      },
      (response) => {
        const status = response.statusCode ?? 0;
        if (response.headers["content-type"] === "text/event-stream") {
          response.destroy();
          resolve({ status, text: "" });
          return;
        }
        let answer = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
        response.on("end", () => {
          resolve({ status, text: answer });
        });
      },
    );
    sent.on("error", reject);
    sent.end(isWithBody ? JSON.stringify(body) : undefined);
  });
}

interface Described {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema: { $ref: string } }>> }>
  >;
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
}

/** What the description of the API says that is answered. */
class DescribedApi {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #description: Description;

  constructor(description: Description) {
    this.#description = description;
    this.#ajv.addSchema(description, "api");
  }

  /** What checks an answer to this; undefined where it is no JSON. */
  answer(method: string, path: string): ValidateFunction | undefined {
    const found = Object.entries(this.#description.paths).find(
      ([template, methods]) => method.toLowerCase() in methods && patternOf(template).test(path),
    );
    if (found === undefined) throw new Error(`${method} ${path} is answered, and is not in the description`);
    const schema = found[1][method.toLowerCase()]?.responses["200"]?.content?.["application/json"]?.schema;
    return schema === undefined ? undefined : this.#ajv.getSchema(`api${schema.$ref}`);
  }
}

function patternOf(template: string): RegExp {
  const escapedTemplate = template.replace(/[.+?^$()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escapedTemplate.replace("{*}", ".*").replace(/\{\w+\}/g, "[^/]+")}$`, "s");
}

/** How many answers were looked at. */
let validated = 0;

function expectAsDescribed({ method, path }: Asked, answer: string): void {
  const validate = described.answer(method, path);
  if (validate === undefined) return;
  const isValid = validate(JSON.parse(answer));
  expect(isValid, `${method} ${path} answered ${answer}: ${JSON.stringify(validate.errors)}`).toBe(true);
  validated++;
}

describe("the HTTP API", () => {
  it("answers no random request with a failure of its own, and goes on serving", async () => {
    const statuses = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(asked, async (each) => {
        const { status, text: answer } = await answerTo(each);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        expect(status, answer).toBeLessThan(500);
        if (status === 200 && each.method !== "HEAD") expectAsDescribed(each, answer);
        if (status >= 400 && each.method !== "HEAD") expect(JSON.parse(answer)).toMatchObject({ status });
      }),
      propertyParameters(RUNS),
    );
    // All kinds of answers have been given, or the requests are not what they are meant to be.
    for (const status of [200, 400, 404, 409, 415])
      expect([status, statuses.get(status) ?? 0]).not.toEqual([status, 0]);
    expect(validated).toBeGreaterThan(100);
    expect(await (await daemon.connect()).must("CONTROL", ["check"])).toBe("OK");
    expect(daemon.stderr()).not.toMatch(/error/i);
  }, 3_600_000);
});
