/**
 * The HTTP API of the real daemon, by TCP and on the admin socket: its writes are those of the wire protocol, its lists tell what
 * is there, its events are the commits, each once.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { request, type IncomingMessage } from "node:http";
import { request as requestSecurely } from "node:https";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { TracePage } from "../../protocol/http-api/trace.js";
import { PREDICATE_TEXT_MAX } from "../../protocol/predicate/predicate.js";
import { buildDaemon } from "../support/built-daemon.js";
import { adminSocketOf, commandsOn } from "../support/daemon-commands.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import type { WireClient } from "../support/wire-client.js";
import { jsonOf } from "../unit/clients/cli/program-harness.js";

let command: readonly string[];
let daemon: DaemonProcess;
let directory: string;
let client: WireClient;

async function start(flags: readonly string[] = []): Promise<void> {
  daemon = await startDaemon({ directory, hasConsole: true, command, flags });
  client = await daemon.connect();
}

beforeAll(() => {
  command = buildDaemon(temporaryDirectory());
});

beforeEach(async () => {
  directory = temporaryDirectory();
  await start();
});

afterEach(async () => {
  await daemon.stop();
});

const { git, xs, mustXs } = commandsOn(() => daemon);

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

type Target = { readonly socketPath: string } | { readonly port: number; readonly headers: Record<string, string> };

/** Asks; the response's body is the caller's to read. */
function open(target: Target, method: string, path: string, body?: object): Promise<IncomingMessage> {
  const own = "headers" in target ? target.headers : {};
  const headers = body === undefined ? own : { ...own, "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const sent = request({ ...target, method, path, headers, agent: false }, resolve);
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function ask(method: string, path: string, body?: object, target: Target = admin()): Promise<Answer> {
  const response = await open(target, method, path, body);
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += String(chunk);
  return { status: response.statusCode ?? 0, body: text === "" ? undefined : JSON.parse(text) };
}

const admin = (): Target => ({ socketPath: adminSocketOf(daemon) });

describe("regular expressions", () => {
  it("that JavaScript would go back over for ever are answered: (a|a)+b over many an a", async () => {
    const evil = `${"a".repeat(40)}!`;
    await client.must("WRITE", ["/evil", evil]);
    await client.must("WRITE", ["/other", "1"]);
    const grep = encodeURIComponent("(a|a)+b");
    expect(await ask("GET", `/v1/log?grep=${grep}`)).toMatchObject({ status: 200, body: { commits: [] } });
    const predicate = encodeURIComponent('value /evil ~ "(a|a)+b"');
    expect(await ask("GET", `/v1/bisect?predicate=${predicate}`)).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/it holds at neither, nor between them/) as string },
    });
    const found = encodeURIComponent('value /evil ~ "^(a|a)+!$"');
    expect(await ask("GET", `/v1/bisect?predicate=${found}`)).toMatchObject({
      status: 200,
      body: { first: { seq: 2 } },
    });
  });

  it.each(["^Seq: [23]$", "WRITE /[a-z]+/b ", "^dom0: (WRITE|RM) ", "no such", "\\\\xc3", "^$", "Seq.Time"])(
    "%s finds the commits that git log --grep finds",
    async (grep) => {
      await client.must("WRITE", ["/a/b", "caf\xc3\xa9"]);
      await client.must("WRITE", ["/a/c", "1"]);
      await client.must("RM", ["/a/b"]);
      const { body } = await ask("GET", `/v1/log?grep=${encodeURIComponent(grep)}`);
      const seqs = (body as { commits: { seq: number }[] }).commits.map(({ seq }) => String(seq));
      const lines = git("log", "-E", `--grep=${grep}`, "--format=%(trailers:key=Seq,valueonly,separator=)", "main");
      expect(seqs).toEqual(lines.split("\n").filter((line) => line !== ""));
    },
  );
});

describe("a predicate", () => {
  it("as long as one may be fits into a URL, also where each character takes three there", async () => {
    await client.must("WRITE", ["/a", "1"]);
    const begin = 'value /a = "';
    const predicate = `${begin}${"<".repeat(PREDICATE_TEXT_MAX - begin.length - 1)}"`;
    expect(await ask("GET", `/v1/bisect?predicate=${encodeURIComponent(predicate)}`)).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/it holds at neither, nor between them/) as string },
    });
  });
});

