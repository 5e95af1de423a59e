import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openHistory, type History } from "../../../../../daemon/history/query/history.js";
import { localHistory } from "../../../../../daemon/history/query/local-history.js";
import { childrenPage, nodeAnswer, treePage } from "../../../../../daemon/history/query/tree-page.js";
import {
  QueryError,
  type ChildrenPage,
  type ChildrenQuery,
  type TreePage,
  type TreeQuery,
} from "../../../../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../../../../protocol/identifiers.js";
import { createNodeClock } from "../../../../../daemon/platform/node-clock.js";
import { diskWithRepository, openRecorder, recordAndSeal, REPOSITORY } from "../../../../support/recorded-history.js";

let history: History;

beforeAll(() => {
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, 10);
  recorder.close();
  history = openHistory(memory, REPOSITORY);
});
afterAll(() => {
  history.close();
});

const clock = { monotonicMilliseconds: () => 0 };

function ask(query: TreeQuery): TreePage {
  return treePage({ view: history.view(), now: 0 as Microseconds, clock }, query);
}

/** The paths of all pages, page by page. */
function pagesOf(query: TreeQuery): string[][] {
  const pages: string[][] = [];
  for (let cursor: string | undefined; ;) {
    const { nodes = [], next } = ask({ ...query, cursor });
    pages.push(nodes.map(({ path }) => path));
    if (next === undefined) return pages;
    cursor = next;
  }
}

const DEVICE = "/local/domain/1/device";
const BELOW = ["/vbd", "/vbd/51712", "/vbd/51712/ring-ref", "/vbd/51712/state", "/vif", "/vif/0", "/vif/0/state"].map(
  (rest) => DEVICE + rest,
);

describe("treePage", () => {
  test("tells the commit, and the nodes below a path with value and perms", () => {
    const { commit, nodes, next } = ask({ at: "@{7}", path: "/local/domain/1/device/vbd/51712" });
    expect([commit.seq, next]).toEqual([7, undefined]);
    expect(nodes).toEqual([
      { path: "/local/domain/1/device/vbd/51712/ring-ref", value: "8", perms: ["n0"] },
      { path: "/local/domain/1/device/vbd/51712/state", value: "7", perms: ["n0"] },
    ]);
  });

  test("is about HEAD and / unless told", () => {
    const { commit, nodes = [] } = ask({});
    expect([commit.seq, nodes[0]?.path, nodes.length]).toEqual([10, "/local", 2 + 3 * 14]);
  });

  test("goes on where the page before ended", () => {
    expect(pagesOf({ path: DEVICE })).toEqual([BELOW]);
    expect(pagesOf({ path: DEVICE, limit: 3 })).toEqual([BELOW.slice(0, 3), BELOW.slice(3, 6), BELOW.slice(6)]);
    expect(pagesOf({ path: DEVICE, limit: 1 })).toEqual([...BELOW.map((path) => [path]), []]);
  });

  test("keeps to the commit of its first page", () => {
    const { next } = ask({ at: "@{3}", limit: 2 });
    expect(ask({ cursor: next }).commit.seq).toBe(3);
  });

  test("with a text tells the nodes that have it in their path or value, in capitals or not", () => {
    expect(pagesOf({ path: DEVICE, text: "VBD" })).toEqual([BELOW.slice(0, 4)]);
    expect(pagesOf({ path: "/local/domain/1", text: "vM" })).toEqual([["/local/domain/1/name"]]);
    expect(pagesOf({ path: DEVICE, text: "nowhere" })).toEqual([[]]);
    expect(pagesOf({ path: DEVICE, text: "state", limit: 1 })).toEqual([
      ...["/vbd/51712/state", "/vif/0/state"].map((rest) => [DEVICE + rest]),
      [],
    ]);
  });

  test("goes on behind the last node that it looked at, though it has found none", () => {
    let now = 0;
    const slow = { monotonicMilliseconds: () => (now += 60) };
    const paths: string[] = [];
    let pages = 0;
    for (let cursor: string | undefined; ; pages++) {
      const question = { view: history.view(), now: 0 as Microseconds, clock: slow };
      const page = treePage(question, { path: DEVICE, text: "vif/0/state", cursor });
      paths.push(...(page.nodes ?? []).map(({ path }) => path));
      cursor = page.next;
      if (cursor === undefined) break;
    }
    expect(paths).toEqual([`${DEVICE}/vif/0/state`]);
    expect(pages).toBeGreaterThan(2);
  });

  test("has no nodes where there is no such node, and none below one without children", () => {
    expect(ask({ path: "/nowhere" })).toEqual({
      commit: expect.objectContaining({ seq: 10 }) as unknown,
      absence: "there was none before either; below / there is local",
    });
    expect(ask({ path: `${DEVICE}/vif/0/state` }).nodes).toEqual([]);
  });

  test("refuses a path and a cursor that make no sense", () => {
    expect(() => ask({ path: "local" })).toThrow(QueryError);
    expect(() => ask({ cursor: "x" })).toThrow(QueryError);
    const { next } = ask({ path: DEVICE, limit: 1 });
    expect(() => ask({ path: "/local/domain/2", cursor: next })).toThrow(QueryError);
  });
});

