/** The routes of forks, on a recorded history with a fork; who serves the branches is played by the test. */
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UnknownForkError } from "../../../../daemon/http/branch-link.js";
import { createConsole } from "../../../../daemon/http/console.js";
import type { ChangeAnswer, ChangeRequest, CoreLink, ForkOutcome } from "../../../../daemon/http/messages.js";
import { openHistory, type History } from "../../../../daemon/history/query/history.js";
import { hexFromOid, type Oid } from "../../../../daemon/history/object/oid.js";
import { HistoryRecorder } from "../../../../daemon/history/recorder/recorder.js";
import { RefStore } from "../../../../daemon/history/repository/ref-store.js";
import type { Commit } from "../../../../daemon/store/commit.js";
import type { ForkJson } from "../../../../protocol/http-api/forks.js";
import type { Seq } from "../../../../protocol/identifiers.js";
import { streamCommits } from "../../../support/commit-stream.js";
import type { MemoryFileSystem } from "../../../support/memory-file-system.js";
import {
  diskWithRepository,
  openFork,
  openRecorder,
  recordAndSeal,
  REPOSITORY,
  walkedOids,
} from "../../../support/recorded-history.js";

const MAIN = 12;
const BASE = 8;
const FORK = 10;
const FORK_REF = "refs/heads/try";

let memory: MemoryFileSystem;
let history: History;
let app: FastifyInstance;
/** What was asked of whom, in order. */
let asked: string[];
let orders: ChangeRequest[];
/** What main answers to changes, one after the other; committed when none is left. */
let answers: ChangeAnswer[];
/** Why the history is behind. */
let behind: string | undefined;
/** What is answered to who makes or deletes a fork. */
let outcome: ForkOutcome;
let notes: unknown[];
let fork: ForkJson;
/** The newest commits of main and of the fork. */
let newest: { main: number; try: number };
/** Object ids, by seq; the first is nobody's. */
let main: readonly string[];
let theirs: readonly string[];

function linkTo(branch: string): CoreLink {
  return {
    ask: (name, what) => {
      asked.push(`${branch} ${name}`);
      const answer = (): unknown => {
        switch (name) {
          case "flush":
            return { behind };
          case "pin":
            return { id: 1, seq: newest[branch as "main" | "try"] as Seq };
          case "change":
            orders.push(what as ChangeRequest);
            return answers.shift() ?? { outcome: "committed", seq: MAIN as Seq, changes: 3 };
          case "failures":
            return { failures: [], next: undefined };
          default:
            return undefined;
        }
      };
      return Promise.resolve(answer() as never);
    },
  };
}

beforeEach(() => {
  [asked, orders, answers, notes] = [[], [], [], []];
  behind = undefined;
  newest = { main: MAIN, try: FORK };
  memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, BASE);
  const base = walkedOids(memory)[BASE - 1];
  recordAndSeal(recorder, MAIN - BASE);
  recorder.close();
  if (base === undefined) throw new Error("there is no base");
  const forkRecorder = openFork(memory, FORK_REF, { oid: base, seq: BASE as Seq });
  recordAndSeal(forkRecorder, FORK - BASE);
  forkRecorder.close();
  main = ["", ...walkedOids(memory).map(hexFromOid)];
  theirs = ["", ...walkedOids(memory, FORK_REF).map(hexFromOid)];
  fork = { name: "try", socket: "/run/branches/try", base: hexFromOid(base), baseSeq: BASE, state: "served" };
  outcome = { fork };
  history = openHistory(memory, REPOSITORY);
  app = createConsole({
    fileSystem: memory,
    repositoryDirectory: REPOSITORY,
    history,
    daemon: {
      core: linkTo("main"),
      forks: {
        ask: (name, what) => {
          asked.push(`forks ${name} ${what === undefined ? "" : JSON.stringify(what)}`.trim());
          if (name === "noteMerge") notes.push(what);
          return Promise.resolve((name === "forks" ? [fork] : name === "noteMerge" ? undefined : outcome) as never);
        },
      },
      branch: (name) => (name === "try" ? linkTo("try") : { ask: () => Promise.reject(new UnknownForkError(name)) }),
    },
    clock: { nowMicroseconds: () => Date.UTC(2030, 0, 1) * 1000, monotonicMilliseconds: () => 0 },
    failed: (text) => {
      throw new Error(text);
    },
  });
});

afterEach(async () => {
  await app.close();
  history.close();
});

async function request(
  method: "GET" | "POST" | "PUT" | "DELETE",
  url: string,
  body?: object,
): Promise<[number, unknown]> {
  const response = await app.inject({ method, url, ...(body === undefined ? {} : { payload: body }) });
  return [response.statusCode, response.json()];
}

function detail(text: string): unknown {
  return expect.objectContaining({ detail: expect.stringContaining(text) as string });
}