describe("PUT and DELETE /v1/tree", () => {
  it("are WRITE, SET_PERMS and RM of dom0: watches fire, and the history names the client", async () => {
    await client.must("WATCH", ["/a", "t"]);
    await client.event();
    expect(await ask("PUT", "/v1/tree/a/b", { value: "é", perms: ["n0", "r5"] })).toEqual({
      status: 200,
      body: { outcome: "committed", branch: "main", seq: 2 },
    });
    expect(await client.event()).toMatchObject({ path: "/a/b" });
    expect(await client.must("READ", ["/a/b"])).toBe("\xc3\xa9");
    expect(await client.must("GET_PERMS", ["/a/b"])).toBe("n0\0r5");
    expect(await ask("PUT", "/v1/tree/a/c", { valueBase64: "AP8=" })).toMatchObject({ body: { seq: 3 } });
    expect(await client.must("READ", ["/a/c"])).toBe("\0\xff");
    expect(await ask("DELETE", "/v1/tree/a")).toMatchObject({ status: 200, body: { outcome: "committed", seq: 4 } });
    expect(await ask("DELETE", "/v1/tree/a")).toEqual({ status: 200, body: { outcome: "unchanged", branch: "main" } });
    expect(await client.ask("READ", ["/a"])).toBe("ENOENT");
    expect(await client.must("CONTROL", ["flush"])).toBe("OK");
    expect(git("log", "--format=%s%n%(trailers:key=Connection,key=Domain,valueonly)", "-3", "main~0")).toMatch(
      /^dom0: RM \/a\n0\nhttp-admin\n\ndom0: WRITE \/a\/c\n0\nhttp-admin\n\ndom0: 2 changes under \/a\n0\nhttp-admin$/,
    );
  });

  it("survive the daemon's sudden death", async () => {
    for (let index = 0; index < 20; index++) await ask("PUT", `/v1/tree/a/${String(index)}`, { value: String(index) });
    await daemon.kill("SIGKILL");
    await start();
    for (let index = 0; index < 20; index++)
      expect(await client.must("READ", [`/a/${String(index)}`])).toBe(String(index));
  });

  it.each([
    ["PUT", "/v1/tree/a", {}, 400],
    ["PUT", "/v1/tree/a", { value: "1", valueBase64: "MQ==" }, 400],
    ["PUT", "/v1/tree/a", { valueBase64: "*" }, 400],
    ["PUT", "/v1/tree/a", { value: "1", more: 1 }, 400],
    ["PUT", "/v1/tree/a", { value: null }, 400],
    ["PUT", "/v1/tree/a", { value: 1 }, 400],
    ["POST", "/v1/rollback", { revision: "HEAD", dryRun: null }, 400],
    ["PUT", "/v1/tree/a", { value: "1", perms: ["x9"] }, 400],
    ["PUT", "/v1/tree/a", { value: "x".repeat(4096) }, 400],
    ["PUT", "/v1/tree/a//b", { value: "1" }, 400],
    ["PUT", "/v1/tree/a?branch=nowhere", { value: "1" }, 400],
    ["PUT", "/v1/tree/a", { perms: ["n0"] }, 409],
    ["DELETE", "/v1/tree/", undefined, 400],
    ["DELETE", "/v1/tree/nowhere/below", undefined, 409],
  ] as const)("%s %s with %j is refused and does nothing", async (method, path, body, status) => {
    const answer = await ask(method, path, body);
    expect(answer).toMatchObject({ status, body: { status, detail: expect.any(String) as string } });
    expect(await client.must("DIRECTORY", ["/"])).toBe("tool");
  });
});

