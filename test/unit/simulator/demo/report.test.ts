import { describe, expect, test } from "vitest";
import type { Domid } from "../../../../protocol/identifiers.js";
import { describeLooking, describeTally, isAsExpected, type Whereabouts } from "../../../../simulator/demo/report.js";
import type { Tally } from "../../../../simulator/trace/player.js";
import type { Actor, EventStep, RequestStep } from "../../../../simulator/trace/trace.js";

const actor: Actor = { name: "guest", domid: 5 as Domid, connection: "kept" };
const quiet: Tally = {
  requests: 12,
  transactions: 1,
  repeats: 0,
  errors: 3,
  connections: 2,
  events: 4,
  differences: [],
  missing: [],
  additional: [],
};
const request: RequestStep = {
  kind: "request",
  line: 17,
  actor,
  inTransaction: false,
  operation: "READ",
  payload: "/a\0",
  error: undefined,
};
const event: EventStep = { kind: "event", line: 21, actor, path: "/b", token: "t" };

describe("describeTally", () => {
  test("counts what was played", () => {
    expect(describeTally(quiet, 1234)).toBe(
      "Played 12 requests, 1 transaction and 4 watch events over 2 connections in 1.23 seconds.\n" +
        "All replies and events were as expected.\n" +
        "3 replies are errors that belong there: programs look for what may be missing.\n",
    );
    expect(describeTally({ ...quiet, repeats: 2 }, 0)).toContain("Repeated 2 transactions after a conflict (EAGAIN).");
  });

  test("tells each difference, missing event and additional event, and that it is not as expected", () => {
    const tally: Tally = {
      ...quiet,
      differences: [
        { step: request, got: "EIO" },
        { step: { ...request, line: 18, error: "ENOENT" }, got: undefined },
      ],
      missing: [event],
      additional: [{ actor, path: "/c", token: "t", count: 2 }],
    };
    expect(isAsExpected(tally)).toBe(false);
    const text = describeTally(tally, 0);
    expect(text).toContain("NOT as expected: 2 replies, 1 events missing, 2 events additional.");
    expect(text).toContain("line 17: guest READ /a was answered EIO, not OK");
    expect(text).toContain("line 18: guest READ /a was answered OK, not ENOENT");
    expect(text).toContain("line 21: guest was not told /b t");
    expect(text).toContain("guest was told /c t 2 times more than expected");
    expect(text).not.toContain("were as expected");
  });

  test("tells ten of a kind, and how many more there are", () => {
    const missing = Array.from({ length: 25 }, (_, line) => ({ ...event, line }));
    const text = describeTally({ ...quiet, missing }, 0);
    expect(text.match(/was not told/g)).toHaveLength(10);
    expect(text).toContain("… 15 more");
  });
});

describe("isAsExpected", () => {
  test("holds for errors that were due, and for nothing that differs", () => {
    expect(isAsExpected(quiet)).toBe(true);
    expect(isAsExpected({ ...quiet, differences: [{ step: request, got: "EIO" }] })).toBe(false);
    expect(isAsExpected({ ...quiet, missing: [event] })).toBe(false);
    expect(isAsExpected({ ...quiet, additional: [{ actor, path: "/c", token: "t", count: 1 }] })).toBe(false);
  });
});

describe("describeLooking", () => {
  const where: Whereabouts = {
    directory: "/tmp/d",
    repository: "/tmp/d/state/store.git",
    runDirectory: "/tmp/d/run",
    booted: "abc1234",
    destroyed: false,
    serving: false,
    kept: false,
  };

  test("gives Git's commands on the tip while the domain lives, and on the end of its boot afterwards", () => {
    const state = "local/domain/0/backend/vbd/1/51712/state";
    expect(describeLooking(where)).toContain(`git -C /tmp/d/state/store.git log -p -- local/domain/1\n`);
    expect(describeLooking(where)).toContain(`git -C /tmp/d/state/store.git show main:${state}\n`);
    expect(describeLooking({ ...where, destroyed: true })).toContain(` show abc1234:${state}\n`);
  });

  test("gives the commands of a living store only where there is or can be one", () => {
    const command = "XENSTORED_PATH=/tmp/d/run/socket xenstore-ls -p\n";
    expect(describeLooking(where)).not.toContain("xenstore-ls");
    expect(describeLooking(where)).toContain("--keep");
    expect(describeLooking({ ...where, serving: true })).toContain(command);
    expect(describeLooking({ ...where, serving: true })).not.toContain("npm start");
    expect(describeLooking({ ...where, kept: true })).toContain(command);
    expect(describeLooking({ ...where, kept: true })).toContain("npm start -- --dir /tmp/d");
  });

  test("quotes paths for a shell", () => {
    const text = describeLooking({ ...where, repository: "/tmp/it's here/store.git" });
    expect(text).toContain("git -C '/tmp/it'\\''s here/store.git' log");
  });
});
