import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../daemon/connection/connection.js";
import { createConsoleLink } from "../../../daemon/console-link.js";
import type { ChangeRequest, CoreLink } from "../../../daemon/http/messages.js";
import { diffRoots } from "../../../daemon/store/diff.js";
import type { Change } from "../../../daemon/store/commit.js";
import type { ListingNode } from "../../../protocol/listing/parse-listing.js";
import { CoreHarness } from "../../support/core-harness.js";

let harness: CoreHarness;
let toolstack: Connection;
let link: CoreLink;
let flush: () => Promise<unknown>;
let isFull: boolean;

beforeEach(() => {
  harness = new CoreHarness();
  toolstack = harness.connect(0);
  flush = () => Promise.resolve();
  isFull = false;
  link = createConsoleLink({
    server: {
      perform: (act) => {
        harness.beginTick();
        const result = act(harness.core);
        harness.endTick();
        return Promise.resolve(result);
      },
    },
    flushHistory: () => flush(),
    takeFigures: () => undefined,
    isFull: () => isFull,
    emptyRedacted: (changes) =>
      changes.map((change) =>
        change.kind === "node" && change.after?.value === "secret"
          ? { ...change, after: { ...change.after, value: "" } }
          : change,
      ),
  });
});

function write(path: string, value: string): void {
  harness.ask(toolstack, "WRITE", { path, value });
}

const act = { operation: "ROLLBACK", subject: "/", detail: "" } as const;

function restore(pin: number, changes: readonly Change[]): ChangeRequest {
  return { pin, changes, way: "restore", act };
}

describe("createConsoleLink", () => {
  test("makes changes that lead on from a pinned state, whatever was committed since", async () => {
    write("/a", "1");
    const then = harness.core.root;
    write("/a", "2");
    const pin = await link.ask("pin", undefined);
    expect(pin.seq).toBe(2);
    const changes = diffRoots(harness.core.root, then);
    write("/b", "3");
    const made = await link.ask("change", restore(pin.id, changes));
    expect(made).toEqual({ outcome: "committed", seq: 4, changes: 2 });
    expect(harness.ask(toolstack, "READ", { path: "/a" })).toBe("1");
    expect(harness.ask(toolstack, "READ", { path: "/b" })).toEqual({ error: "ENOENT" });
  });

  test("gives what was redacted back empty", async () => {
    write("/a", "1");
    const pin = await link.ask("pin", undefined);
    const perms = harness.core.root.node.perms;
    const path = "/a" as (Change & { kind: "node" })["path"];
    const change: Change = { kind: "node", path, before: undefined, after: { value: "secret", perms } };
    await link.ask("change", restore(pin.id, [change]));
    expect(harness.ask(toolstack, "READ", { path: "/a" })).toBe("");
  });

  test("loads thousands of nodes into one directory, and takes no marker of a secret for a value", async () => {
    write("/w", "kept");
    const perms = harness.core.root.node.perms;
    const listed = (path: string, value: string): ListingNode => ({
      path: path as ListingNode["path"],
      value,
      perms,
      isImplied: false,
      isPartial: false,
    });
    const many = Array.from({ length: 200_000 }, (_, index) => listed(`/w/${String(index)}`, ""));
    const nodes = [listed("/w", "secret"), ...many];
    const loadAct = { operation: "LOAD", subject: "/", detail: "" } as const;
    const top = "/" as ListingNode["path"];
    const answer = await link.ask("load", { nodes, top, isDryRun: false, act: loadAct });
    expect(answer).toMatchObject({ made: { outcome: "committed", changes: 200_000 }, changeCount: 200_000 });
    expect(harness.ask(toolstack, "READ", { path: "/w" })).toBe("kept");
    expect(harness.ask(toolstack, "READ", { path: "/w/199999" })).toBe("");
  });

  test("knows a pin until it is released, and only so many at a time", async () => {
    const pin = await link.ask("pin", undefined);
    await link.ask("release", pin.id);
    await expect(link.ask("change", restore(pin.id, []))).rejects.toThrow(/there is no pin 1/);
    for (let count = 0; count < 64; count++) await link.ask("pin", undefined);
    await expect(link.ask("pin", undefined)).rejects.toThrow(/too many changes/);
  });

  test("carries out requests for who asks, and none where the journal is full", async () => {
    const requests = [{ operation: "WRITE", path: "/w" as ListingNode["path"], value: "1" }] as const;
    const order = { client: "http-admin", expected: [], requests };
    expect(await link.ask("requests", order)).toEqual({ outcome: "committed", seq: 1 });
    expect(harness.ask(toolstack, "READ", { path: "/w" })).toBe("1");
    expect(await link.ask("seq", undefined)).toBe(1);
    isFull = true;
    expect(await link.ask("requests", order)).toEqual({ outcome: "full" });
    expect(await link.ask("seq", undefined)).toBe(1);
  });

  test("says why the history is behind, and pins nothing then", async () => {
    flush = () => Promise.reject(new Error("no space left"));
    expect(await link.ask("flush", undefined)).toEqual({ behind: "no space left" });
    for (let count = 0; count < 70; count++) {
      await expect(link.ask("pin", undefined)).rejects.toThrow("no space left");
    }
  });
});