describe("POST /v1/transactions", () => {
  it("makes all writes one commit where what was read is so, and none where it is not", async () => {
    await client.must("WRITE", ["/a", "1"]);
    const order = {
      reads: [
        { path: "/a", value: "1" },
        { path: "/b", absent: true },
      ],
      writes: [
        { op: "write", path: "/b", value: "2" },
        { op: "setPerms", path: "/b", perms: ["r0"] },
        { op: "mkdir", path: "/c" },
        { op: "rm", path: "/a" },
      ],
    };
    expect(await ask("POST", "/v1/transactions", order)).toMatchObject({ status: 200, body: { seq: 3 } });
    expect(await client.must("DIRECTORY", ["/"])).toBe("b\0c\0tool");
    expect(await ask("POST", "/v1/transactions", order)).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/not as it was expected/) as string, conflicts: ["/a", "/b"] },
    });
    const failing = {
      writes: [
        { op: "write", path: "/d", value: "" },
        { op: "rm", path: "/x/y" },
      ],
    };
    expect(await ask("POST", "/v1/transactions", failing)).toMatchObject({
      status: 409,
      body: { detail: "RM /x/y is answered ENOENT: nothing was done" },
    });
    expect(await client.must("DIRECTORY", ["/"])).toBe("b\0c\0tool");
    for (const writes of [[], [{ op: "mkdir", path: "/e", value: "1" }], [{ op: "write", path: "/e" }]])
      expect(await ask("POST", "/v1/transactions", { writes })).toMatchObject({ status: 400 });
  });
});

describe("what goes on", () => {
  it("is told: connections, open transactions, domains and quotas", async () => {
    await client.must("INTRODUCE", ["7", "1", "1"]);
    const guest = await daemon.connectGuest(7);
    await guest.must("WATCH", ["/local/domain/7", "t"]);
    const txId = Number(await client.must("TRANSACTION_START", [""]));
    await client.must("WRITE", ["/a", "1"], { txId });
    expect(await ask("GET", "/v1/connections")).toMatchObject({
      body: {
        connections: [
          { name: expect.stringMatching(/^socket-/) as string, domain: 0, transactions: 1 },
          { name: expect.stringMatching(/^domain-7-/) as string, domain: 7, watches: 1 },
        ],
      },
    });
    expect(await ask("GET", "/v1/transactions")).toMatchObject({
      body: { transactions: [{ domain: 0, id: txId, behind: 0, requests: 1, hasChanges: true }] },
    });
    expect(await ask("GET", "/v1/domains")).toMatchObject({
      body: { domains: [{ domain: 7, introduction: { gfn: 1, port: 1 }, connections: 1, watches: 1, heldSeconds: 0 }] },
    });
    await client.must("SET_QUOTA", ["7", "nodes", "5"]);
    const { body } = await ask("GET", "/v1/quotas?domain=7");
    expect(body).toMatchObject({
      quotas: expect.arrayContaining([{ name: "nodes", limit: 5, isOwn: true }]) as unknown,
    });
    const first = await ask("GET", "/v1/connections?limit=1");
    const { next } = first.body as { readonly next: number };
    expect(await ask("GET", `/v1/connections?limit=1&cursor=${String(next)}`)).toMatchObject({
      body: { connections: [{ domain: 7 }] },
    });
  });
});

interface Streamed {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Reads a stream until `isEnough`; what has no data is left out. */
async function events(
  path: string,
  isEnough: (all: readonly Streamed[]) => boolean,
  begun: () => Promise<unknown> = () => Promise.resolve(),
): Promise<Streamed[]> {
  const response = await open(admin(), "GET", path);
  expect([response.statusCode, response.headers["content-type"]]).toEqual([200, "text/event-stream"]);
  const all: Streamed[] = [];
  let text = "";
  let hasBegun = false;
  for await (const chunk of response.setEncoding("utf8")) {
    text += String(chunk);
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
      if (field("data") !== "") all.push({ id: field("id"), event: field("event"), data: JSON.parse(field("data")) });
    }
    if (!hasBegun) {
      hasBegun = true;
      void begun();
    }
    if (isEnough(all)) break;
  }
  response.destroy();
  return all;
}

const idsOf = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `main:${String(from + index)}`);