describe("nodeAnswer", () => {
  test("tells a node, or that there is none", async () => {
    const path = `${DEVICE}/vbd/51712/state`;
    const queries = localHistory(history, createNodeClock());
    const { commit, node } = await queries.ask("node", { at: "@{4}", path });
    expect([commit.seq, node]).toEqual([4, { path, value: "4", perms: ["n0"] }]);
    const question = { view: history.view(), now: 0 as Microseconds, clock };
    expect(nodeAnswer(question, { path: "/nowhere" })).toEqual({
      commit: expect.objectContaining({ seq: 10 }) as unknown,
      absence: "there was none before either; below / there is local",
    });
    expect(nodeAnswer(question, { path: "/" }).node).toEqual({ path: "/", value: "", perms: ["n0"] });
  });
});

describe("childrenPage", () => {
  const askChildren = (query: ChildrenQuery): ChildrenPage =>
    childrenPage({ view: history.view(), now: 0 as Microseconds, clock }, query);

  test("tells a node and those right below it, by name, and which of them have children", () => {
    const { commit, node, children, next } = askChildren({ at: "@{7}", path: `${DEVICE}/vbd/51712` });
    expect([commit.seq, node?.path, next]).toEqual([7, `${DEVICE}/vbd/51712`, undefined]);
    expect(children).toEqual([
      { name: "ring-ref", value: "8", perms: ["n0"], hasChildren: false },
      { name: "state", value: "7", perms: ["n0"], hasChildren: false },
    ]);
    expect(askChildren({ path: DEVICE }).children).toMatchObject([
      { name: "vbd", hasChildren: true },
      { name: "vif", hasChildren: true },
    ]);
  });

  test("has pages that together are all children, of the moment of the first", () => {
    const all = askChildren({ path: "/local/domain/1" });
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const page = askChildren({ path: "/local/domain/1", limit: 1, cursor });
      expect(page.commit).toEqual(all.commit);
      expect(page.children?.length ?? 0).toBeLessThanOrEqual(1);
      names.push(...(page.children ?? []).map(({ name }) => name));
      cursor = page.next;
    } while (cursor !== undefined);
    expect(names).toEqual(all.children?.map(({ name }) => name));
    expect(names.length).toBeGreaterThan(1);
  });

  test("tells no node where there is none, and refuses a cursor of elsewhere", () => {
    expect(Object.keys(askChildren({ path: "/nowhere" }))).toEqual(["commit"]);
    const { next } = askChildren({ path: "/local/domain", limit: 1 });
    expect(() => askChildren({ path: DEVICE, cursor: next })).toThrow(QueryError);
  });
});
