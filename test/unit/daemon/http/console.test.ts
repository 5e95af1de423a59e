import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { factsOfTransaction, type FailedTransactionQuestion } from "../../../../daemon/dispatch/failed-transactions.js";
import { FailureLog, type FailedRequest, type FailureFilter } from "../../../../daemon/dispatch/failure-log.js";
import { createConsole } from "../../../../daemon/http/console.js";
import type { ConsolePorts } from "../../../../daemon/http/console-ports.js";
import type {
  ChangeAnswer,
  ChangeRequest,
  CoreLink,
  LoadOrder,
  RememberedFailure,
  WatchFacts,
  WatchQuestion,
} from "../../../../daemon/http/messages.js";
import { openHistory, type History } from "../../../../daemon/history/query/history.js";
import type { Domid, Microseconds, Seq, TxId } from "../../../../protocol/identifiers.js";
import type { MemoryFileSystem } from "../../../support/memory-file-system.js";
import { diskWithRepository, openRecorder, recordAndSeal, REPOSITORY } from "../../../support/recorded-history.js";
import { eventLine, header, traceText } from "../../../support/trace-lines.js";

const COMMITS = 12;

let memory: MemoryFileSystem;
let history: History;
let app: FastifyInstance;
/** What the core was asked, in order. */
let asked: string[];
/** The orders that it got, and what it answers to each; committed when none is left. */
let orders: ChangeRequest[];
let answers: ChangeAnswer[];
let behind: string | undefined;
let loads: LoadOrder[];
let failures: string[];
let remembered: RememberedFailure[];
let watchFacts: WatchFacts;
let watchQuestion: WatchQuestion | undefined;
let traceFile: string | undefined;
let browsers: ConsolePorts["browsers"];

let core: CoreLink;

const fakeCore: CoreLink = {
  ask: (name, what) => {
    asked.push(name);
    const answer = (): unknown => {
      switch (name) {
        case "flush":
          return { behind };
        case "pin":
          return { id: asked.length, seq: COMMITS as Seq };
        case "release":
          return undefined;
        case "failures":
          return rememberedLog().newest(what as FailureFilter);
        case "why":
          return factsOfTransaction(rememberedLog().newest().failures, what as FailedTransactionQuestion);
        case "explainWatch":
          watchQuestion = what as WatchQuestion;
          return watchFacts;
        case "figures":
          return undefined;
        case "requests":
        case "live":
        case "quotas":
        case "seq":
          throw new Error(`${name} is not asked here`);
        case "load":
          loads.push(what as LoadOrder);
          return { made: (what as LoadOrder).isDryRun ? undefined : answers.shift(), changes: [], changeCount: 4 };
        case "change":
          orders.push(what as ChangeRequest);
          return answers.shift() ?? { outcome: "committed", seq: COMMITS, changes: 3 };
      }
    };
    return Promise.resolve(answer() as never);
  },
};

function rememberedLog(): FailureLog {
  const log = new FailureLog();
  log.restore(
    remembered.map((failure, index) => ({ ...(failure as FailedRequest), id: index + 1, lastId: index + 1 })),
  );
  return log;
}

beforeEach(() => {
  asked = [];
  orders = [];
  answers = [];
  core = { ...fakeCore };
  loads = [];
  failures = [];
  remembered = [];
  watchFacts = { exists: true, connections: 0, watches: [], watchesElsewhere: 0, deliveries: [] };
  behind = undefined;
  memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, COMMITS);
  recorder.close();
  history = openHistory(memory, REPOSITORY);
  traceFile = undefined;
  browsers = undefined;
  app = makeConsole();
});

function makeConsole(): FastifyInstance {
  return createConsole({
    fileSystem: memory,
    repositoryDirectory: REPOSITORY,
    history,
    daemon: {
      core,
      forks: { ask: () => Promise.resolve([] as never) },
      branch: (name) => ({ ask: () => Promise.reject(new Error(`there is no fork ${name}`)) }),
    },
    clock: { nowMicroseconds: () => Date.UTC(2030, 0, 1) * 1000, monotonicMilliseconds: () => 0 },
    traceFile,
    browsers,
    failed: (text) => failures.push(text),
  });
}

afterEach(async () => {
  await app.close();
  history.close();
});