describe("GET /v1/events", () => {
  it("tells each commit once and in order, also to who goes on from the id of any", async () => {
    const writes = async (): Promise<void> => {
      for (let index = 0; index < 100; index++) await client.must("WRITE", [`/a/${String(index % 7)}`, String(index)]);
    };
    const live = await events("/v1/events", (all) => all.length >= 100, writes);
    expect(live.map(({ id }) => id)).toEqual(idsOf(2, 101));
    expect(live[99]).toMatchObject({
      event: "commit",
      data: { seq: 101, subject: "dom0: WRITE /a/1", paths: [{ path: "/a/1" }] },
    });
    for (const from of [0, 1, 57, 100]) {
      const rest = await events(`/v1/events?after=main:${String(from)}`, (all) => all.at(-1)?.id === "main:101");
      expect(rest).toEqual([...(from === 0 ? [rest[0]] : []), ...live].slice(from === 0 ? 0 : from - 1));
      expect(rest.map(({ id }) => id)).toEqual(idsOf(from + 1, 101));
    }
  });

  it("tells of a path alone, also where something above it went", async () => {
    for (const path of ["/a/b", "/c", "/a/b/d", "/ab"]) await client.must("WRITE", [path, "1"]);
    await client.must("RM", ["/a"]);
    const told = await events("/v1/events?after=main:1&path=/a/b", (all) => all.length >= 3);
    expect(told.map(({ data }) => (data as { readonly paths: unknown }).paths)).toEqual([
      [{ path: "/a/b" }],
      [{ path: "/a/b/d" }],
      [{ path: "/a", isRemoval: true }],
    ]);
  });

  it("refuses an id that is not known any more, or never was, with 409, and what is none with 400", async () => {
    for (let index = 0; index < 20; index++) await client.must("WRITE", ["/a", String(index)]);
    expect(await client.must("CONTROL", ["compact", "@{15}"])).toBe("OK");
    for (const [id, status] of [
      ["main:3", 409],
      ["main:99", 409],
      ["main", 400],
      ["nowhere:1", 400],
    ] as const)
      expect([id, (await ask("GET", `/v1/events?after=${id}`)).status]).toEqual([id, status]);
    expect((await ask("GET", "/v1/events?after=main:15&branch=other")).status).toBe(400);
    expect(await events("/v1/events?after=main:14", (all) => all.at(-1)?.id === "main:21")).toHaveLength(7);
  });
});

const portOf = ({ httpUrl = "" }: DaemonProcess): number => Number(new URL(httpUrl).port);

describe("streams of events", () => {
  it("are so many, and whoever goes away makes room, also before anything was told", async () => {
    // Had they kept their places, the 64 below would find none.
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const sent = request({ ...admin(), path: "/v1/events?after=main:0", agent: false });
        sent.on("error", () => undefined);
        sent.end();
        await new Promise((resolve) => setTimeout(resolve, 1));
        sent.destroy();
      }),
    );
    await vi.waitUntil(async () => (await ask("GET", "/v1/refs")).status === 200);
    const open64 = async (): Promise<IncomingMessage[]> => {
      const streams: IncomingMessage[] = [];
      for (let count = 0; count < 64; count++) streams.push(await open(admin(), "GET", "/v1/events"));
      return streams;
    };
    const first = await open64();
    expect(first.map(({ statusCode }) => statusCode)).toEqual(Array(64).fill(200));
    expect(await ask("GET", "/v1/events")).toMatchObject({ status: 503 });
    for (const stream of first) stream.destroy();
    await vi.waitUntil(async () => {
      const stream = await open(admin(), "GET", "/v1/events");
      stream.destroy();
      return stream.statusCode === 200;
    });
  });

  it("end, and say so, when their fork is deleted", async () => {
    expect(await ask("POST", "/v1/forks", { name: "side" })).toMatchObject({ status: 200 });
    const told = await events(
      "/v1/events?branch=side",
      (all) => all.at(-1)?.event === "gone",
      () => ask("DELETE", "/v1/forks/side"),
    );
    expect(told.map(({ event }) => event)).toEqual(["gone"]);
    expect(await ask("GET", "/v1/events?branch=side")).toMatchObject({ status: 400 });
  });
});

describe("GET /v1/trace", () => {
  it("tells requests with what they were answered, from the time of a commit on", async () => {
    await daemon.kill("SIGTERM");
    await start(["--trace", join(directory, "trace.json")]);
    await client.must("WRITE", ["/a", "1"]);
    await client.ask("READ", ["/nowhere"]);
    const { body } = await ask("GET", "/v1/commit");
    const from = Date.parse((body as { readonly time: string }).time) * 1000;
    await vi.waitUntil(async () => {
      const { lines } = (await ask("GET", `/v1/trace?from=${String(from)}`)).body as TracePage;
      return lines.some((line) => line.kind === "request" && line.error === "ENOENT");
    });
    const { lines } = (await ask("GET", `/v1/trace?from=${String(from)}`)).body as TracePage;
    expect(lines).toContainEqual(expect.objectContaining({ operation: "WRITE", payload: "/a\u00001", seq: 2 }));
    expect(await ask("GET", "/v1/trace?to=1")).toEqual({ status: 200, body: { lines: [] } });
  });
});