describe("POST /v1/forks", () => {
  test("has the fork made at the commit that is named, what was acknowledged before being sealed", async () => {
    expect(await request("POST", "/v1/forks", { name: "try", revision: "@{3}" })).toEqual([200, fork]);
    const base = main[3] as string;
    expect(asked).toEqual(["main flush", `forks createFork ${JSON.stringify({ name: "try", base, baseSeq: 3 })}`]);
  });

  test("begins with the newest commit of main, or with one of a fork", async () => {
    await request("POST", "/v1/forks", { name: "a" });
    await request("POST", "/v1/forks", { name: "b", revision: "try" });
    expect(asked.filter((line) => line.startsWith("forks")).map((line) => /"baseSeq":(\d+)/.exec(line)?.[1])).toEqual([
      String(MAIN),
      String(FORK),
    ]);
  });

  test("does not begin with an old state where the history is behind, and may begin with an older one", async () => {
    behind = "the disk is full";
    expect(await request("POST", "/v1/forks", { name: "a" })).toEqual([
      409,
      detail("old state, since the history is behind"),
    ]);
    expect((await request("POST", "/v1/forks", { name: "a", revision: "@{3}" }))[0]).toBe(200);
  });

  test("tells mistakes of who asks from what cannot be done now", async () => {
    outcome = { mistake: "there is a fork try already" };
    expect(await request("POST", "/v1/forks", { name: "try" })).toEqual([400, detail("there is a fork try already")]);
    outcome = { refusal: "the disk is full" };
    expect(await request("POST", "/v1/forks", { name: "try" })).toEqual([409, detail("the disk is full")]);
    expect((await request("DELETE", "/v1/forks/try"))[0]).toBe(409);
    expect(await request("POST", "/v1/forks", { name: "a", revision: "@{99}" })).toEqual([
      400,
      detail("there is no commit @{99}"),
    ]);
  });

  test.each([{}, { name: "a", revision: 7, colour: "red" }, { name: ["a", "b"] }])(
    "refuses the body %j",
    async (body) => {
      expect((await request("POST", "/v1/forks", body))[0]).toBe(400);
      expect(asked).toEqual([]);
    },
  );
});

describe("GET and DELETE /v1/forks", () => {
  test("tell of a fork of another fork's commit where that one left main", async () => {
    fork = { ...fork, base: theirs[FORK - 1] as string, baseSeq: FORK - 1 };
    expect(await request("GET", "/v1/forks")).toEqual([200, { forks: [{ ...fork, leftMain: BASE }] }]);
    outcome = { fork };
    expect((await request("POST", "/v1/forks", { name: "try" }))[1]).toEqual({ ...fork, leftMain: BASE });
  });

  test("list the forks, and have one deleted", async () => {
    expect(await request("GET", "/v1/forks")).toEqual([200, { forks: [fork] }]);
    outcome = { fork: { ...fork, tip: "0".repeat(40) } };
    expect(await request("DELETE", "/v1/forks/try")).toEqual([200, { ...fork, tip: "0".repeat(40) }]);
    expect(asked).toEqual(["forks forks", 'forks deleteFork "try"']);
  });
});

