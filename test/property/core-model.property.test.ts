/**
 * The core does what a naive model does: every reply, every event and every state, for random traffic of six clients.
 *
 * `SEED=… npx vitest run test/property/core-model` repeats a failure; the message holds a transcript of the shortest run
 * that fails.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commandArbitrary } from "../support/model/command.js";
import { Comparison } from "../support/model/comparison.js";
import { MUTATIONS } from "../support/model/state.js";
import { isLongCampaign, propertyParameters, seed } from "../support/seed.js";

const RUNS = 1000;
const COMMANDS = 100;

const commands = fc.array(commandArbitrary, { minLength: 0, maxLength: 2 * COMMANDS, size: "max" });

describe("Core and its model", () => {
  test("agree on every reply, every event and every state", () => {
    const met = new Map<string, number>();
    let sent = 0;
    fc.assert(
      fc.property(commands, (run) => {
        const comparison = new Comparison();
        comparison.run(run);
        sent += run.length;
        for (const [what, count] of comparison.replies) met.set(what, (met.get(what) ?? 0) + count);
      }),
      { ...propertyParameters(RUNS), endOnFailure: false },
    );
    if (process.env["SHOW"] === "1") console.log(sent, [...met].sort());
    expect(sent).toBeGreaterThan(0);
  });
});
