import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { REQUEST_CODECS } from "../../../../protocol/payload.js";
import { readFixture } from "../../../../simulator/trace/fixture.js";

describe("readFixture", () => {
  test("names a trace that is not there", () => {
    expect(() => readFixture("nothing.trace")).toThrow("simulator/fixtures/nothing.trace is missing");
  });
});

describe("pvh-boot-and-destroy.trace", () => {
  const { phases } = readFixture("pvh-boot-and-destroy.trace");

  test("has the phases of a guest's life in their order", () => {
    const expected = "setup make build vbd vbd-script console vif vif-script finish guest agent shutdown destroy";
    expect(phases.map(({ name }) => name).join(" ")).toBe(expected);
  });

  test("has as many requests, transactions and events as the model that it was made from counted", () => {
    // The model has neither a hypervisor nor the start of a host.
    const steps = phases.slice(1).flatMap((phase) => phase.steps.filter(({ actor }) => actor.name !== "hypervisor"));
    const requests = steps.filter(({ kind }) => kind === "request");
    const starts = requests.filter((step) => step.kind === "request" && step.operation === "TRANSACTION_START");
    const counts = { requests: requests.length, transactions: starts.length, events: steps.length - requests.length };
    expect(counts).toEqual({ requests: 840, transactions: 33, events: 172 });
  });

  test("is the traffic that its sources give, line for line", () => {
    const file = new URL("../../../../simulator/fixtures/pvh-boot-and-destroy.trace", import.meta.url);
    const traffic = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(createHash("sha256").update(traffic.join("\n")).digest("hex")).toBe(
      "86d7e1a0b47013e7c034a9eb558a35360dc584b2265dcb1cb7c631ae1ffbb72f",
    );
  });

  test("expects no event for which its actor has no watch", () => {
    const watched = new Set<string>();
    const unwatched: string[] = [];
    for (const step of phases.flatMap(({ steps }) => steps)) {
      const { name } = step.actor;
      if (step.kind === "event") {
        const isDue = [...watched].some((key) => {
          const [actor, path = "", token] = key.split(" ");
          const isBelow = step.path === path || step.path.startsWith(`${path}/`);
          return actor === name && token === step.token && isBelow;
        });
        if (!isDue) unwatched.push(`line ${String(step.line)}: ${name} ${step.path} ${step.token}`);
      } else if (step.operation === "WATCH") {
        const request = REQUEST_CODECS.WATCH.parse(step.payload);
        watched.add(`${name} ${request?.path ?? ""} ${request?.token ?? ""}`);
      }
    }
    expect(watched.size).toBeGreaterThan(0);
    expect(unwatched).toEqual([]);
  });

  test("introduces the domain before anything speaks for it, and destroys it last", () => {
    const steps = phases.flatMap((phase) => phase.steps);
    const introduced = steps.findIndex((step) => step.kind === "request" && step.operation === "INTRODUCE");
    const first = steps.findIndex(({ actor }) => actor.domid === 1);
    const last = steps.findLastIndex(({ actor }) => actor.domid === 1);
    const destroyed = steps.findIndex((step) => step.kind === "request" && step.payload === "domain\0destroy\x001\0");
    expect(introduced).toBeGreaterThan(0);
    expect(first).toBeGreaterThan(introduced);
    expect(destroyed).toBeGreaterThan(last);
  });
});