describe("POST /v1/forks/NAME/merge", () => {
  /** Main and the fork were made from one stream, and main is further on. */
  const CONFLICT = "/local/domain/0/device/vbd/51712/state: both changed its value";
  const THEIRS = { prefer: "theirs" };

  test("lists the conflicts, and asks for nothing", async () => {
    const [status, body] = await request("POST", "/v1/forks/try/merge", {});
    expect([status, body]).toEqual([409, expect.objectContaining({ conflicts: [CONFLICT] })]);
    expect([orders, notes]).toEqual([[], []]);
  });

  test("seals the fork, takes down what is about to be done, has it done, and takes down that it was", async () => {
    const [status, body] = await request("POST", "/v1/forks/try/merge", THEIRS);
    expect([status, body]).toEqual([200, expect.objectContaining({ outcome: "committed", settled: [CONFLICT] })]);
    const tip = theirs[FORK] as string;
    expect(body).toMatchObject({ target: { oid: tip, seq: FORK } });
    expect(notes).toEqual([
      { name: "try", pending: { tip, after: MAIN } },
      { name: "try", merge: { tip, seq: MAIN } },
    ]);
    expect(asked.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      "try pin",
      "try release",
      "main flush",
      "forks forks",
      "main pin",
      "forks noteMerge",
      "main change",
      "forks noteMerge",
      "main flush",
      "main release",
    ]);
    expect(orders).toMatchObject([{ way: "merge", merged: tip, act: { operation: "MERGE", subject: "try" } }]);
  });

  test("with dryRun asks for nothing, and takes nothing down", async () => {
    expect((await request("POST", "/v1/forks/try/merge", { dryRun: true, ...THEIRS }))[1]).toMatchObject({
      outcome: "planned",
    });
    expect([orders, notes]).toEqual([[], []]);
  });

  /** Main's next commit. */
  function recordOnMain(details: Partial<Commit>): void {
    const recorder = openRecorder(memory);
    const seq = ++newest.main;
    for (const commit of streamCommits({ domains: 3 }, seq, seq)) recorder.record({ ...commit, ...details });
    recorder.seal();
    recorder.close();
  }

  test("does nothing where main has all of the fork's commits, and tells since when, whether it is noted or not", async () => {
    recordOnMain({ merged: theirs[FORK] });
    const contained = { seq: newest.main, isMerge: true };
    recordOnMain({});
    expect((await request("POST", "/v1/forks/try/merge", {}))[1]).toMatchObject({ outcome: "unchanged", contained });
    fork = { ...fork, merge: { tip: theirs[FORK] as string, seq: contained.seq } };
    const dry = await request("POST", "/v1/forks/try/merge", { dryRun: true });
    expect(dry[1]).toMatchObject({ outcome: "planned", contained });
    expect([orders, notes]).toEqual([[], []]);
  });

  test("tells of a fork that has no commits of its own", async () => {
    newest.try = BASE;
    const answer = (await request("POST", "/v1/forks/try/merge", {}))[1];
    expect(answer).toMatchObject({ outcome: "unchanged", contained: { seq: BASE, isMerge: false } });
    newest.main = BASE;
    expect((await request("POST", "/v1/forks/try/merge", {}))[1]).not.toHaveProperty("contained");
  });

  test("does not begin with the old state of a history that is behind: main may have merged it since", async () => {
    behind = "the disk is full";
    expect(await request("POST", "/v1/forks/try/merge", THEIRS)).toEqual([409, detail("the disk is full")]);
  });

  test("refuses a fork that has nothing in common with main", async () => {
    const place = { fileSystem: memory, repositoryDirectory: REPOSITORY, ref: "refs/heads/other" };
    const other = new HistoryRecorder({ ...place, hostName: "other" });
    recordAndSeal(other, 3);
    other.close();
    const refs = new RefStore(memory, REPOSITORY);
    refs.update(FORK_REF, { expected: refs.read(FORK_REF), to: refs.read("refs/heads/other") as Oid });
    newest.try = 3;
    expect(await request("POST", "/v1/forks/try/merge", {})).toEqual([409, detail("in common is not in the history")]);
  });

  test("works it out anew where main has moved, and tells of a daemon that accepts no changes", async () => {
    answers = [
      { outcome: "conflict", conflicts: ["/a: both changed its value"] },
      { outcome: "refused", error: "ENOSPC" },
    ];
    expect(await request("POST", "/v1/forks/try/merge", THEIRS)).toEqual([
      409,
      detail("accepts no changes now (ENOSPC)"),
    ]);
    expect(orders.length).toBe(2);
    expect(asked.filter((line) => line === "main release").length).toBe(2);
  });

  test("a merge that was begun and not made is no merge", async () => {
    fork = { ...fork, pending: { tip: theirs[FORK] as string, after: BASE } };
    expect((await request("POST", "/v1/forks/try/merge", THEIRS))[1]).toMatchObject({ outcome: "committed" });
  });

  test("does not forget what was begun where the history is behind", async () => {
    fork = { ...fork, pending: { tip: theirs[FORK] as string, after: BASE } };
    behind = "the disk is full";
    expect(await request("POST", "/v1/forks/try/merge", THEIRS)).toEqual([409, detail("the disk is full")]);
    expect(notes).toEqual([]);
  });

  test("refuses a fork that there is not, and a body that makes no sense", async () => {
    expect(await request("POST", "/v1/forks/nobody/merge", {})).toEqual([400, detail("there is no fork nobody")]);
    expect((await request("POST", "/v1/forks/try/merge", { prefer: "mine" }))[0]).toBe(400);
  });
});

describe("other routes", () => {
  test("are about the fork that they name", async () => {
    const [status, body] = await request("POST", "/v1/rollback", { revision: "try~1", branch: "try" });
    expect([status, body]).toEqual([200, expect.objectContaining({ outcome: "committed" })]);
    expect((await request("GET", "/v1/failures?branch=try"))[0]).toBe(200);
    expect(asked).toEqual(["main flush", "try pin", "try change", "try flush", "try release", "try failures"]);
    expect(await request("GET", "/v1/failures?branch=nobody")).toEqual([400, detail("there is no fork nobody")]);
  });

  test("give no old state a name where the history is behind, and an older one that is asked for", async () => {
    behind = "the disk is full";
    expect(await request("PUT", "/v1/tags/t", {})).toEqual([409, detail("old state, since the history is behind")]);
    expect((await request("PUT", "/v1/tags/t", { revision: "@{3}" }))[0]).toBe(200);
  });

  test("have a fork sealed that a revision may name, also where that looks like an object id", async () => {
    const revisions = ["beef", "HEADS", "try~1", `${"0".repeat(39)}~1`];
    for (const revision of revisions) await request("POST", "/v1/revert", { revision });
    expect(asked.filter((line) => line === "main flush").length).toBe(revisions.length);
    asked = [];
    for (const revision of ["HEAD", "HEAD^", "@{2}", "~1", main[3] as string, `${main[3] as string}~1`]) {
      await request("POST", "/v1/rollback", { revision, dryRun: true });
    }
    expect(asked).not.toContain("main flush");
  });
});