interface Response {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
  readonly warning: unknown;
}

async function request(method: "GET" | "POST" | "PUT", url: string, body?: object): Promise<Response> {
  const response = await app.inject({ method, url, ...(body === undefined ? {} : { payload: body }) });
  const { statusCode: status, headers } = response;
  return { status, type: String(headers["content-type"]), body: response.json(), warning: headers["warning"] };
}

describe("the history's routes", () => {
  test("answer as of what was acknowledged before: they have it sealed first", async () => {
    const { status, body } = await request("GET", "/v1/log?limit=2");
    expect(status).toBe(200);
    expect(body).toMatchObject({ commits: [{ seq: 12 }, { seq: 11 }], next: expect.any(String) as string });
    expect(asked).toEqual(["flush"]);
  });

  test("answer where nothing can be found, as who reads a repository is answered", async () => {
    expect(await request("GET", "/v1/log?tx=0")).toMatchObject({ status: 200, body: { commits: [] } });
    expect(await request("GET", "/v1/log?grep=&limit=1")).toMatchObject({
      status: 200,
      body: { commits: [{ seq: 12 }] },
    });
  });

  test("answer with what there is where the history is behind, and warn", async () => {
    behind = "no space left on the disk é";
    const { status, warning } = await request("GET", "/v1/commit?revision=@%7B3%7D");
    expect([status, warning]).toEqual([200, '199 - "no space left on the disk ?"']);
  });

  test.each([
    ["/v1/log?limit=x", /limit must be integer/],
    ["/v1/log?limit=1001", /limit must be <= 1000/],
    ["/v1/bisect?domain=7", /must have required property 'predicate'/],
    [
      "/v1/bisect?predicate=exists+%2Fa&flips=10001",
      /a daemon looks for flips in 10000 commits at most, .*: ask for fewer, or read the repository/,
    ],
    ["/v1/commit?revision=", /an empty revision names no commit: write a branch, a tag/],
    ["/v1/log?from=", /an empty revision names no commit/],
    ["/v1/blame?path=", /"" is no path of a node: write one such as/],
    ["/v1/node?path=/&at=", /an empty revision names no commit/],
    [
      "/v1/bisect?predicate=exists+%2Flokal",
      /it holds at neither, nor between them\nthere is no \/lokal at either: did you mean \/local\?/,
    ],
    ["/v1/log?grep=a{2000}", /no regular expression: invalid repeat count/],
    [`/v1/bisect?predicate=${"x".repeat(4097)}`, /predicate must NOT have more than 4096 characters/],
    [`/v1/log?cursor=${"0".repeat(40)}..`, /is not in this history any more/],
    ["/v1/log?colour=red", /must NOT have additional properties/],
    ["/v1/log?domain=70000", /domain must be <= 65535/],
    ["/v1/log?path=a", /no path of a node: write one such as/],
    ["/v1/commit?revision=@%7B99%7D", /there is no commit @\{99\}/],
  ])("refuse %s with a problem document that says what would be right", async (url, detail) => {
    const { status, type, body } = await request("GET", url);
    expect([status, type]).toEqual([400, "application/problem+json; charset=utf-8"]);
    expect(body).toMatchObject({ type: "about:blank", title: "Bad Request", status: 400 });
    expect((body as { detail: string }).detail).toMatch(detail);
  });

  test("answers a bisection, numbers of its query too", async () => {
    const predicate = encodeURIComponent("not value /local/domain/$D/device/vbd/51712/state = 1");
    const { status, body } = await request("GET", `/v1/bisect?predicate=${predicate}&domain=2&good=@%7B1%7D&flips=50`);
    expect(status).toBe(200);
    // Domain 2 is written to by the commits 2, 5, 8 and 11.
    expect(body).toMatchObject({
      first: { seq: 2 },
      good: { seq: 1 },
      bad: { seq: COMMITS },
      flips: { count: 1, looked: 11 },
    });
  });

  test("there is nothing elsewhere", async () => {
    expect(await request("GET", "/v1/nothing")).toMatchObject({ status: 404, body: { title: "Not Found" } });
    expect(await request("POST", "/v1/log", {})).toMatchObject({ status: 404 });
  });

  test("a mistake of ours is told to the log, and to the client only that it was made", async () => {
    history.view = () => {
      throw new Error("a faulty disk at /secret/place");
    };
    const { status, body } = await request("GET", "/v1/refs");
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain("secret");
    expect(failures).toEqual([expect.stringMatching(/^GET \/v1\/refs failed: Error: a faulty disk at \/secret/)]);
  });
});