describe("--http", () => {
  it("serves the API by TCP to who has the token of the file, which stays, and to nobody else", async () => {
    await daemon.kill("SIGTERM");
    await start(["--http", "127.0.0.1:0"]);
    const tokenFile = join(daemon.runDirectory, "http-token");
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    const token = readFileSync(tokenFile, "latin1").trim();
    const port = portOf(daemon);
    const by = (headers: Record<string, string>): Target => ({ port, headers });
    const right = by({ authorization: `Bearer ${token}` });
    expect(await ask("PUT", "/v1/tree/a", { value: "1" }, right)).toMatchObject({ status: 200, body: { seq: 2 } });
    expect(await ask("PUT", "/v1/tree/a", { value: "2" }, by({}))).toMatchObject({ status: 401 });
    const evil = by({ authorization: `Bearer ${token}`, host: "evil.example" });
    expect(await ask("PUT", "/v1/tree/a", { value: "2" }, evil)).toMatchObject({ status: 421 });
    expect(await client.must("READ", ["/a"])).toBe("1");
    const { body } = await ask("GET", "/v1/commit", undefined, right);
    expect(body).toMatchObject({ connection: expect.stringMatching(/^http-127\.0\.0\.1:\d+$/) as string });
    const url = `http://127.0.0.1:${String(port)}/#token=${token}`;
    expect(await mustXs("url")).toBe(`${url}\n`);
    expect(jsonOf(await mustXs("--json", "url"))).toEqual({ url });
    await daemon.kill("SIGKILL");
    await start(["--http", `127.0.0.1:${String(port)}`]);
    expect(await ask("GET", "/v1/commit", undefined, right)).toMatchObject({ status: 200 });
  });

  it("is served without it where the port is taken, and says so; the admin socket is there", async () => {
    const other = await startDaemon({ hasConsole: true, command, flags: ["--http", "127.0.0.1:0"] });
    const port = portOf(other);
    await daemon.kill("SIGTERM");
    await start(["--http", `127.0.0.1:${String(port)}`]);
    expect(daemon.httpUrl).toBeUndefined();
    expect(daemon.stderr()).toMatch(/browsers cannot reach the console.*EADDRINUSE/);
    expect(await ask("GET", "/v1/commit")).toMatchObject({ status: 200 });
    const { code, out, err } = await xs("url");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^xs: the daemon serves no browsers: 127\.0\.0\.1:\d+ cannot be listened at.*EADDRINUSE/);
    await other.stop();
  });

  it("serves HTTPS under its names where others reach it", async () => {
    const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(directory, name));
    const words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const subject = ["-subj", "/CN=xen.example", "-addext", "subjectAltName=DNS:xen.example"];
    execFileSync("openssl", [...words, ...subject, "-out", cert ?? "", "-keyout", key ?? ""], { stdio: "ignore" });
    await daemon.kill("SIGTERM");
    const flags = ["--http-cert", cert ?? "", "--http-key", key ?? "", "--http-name", "xen.example"];
    await start(["--http", "0.0.0.0:0", ...flags]);
    const port = portOf(daemon);
    const token = readFileSync(join(daemon.runDirectory, "http-token"), "latin1").trim();
    const statusFor = (host: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { host, authorization: `Bearer ${token}` };
        const ca = readFileSync(cert ?? "");
        requestSecurely(
          { port, headers, ca, servername: "xen.example", path: "/v1/commit", agent: false },
          (response) => {
            response.resume();
            resolve(response.statusCode ?? 0);
          },
        )
          .on("error", reject)
          .end();
      });
    expect(await statusFor(`xen.example:${String(port)}`)).toBe(200);
    expect(await statusFor(`localhost:${String(port)}`)).toBe(421);
  });

  it("off leaves no port and no token, and no address for a browser", async () => {
    expect(daemon.httpUrl).toBeUndefined();
    expect(existsSync(join(daemon.runDirectory, "http-token"))).toBe(false);
    expect(await xs("url")).toEqual({
      code: 1,
      out: "",
      err: "xs: the daemon serves no browsers: it was started with --http off\n",
    });
  });
});
