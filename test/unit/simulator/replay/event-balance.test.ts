import { describe, expect, it } from "vitest";
import type { Domid } from "../../../../protocol/identifiers.js";
import { EventBalance, type TracedWatchEvent } from "../../../../simulator/replay/event-balance.js";

const event = (path: string, token = "t"): TracedWatchEvent => ({ path, token });

function balance(
  traced: readonly TracedWatchEvent[],
  came: readonly TracedWatchEvent[],
  { domid = 0, shared = [] }: { readonly domid?: number; readonly shared?: readonly string[] } = {},
): EventBalance {
  const events = new EventBalance({ domid: domid as Domid, events: traced, shared: new Set(shared) });
  for (const each of came) events.came(each);
  return events;
}

/** Whether a promise has resolved, after everything that can has. */
async function hasResolved(promise: Promise<void>): Promise<boolean> {
  let resolved = false;
  void promise.then(() => (resolved = true));
  await new Promise((resolve) => setImmediate(resolve));
  return resolved;
}

describe("EventBalance", () => {
  it("finds nothing where the same came in another order", () => {
    const traced = [event("/a"), event("/b"), event("/a"), event("/a", "other")];
    expect(balance(traced, traced.toReversed()).differences()).toEqual([]);
  });

  it("counts what is missing and what is extra, each path and token for itself", () => {
    const traced = [event("/a"), event("/a"), event("/b"), event("/c", "t")];
    const came = [event("/a"), event("/c", "u"), event("/d"), event("/d")];
    expect(balance(traced, came).differences()).toEqual([
      { kind: "missing", count: 1, path: "/a", token: "t" },
      { kind: "missing", count: 1, path: "/b", token: "t" },
      { kind: "missing", count: 1, path: "/c", token: "t" },
      { kind: "extra", count: 1, path: "/c", token: "u" },
      { kind: "extra", count: 2, path: "/d", token: "t" },
    ]);
  });

  it("takes a guest's relative path for the absolute one, and a special one as it is", () => {
    const traced = [event("device/vbd"), event("@releaseDomain")];
    const came = [event("/local/domain/5/device/vbd"), event("@releaseDomain")];
    expect(balance(traced, came, { domid: 5 }).differences()).toEqual([]);
  });

  it("waits for no event of a shared path, be it written relative or absolute", async () => {
    const shared = ["/local/domain/0/backend"];
    const events = balance([event("backend"), event("/local/domain/0/backend")], [], { shared });
    expect(events.differences()).toEqual([]);
    expect(await hasResolved(events.complete)).toBe(true);
  });

  it("is complete when all of the trace have come, whatever came too many, and from the beginning without any", async () => {
    const events = balance([event("/a"), event("/b")], [event("/a"), event("/a"), event("/c")]);
    expect(await hasResolved(events.complete)).toBe(false);
    events.came(event("/b"));
    expect(await hasResolved(events.complete)).toBe(true);
    expect(await hasResolved(balance([], []).complete)).toBe(true);
  });
});