describe("GET /v1/trace", () => {
  test("says how requests are traced where they are not", async () => {
    const { status, type, body } = await request("GET", "/v1/trace");
    expect([status, type]).toEqual([404, "application/problem+json; charset=utf-8"]);
    expect(body).toMatchObject({ detail: "requests are not traced: start the daemon with --trace FILE" });
  });

  test("tells what the trace has, and refuses what makes no sense", async () => {
    traceFile = "/state/trace.json";
    await app.close();
    app = makeConsole();
    const file = memory.open(traceFile, "create");
    file.write(Buffer.from(traceText([header(), eventLine("socket-1", "/a", "t", 5)])), 0);
    file.close();
    const line = { kind: "event", time: 5, connection: "socket-1", domain: 0, path: "/a", token: "t" };
    expect((await request("GET", "/v1/trace?from=5&to=5")).body).toEqual({ lines: [line] });
    expect((await request("GET", "/v1/trace?from=6")).body).toEqual({ lines: [] });
    for (const query of ["from=x", "limit=0", "limit=5001", "cursor=x"])
      expect([query, (await request("GET", `/v1/trace?${query}`)).status]).toEqual([query, 400]);
  });
});

describe("GET /v1/console", () => {
  test.each([
    [undefined, {}],
    [{ problem: "the port is taken" }, { problem: "the port is taken" }],
    [{ url: "http://127.0.0.1:7437/", token: "00ff" }, { url: "http://127.0.0.1:7437/#token=00ff" }],
  ])("tells where browsers reach it: %j", async (reach, answer) => {
    browsers = () => Promise.resolve(reach);
    await app.close();
    app = makeConsole();
    expect((await request("GET", "/v1/console")).body).toEqual({
      ...answer,
      repository: REPOSITORY,
    });
  });
});

describe("POST /v1/rollback", () => {
  test("has the changes made that lead from the pinned state to the one that is named", async () => {
    const { status, body } = await request("POST", "/v1/rollback", { revision: "@{9}" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ outcome: "committed", changeCount: 3, commit: { seq: 12 }, target: { seq: 9 } });
    expect(asked).toEqual(["pin", "change", "flush", "release"]);
    expect(orders).toMatchObject([{ pin: 1, way: "restore", act: { operation: "ROLLBACK", subject: "/" } }]);
    expect(orders[0]?.act.detail).toMatch(/^@\{9\} [0-9a-f]{40}$/);
    expect(orders[0]?.path).toBeUndefined();
    expect(orders[0]?.changes.length).toBeGreaterThan(0);
  });

  test("with dryRun tells what would change, and asks for nothing", async () => {
    const { body } = await request("POST", "/v1/rollback", { revision: "@{9}", dryRun: true });
    expect(body).toMatchObject({ outcome: "planned" });
    expect((body as { changes: unknown[] }).changes.length).toBeGreaterThan(0);
    expect(asked).toEqual(["pin", "release"]);
  });

  test("works it out anew where the store has moved, and gives up in the end", async () => {
    const conflict: ChangeAnswer = { outcome: "conflict", conflicts: ["/a: both changed its value"] };
    answers = [conflict, conflict];
    expect(await request("POST", "/v1/rollback", { revision: "@{9}" })).toMatchObject({ status: 200 });
    expect(orders.length).toBe(3);
    answers = Array.from({ length: 9 }, () => conflict);
    const refused = await request("POST", "/v1/rollback", { revision: "@{9}" });
    expect(refused).toMatchObject({ status: 409, body: { conflicts: ["/a: both changed its value"] } });
    expect(asked.filter((name) => name === "pin").length).toBe(asked.filter((name) => name === "release").length);
  });

  test("tells why it cannot be worked out now", async () => {
    core.ask = () => Promise.reject(new Error("too many changes are being worked out at a time"));
    const { status, body } = await request("POST", "/v1/rollback", { revision: "@{9}" });
    expect([status, (body as { detail: string }).detail]).toEqual([409, expect.stringContaining("too many changes")]);
  });

  test("tells why the daemon accepts no changes", async () => {
    answers = [{ outcome: "refused", error: "ENOSPC" }];
    const { status, body } = await request("POST", "/v1/rollback", { revision: "@{9}" });
    expect([status, (body as { detail: string }).detail]).toEqual([409, expect.stringContaining("(ENOSPC)")]);
  });

  test.each([
    [{}, /revision/],
    [{ revision: "@{99}" }, /there is no commit/],
    [{ revision: "@{9}", path: "x" }, /no path of a node/],
    [{ revision: "@{9}", path: "/nowhere" }, /there is no node \/nowhere/],
    [{ revision: "@{9}", force: true }, /additional properties/],
  ])("refuses %j", async (body, detail) => {
    const refused = await request("POST", "/v1/rollback", body);
    expect(refused.status).toBe(400);
    expect((refused.body as { detail: string }).detail).toMatch(detail);
    expect(orders).toEqual([]);
  });

  test("refuses a body of more than 64 KiB, and one that is no JSON", async () => {
    const large = await request("POST", "/v1/rollback", { revision: "x".repeat(70_000) });
    expect(large.status).toBe(413);
    const text = await app.inject({
      method: "POST",
      url: "/v1/rollback",
      payload: "revision=1",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    expect(text.statusCode).toBe(415);
  });
});

describe("POST /v1/revert", () => {
  test("lists the paths of a conflict, and has nothing made", async () => {
    // The state of a device that later commits of the stream change again.
    const { status, body } = await request("POST", "/v1/revert", { revision: "@{2}" });
    expect(status).toBe(409);
    expect((body as { conflicts: string[] }).conflicts.length).toBeGreaterThan(0);
    expect(orders).toEqual([]);
  });

  test("has the newest commit undone by a merge", async () => {
    await request("POST", "/v1/revert", { revision: "HEAD" });
    expect(orders).toMatchObject([{ way: "merge", act: { operation: "REVERT" } }]);
    expect(orders[0]?.act.subject).toMatch(/^@\{12\} [0-9a-f]{40}$/);
  });
});

describe("PUT /v1/tags/NAME", () => {
  test("names a commit, which is a revision from then on, and listed", async () => {
    expect(await request("PUT", "/v1/tags/releases/one", { revision: "@{5}" })).toMatchObject({
      status: 200,
      body: { name: "releases/one", seq: 5 },
    });
    expect(await request("GET", "/v1/commit?revision=releases/one")).toMatchObject({ body: { seq: 5 } });
    expect(await request("GET", "/v1/refs")).toMatchObject({
      body: { branches: [{ name: "main", seq: 12 }], tags: [{ name: "releases/one", seq: 5 }] },
    });
  });

  test.each([
    ["a..b", /can be no tag's name/],
    ["-x", /can be no tag's name/],
    ["HEAD", /can be no tag's name/],
    ["@", /can be no tag's name/],
    ["v1~2", /can be no tag's name/],
    ["0123456789abcdef0123456789abcdef01234567", /can be no tag's name/],
    ["x".repeat(201), /at most 200 characters/],
    ["main", /there is a branch main/],
    ["taken", /there is a tag taken already/],
    ["taken/below", /cannot be written/],
  ])("refuses %s", async (name, detail) => {
    await request("PUT", "/v1/tags/taken", {});
    const { status, body } = await request("PUT", `/v1/tags/${name}`, {});
    expect(status).toBe(400);
    expect((body as { detail: string }).detail).toMatch(detail);
  });
});

const STATE_OF_2 = "/local/domain/2/device/vbd/51712/state";

function failed(more: Partial<RememberedFailure>): RememberedFailure {
  return {
    time: 1_000_000 as Microseconds,
    lastTime: 2_000_000 as Microseconds,
    count: 1,
    connection: "socket-1",
    domid: 0 as Domid,
    operation: "TRANSACTION_END",
    transaction: 5 as TxId,
    subject: "",
    error: "EAGAIN",
    seq: 12 as Seq,
    conflict: { base: 2 as Seq, operation: "READ", path: "/local", commit: undefined },
    ...more,
  };
}

describe("GET /v1/failures", () => {
  test("lists what is remembered, newest first, by domain, error and path", async () => {
    remembered = [
      failed({ error: "ENOENT", operation: "READ", subject: "/a/b", transaction: undefined, conflict: undefined }),
      failed({ domid: 7 as Domid, connection: "domain-7-2" }),
    ];
    const list = async (search: string): Promise<unknown> => {
      const { body } = await request("GET", `/v1/failures${search}`);
      return (body as { failures: { error: string }[] }).failures.map(({ error }) => error);
    };
    expect(await list("")).toEqual(["EAGAIN", "ENOENT"]);
    expect(await list("?limit=1")).toEqual(["EAGAIN"]);
    expect(await list("?domain=7")).toEqual(["EAGAIN"]);
    expect(await list("?error=ENOENT")).toEqual(["ENOENT"]);
    expect(await list("?path=/a")).toEqual(["ENOENT"]);
    expect(await list("?path=/local")).toEqual(["EAGAIN"]);
    expect(await request("GET", "/v1/failures?limit=1")).toMatchObject({
      body: { failures: [{ time: "1970-01-01T00:00:02.000000Z", domain: 7, conflict: { base: 2, path: "/local" } }] },
    });
  });
});

describe("GET /v1/failures, of many", () => {
  test("lists as many as are asked for, and says where the next page begins", async () => {
    remembered = Array.from({ length: 2500 }, (_, index) =>
      failed({ domid: (index % 5) as Domid, connection: `socket-${String(index)}` }),
    );
    interface Page {
      readonly failures: readonly { readonly connection: string }[];
      readonly next?: number;
    }
    const page = async (
      search: string,
    ): Promise<[first: string | undefined, count: number, next: number | undefined]> => {
      const { body } = await request("GET", `/v1/failures${search}`);
      const { failures: listed, next } = body as Page;
      return [listed[0]?.connection, listed.length, next];
    };
    expect(await page("")).toEqual(["socket-2499", 250, 2251]);
    expect(await page("?cursor=2251")).toEqual(["socket-2249", 250, 2001]);
    expect(await page("?cursor=201")).toEqual(["socket-199", 200, undefined]);
    expect(await page("?limit=2200")).toEqual(["socket-2499", 2200, 301]);
    expect(await page("?domain=3&limit=400")).toEqual(["socket-2498", 400, 504]);
    expect(await page("?limit=0")).toEqual([undefined, 0, undefined]);
    expect(await request("GET", "/v1/failures?error=NOSUCH")).toMatchObject({ status: 400 });
  });
});

describe("GET /v1/why", () => {
  test("names the commit that changed what the transaction had read, also when the core has forgotten it", async () => {
    const conflict = { base: 2 as Seq, operation: "READ", path: STATE_OF_2, commit: undefined };
    remembered = [
      failed({ conflict }),
      failed({ conflict, connection: "socket-2" }),
      failed({ transaction: 6 as TxId }),
    ];
    const { status, body } = await request("GET", "/v1/why?tx=5&connection=socket-1");
    expect(status).toBe(200);
    // The stream's commits write to the domains in turn, the third one's at 11.
    expect(body).toMatchObject({
      failure: { connection: "socket-1", transaction: 5 },
      commit: { seq: 11 },
      others: 0,
      paths: [
        { path: "/local", count: 1 },
        { path: STATE_OF_2, count: 1 },
      ],
    });
    remembered = [failed({ conflict: { ...conflict, commit: 7 as Seq } })];
    expect(await request("GET", "/v1/why?tx=5")).toMatchObject({ body: { commit: { seq: 7 } } });
    remembered = [failed({ conflict: { ...conflict, path: "/nowhere" } })];
    expect((await request("GET", "/v1/why?tx=5")).body).not.toHaveProperty("commit");
  });

  test("tells the number of a commit that the core knows, and the history has no more", async () => {
    remembered = [failed({ conflict: { base: 2 as Seq, operation: "READ", path: STATE_OF_2, commit: 70 as Seq } })];
    const { body } = await request("GET", "/v1/why?tx=5");
    expect(body).toMatchObject({ failure: { conflict: { commit: 70 } } });
    expect(body).not.toHaveProperty("commit");
  });

  test("names nobody who wrote below what the transaction had read", async () => {
    remembered = [failed({ conflict: { base: 2 as Seq, operation: "READ", path: "/local", commit: undefined } })];
    expect((await request("GET", "/v1/why?tx=5")).body).not.toHaveProperty("commit");
  });

  test("says which transactions it knows", async () => {
    remembered = [failed({}), failed({ transaction: 6 as TxId })];
    const { status, body } = await request("GET", "/v1/why?tx=9");
    expect(status).toBe(400);
    const detailOf = async (search: string): Promise<string> =>
      ((await request("GET", `/v1/why?tx=${search}`)).body as { detail: string }).detail;
    expect((body as { detail: string }).detail).toBe(
      "no transaction 9 that ended in EAGAIN is remembered: of the 2 that are, the last ones are 6 on socket-1, 5 on socket-1",
    );
    expect(await detailOf("5&connection=nosuch")).toBe(
      "no transaction 5 on nosuch that ended in EAGAIN is remembered: of those with this id the last ones were on socket-1",
    );
    remembered = [];
    expect(await detailOf("5&domain=7")).toBe(
      "no transaction 5 of domain 7 that ended in EAGAIN is remembered: none is remembered at all",
    );
  });
});

describe("GET /v1/why-not", () => {
  test("puts what the core knows of watches beside the commits that changed the node", async () => {
    const watch = { connection: "domain-7-2", watchPath: "/local", token: "t", depth: 0, obstacle: "depth" } as const;
    watchFacts = { ...watchFacts, connections: 1, watches: [watch] };
    const { body } = await request("GET", "/v1/why-not?path=/local&domain=7");
    expect(body).toMatchObject({
      connections: 1,
      watches: [{ path: "/local", token: { value: "t" }, obstacle: "depth" }],
    });
    expect((body as { commits: unknown[] }).commits.length).toBe(10);
    expect(watchQuestion).toEqual({ path: "/local", domid: 7, seqs: [12, 11, 10, 9, 8, 7, 6, 5, 4, 3] });
    expect(await request("GET", "/v1/why-not?path=/local")).toMatchObject({ status: 400 });
  });
});

describe("GET /v1/why-not of a special path", () => {
  const delivery = {
    connection: "domain-7-2",
    domid: 7 as Domid,
    watchPath: "@releaseDomain",
    token: "\xff",
    absolutePath: "@releaseDomain",
    fate: "refused",
  } as const;

  test("tells the events with the commits that caused them, and tokens that are no text", async () => {
    watchFacts = { ...watchFacts, deliveries: [9, 9, 4, 70].map((seq) => ({ ...delivery, seq: seq as Seq })) };
    const { status, body } = await request("GET", "/v1/why-not?path=@releaseDomain&domain=7");
    expect(status).toBe(200);
    expect(body).toMatchObject({ commits: [{ seq: 9 }, { seq: 4 }] });
    expect((body as { events: unknown[] }).events[0]).toEqual({
      seq: 9,
      connection: "domain-7-2",
      domain: 7,
      watch: "@releaseDomain",
      token: { valueBase64: "/w==" },
      path: "@releaseDomain",
      fate: "refused",
    });
  });

  test.each(["@nothing", "@releaseDomain/x"])("refuses %s", async (path) => {
    expect(await request("GET", `/v1/why-not?path=${path}&domain=7`)).toMatchObject({ status: 400 });
  });
});

describe("POST /v1/load", () => {
  const listing = { value: '/a = "1"   (n0)\n/a/b = "2"   (n0,r7)\n' };
  const committed: ChangeAnswer = { outcome: "committed", seq: COMMITS as Seq, changes: 4 };

  test("hands the nodes of a listing to the core", async () => {
    answers = [committed];
    const { status, body } = await request("POST", "/v1/load", { listing });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      outcome: "committed",
      changeCount: 4,
      nodeCount: 2,
      remarks: [],
      commit: { seq: 12 },
    });
    expect(loads).toMatchObject([
      { top: "/", isDryRun: false, act: { operation: "LOAD", subject: "/", detail: "2 nodes" } },
    ]);
    expect(loads[0]?.nodes.map(({ path, value }) => [path, value])).toEqual([
      ["/a", "1"],
      ["/a/b", "2"],
    ]);
  });

  test("does nothing with a line that makes no sense, unless it is to be skipped", async () => {
    const bad = { value: `${listing.value}nonsense without a value\n` };
    const refused = await request("POST", "/v1/load", { listing: bad });
    expect(refused.status).toBe(400);
    expect((refused.body as { detail: string }).detail).toMatch(
      /\/path = "value" {3}\(n0,r5\), or skip them\n {2}line 3: /,
    );
    expect(loads).toEqual([]);
    answers = [committed];
    const { body } = await request("POST", "/v1/load", { listing: bad, skipBadLines: true });
    expect((body as { remarks: string[] }).remarks).toEqual([expect.stringMatching(/^left out: line 3: /)]);
  });

  test.each([
    [{ listing: { value: "" } }, 400, /has no node/],
    [{ listing: { value: `/v = "${"x".repeat(4097)}"\n` } }, 400, /no client could be sent/],
    [
      { listing: { value: Array.from({ length: 100_001 }, (_, index) => `/n${String(index)} = ""\n`).join("") } },
      400,
      /has 100001 nodes: at most 100000/,
    ],
    [{ listing, path: "/b" }, 400, /has 2 nodes, but none below \/b$/],
    [{ listing: { value: '/a = "1"\n' }, path: "/b" }, 400, /has 1 node, but none below \/b$/],
    [
      { listing: { value: '[\n  {"path":"/a","value":"1","perms":["n0"]}\n]\n' } },
      400,
      /is JSON, as xs dump --json prints it: load what xs dump prints without --json/,
    ],
    [{ listing: {} }, 400, /must NOT have fewer than 1/],
    [{ listing, path: "a" }, 400, /no path of a node/],
  ])("refuses what cannot be loaded (%#)", async (body, status, detail) => {
    const refused = await request("POST", "/v1/load", body);
    expect([refused.status, (refused.body as { detail: string }).detail]).toEqual([
      status,
      expect.stringMatching(detail),
    ]);
    expect(loads).toEqual([]);
  });

  test("is about a node and what is below it, with --path, however much else is listed", async () => {
    const others = Array.from({ length: 100_000 }, (_, index) => `/n${String(index)} = ""\n`).join("");
    const value = `/a = "1"   (n7)\n/a/b = "2"\n/a/b/c = "3"\n/a/bb = "4"\n${others}`;
    answers = [committed];
    const { body } = await request("POST", "/v1/load", { listing: { value }, path: "/a/b" });
    expect(body).toMatchObject({ nodeCount: 2, remarks: ["100002 nodes are not below /a/b: left out"] });
    expect(loads[0]?.act).toMatchObject({ subject: "/a/b", detail: "2 nodes" });
    expect(loads[0]?.nodes).toMatchObject([
      // For the case that there is none: it stays what it is.
      { path: "/a", isImplied: true },
      { path: "/a/b", isImplied: false },
      { path: "/a/b/c", isImplied: false },
    ]);
  });

  test("counts a node as one", async () => {
    answers = [committed];
    const { body } = await request("POST", "/v1/load", { listing: { value: '/a = "1"\n/b = "2"\n' }, path: "/a" });
    expect(body).toMatchObject({ remarks: ["1 node is not below /a: left out"] });
    expect(loads[0]?.act).toMatchObject({ detail: "1 node" });
  });

  test("refuses a listing that is too large, in words", async () => {
    const { status, body } = await request("POST", "/v1/load", { listing: { value: "#".repeat(17 * 1024 * 1024) } });
    expect([status, body]).toEqual([
      413,
      expect.objectContaining({
        detail: expect.stringMatching(/at most 16777216 are taken; load it in parts/) as string,
      }),
    ]);
  });

  test("tells what would change, and when nothing does or may", async () => {
    expect((await request("POST", "/v1/load", { listing, dryRun: true })).body).toMatchObject({ outcome: "planned" });
    answers = [{ outcome: "unchanged" }, { outcome: "refused", error: "ENOSPC" }];
    expect((await request("POST", "/v1/load", { listing })).body).toMatchObject({ outcome: "unchanged" });
    expect((await request("POST", "/v1/load", { listing })).status).toBe(409);
  });
});
